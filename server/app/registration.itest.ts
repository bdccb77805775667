import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { EVEN_ANSWER_MS } from '#server/runtime/even-time.ts';
import { sweep } from '#server/store/sweep.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  idleWork,
  PASSWORD,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
} from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
const clock = new TestClock();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), clock, startWork: idleWork });
  home = await server.setUp();
});
afterAll(() => server.stop());

/** The link that waits for this address, as an administrator without a mail server sees it. */
async function linkFor(email: string): Promise<string | null> {
  home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
  const { items } = await home.owner.call(api.mailMessagesList, { query: { limit: 200, state: 'queued' } });
  const mail = items.find((each) => each.recipient === email && each.kind === 'registration');
  if (mail === undefined) return null;
  const { link } = await home.owner.call(api.mailMessagesLink, { params: { message: mail.id } });
  return link.split('/').at(-1) ?? null;
}

async function makeCode(changes: object = {}): Promise<string> {
  home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
  const { code } = await home.owner.call(api.registrationCodesCreate, { body: { note: 'A class', ...changes } });
  return code;
}

async function uses(prefix: string): Promise<number> {
  const { items } = await home.owner.call(api.registrationCodesList);
  return items.find((each) => prefix.startsWith(each.prefix))?.uses ?? -1;
}

const ask = (email: string, code?: string) =>
  server.anonymous.try(api.registrationCreate, { body: { email, ...(code === undefined ? {} : { code }) } });

describe('I1: registration', () => {
  it('is closed until an administrator opens it; a code opens it for who has one', async () => {
    expect(await server.anonymous.call(api.registrationState)).toEqual({ open: false });
    expect((await ask('early@example.test')).statusCode).toBe(400);
    expect((await ask('early@example.test', 'WRONG-CODE-AAAA-BBBB')).json().fields).toMatchObject([{ field: 'code' }]);
    await home.owner.call(api.registrationSettingsUpdate, { body: { open: true } });
    expect((await ask('early@example.test')).statusCode).toBe(204);
    await home.owner.call(api.registrationSettingsUpdate, { body: { open: false } });
  });

  it('makes the account only by the link: name and password belong to who reads the mail, nobody else', async () => {
    const code = await makeCode({ joins: { organization: home.organization, role: 'member' } });
    expect((await ask('newcomer@example.test', code.toLowerCase().replaceAll('-', ' '))).statusCode).toBe(204);
    await expect(home.owner.again('newcomer@example.test')).rejects.toMatchObject({ status: 401 });
    const secret = (await linkFor('newcomer@example.test')) ?? '';
    expect(await server.anonymous.call(api.registrationRead, { params: { secret } })).toMatchObject({
      email: 'newcomer@example.test',
      joins: 'Main',
    });
    const body = { name: 'New Comer', password: PASSWORD };
    const both = await Promise.all(
      [1, 2].map(() => new TestClient(server).try(api.registrationComplete, { params: { secret }, body })),
    );
    expect(both.map((each) => each.statusCode).sort()).toEqual([201, 404]);
    const who = await home.owner.again('newcomer@example.test').then((each) => each.call(api.whoami));
    expect(who).toMatchObject({ user: { name: 'New Comer', platformAdmin: false }, memberships: [{ role: 'member' }] });
  });

  it('50 racing people and a code for 10: exactly 10 get a link', async () => {
    const code = await makeCode({ usesMax: 10 });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(`race-${n}@example.test`, code)));
    expect(answers.filter((each) => each.statusCode === 204)).toHaveLength(10);
    expect(await uses(code)).toBe(10);
    expect((await ask('race-late@example.test', code)).statusCode).toBe(400);
  });

  it('a known address gets the same answer and costs the code the same; its mail says to sign in', async () => {
    const code = await makeCode({ usesMax: 5 });
    const times: number[] = [];
    const timed = async (email: string) => {
      const began = performance.now();
      const answer = await ask(email, code);
      times.push(performance.now() - began);
      return answer;
    };
    const known = await timed('owner@example.test');
    const unknown = await timed('unknown@example.test');
    for (const time of times) expect(time).toBeGreaterThanOrEqual(EVEN_ANSWER_MS - 5);
    expect([known.statusCode, known.body]).toEqual([unknown.statusCode, unknown.body]);
    expect(await uses(code)).toBe(2);
    const mails = await server.app.db
      .selectFrom('mail')
      .select(['kind', 'recipient'])
      .where('recipient', 'in', ['owner@example.test', 'unknown@example.test'])
      .execute();
    expect(mails).toContainEqual({ kind: 'registration-known', recipient: 'owner@example.test' });
    expect(mails).toContainEqual({ kind: 'registration', recipient: 'unknown@example.test' });
  });

  it('asking again replaces the first link and costs the code nothing more; links nobody follows give it back', async () => {
    const code = await makeCode({ usesMax: 2 });
    await ask('twice@example.test', code);
    const first = (await linkFor('twice@example.test')) ?? '';
    await ask('twice@example.test', code);
    expect(await uses(code)).toBe(1);
    expect((await server.anonymous.try(api.registrationRead, { params: { secret: first } })).statusCode).toBe(404);
    clock.advance({ hours: 25 });
    await sweep(server.app.db, clock.now());
    home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
    expect(await uses(code)).toBe(0);
  });

  it('an ended or withdrawn code opens nothing; only its first characters are kept', async () => {
    const code = await makeCode({ expiresInDays: 1 });
    const other = await makeCode();
    const stored = JSON.stringify(await server.app.db.selectFrom('registration_code').selectAll().execute());
    for (const text of [code, code.replaceAll('-', '')]) expect(stored).not.toContain(text);
    const { items } = await home.owner.call(api.registrationCodesList);
    const found = items.find((each) => other.startsWith(each.prefix));
    await home.owner.call(api.registrationCodesRevoke, { params: { code: found?.id ?? '' } });
    expect((await ask('withdrawn@example.test', other)).statusCode).toBe(400);
    clock.advance({ hours: 25 });
    expect((await ask('ended@example.test', code)).statusCode).toBe(400);
  });

  it('newcomers get an organization of their own where that is set, and none where it is not', async () => {
    const join = async (email: string) => {
      await ask(email, await makeCode());
      const client = new TestClient(server);
      const secret = (await linkFor(email)) ?? '';
      return client.call(api.registrationComplete, {
        params: { secret },
        body: { name: 'Ada Ö. Brandt', password: PASSWORD },
      });
    };
    expect((await join('alone@example.test')).memberships).toEqual([]);
    await home.owner.call(api.registrationSettingsUpdate, { body: { ownOrganization: true } });
    const who = await join('owner-of-one@example.test');
    expect(who).toMatchObject({ memberships: [{ role: 'owner', organization: { title: 'Ada Ö. Brandt' } }] });
    expect(who.projects).toHaveLength(1);
  });
});

describe('I1: users', () => {
  it('are found by name and address; a disabled one is out at once and back in when enabled', async () => {
    home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
    const email = 'searched_%@example.test'.replace('%', 'x');
    const client = await home.owner.addMember(home.organization, 'member', email);
    const program = await client.program();
    const params = { user: client.userId ?? '' };
    expect((await home.owner.call(api.usersList, { query: { search: 'SEARCHED_' } })).items).toHaveLength(1);
    expect((await home.owner.call(api.usersList, { query: { search: '%' } })).items).toHaveLength(0);
    await home.owner.call(api.usersUpdate, { params, body: { disabled: true } });
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    expect((await program.try(api.whoami)).statusCode).toBe(401);
    await home.owner.call(api.usersUpdate, { params, body: { disabled: false } });
    // The session has ended for good, the token of a program works again.
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    expect((await program.try(api.whoami)).statusCode).toBe(200);
    await home.owner.call(api.usersSignOut, { params });
    expect((await program.try(api.whoami)).statusCode).toBe(401);
  });

  it('nobody locks themselves or the last administrator out', async () => {
    const params = { user: home.owner.userId ?? '' };
    for (const body of [{ disabled: true }, { platformAdmin: false }]) {
      expect((await home.owner.try(api.usersUpdate, { params, body })).json().code).toBe('state_conflict');
    }
    expect((await home.owner.try(api.usersSignOut, { params })).json().code).toBe('state_conflict');
    expect((await home.owner.try(api.usersDelete, { params, body: {} })).json().code).toBe('conflict');
  });
});
