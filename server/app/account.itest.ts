import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { PASSWORD_RESETS_MAX } from '#domain/mails.ts';
import { PICTURE_SIDE_MAX } from '#domain/profiles.ts';
import { EVEN_ANSWER_MS } from '#server/runtime/even-time.ts';
import { personalTables } from '#server/store/account-deletion.ts';
import { PIXEL_PNG } from '#testkit/account-rows.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestClient, TestClock, type TestServer } from '#testkit/server.ts';
import { secretIn, TestSmtp } from '#testkit/smtp.ts';
import { fastWork } from '#testkit/work.ts';

let server: TestServer;
let home: SetUp;
const clock = new TestClock();
const smtp = new TestSmtp();

beforeAll(async () => {
  await smtp.start();
  server = await startTestServer({ database: await withDatabase(), clock, work: fastWork });
  home = await server.setUp();
});
afterAll(async () => {
  await server.stop();
  await smtp.stop();
});

let people = 0;
async function somebody(role: 'admin' | 'member' = 'member'): Promise<{ client: TestClient; email: string }> {
  const email = `person-${++people}@example.test`;
  return { client: await home.owner.addMember(home.organization, role, email), email };
}

/** With a mail server from here on; people made before have had their links by hand. */
async function withMail(): Promise<void> {
  home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
  await home.owner.call(api.mailSettingsUpdate, {
    body: {
      host: '127.0.0.1',
      port: smtp.port,
      security: 'plain',
      fromAddress: 'berth@example.test',
      fromName: 'Berth',
    },
  });
}
async function withoutMail(): Promise<void> {
  home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
  await home.owner.call(api.mailSettingsDelete);
}

describe('I1: the profile', () => {
  it('keeps name, language, time zone and theme; whoami tells them; unknown zones are refused', async () => {
    const { client } = await somebody();
    const changed = await client.call(api.accountUpdate, {
      body: { name: 'Žana', language: 'lt', timeZone: 'Europe/Vilnius', theme: 'dark' },
    });
    expect(changed).toMatchObject({
      user: { name: 'Žana' },
      preferences: { language: 'lt', timeZone: 'Europe/Vilnius', theme: 'dark', avatar: null },
    });
    expect((await client.call(api.whoami)).preferences).toMatchObject({ language: 'lt', theme: 'dark' });
    for (const timeZone of ['Mars/Olympus', '+02:00', '../etc/passwd', '']) {
      expect((await client.try(api.accountUpdate, { body: { timeZone } })).statusCode, timeZone).toBe(400);
    }
    // Mass assignment: nothing else of an account can be written here.
    for (const extra of [{ platformAdmin: true }, { email: 'x@example.test' }, { emailVerified: true }]) {
      expect((await client.try(api.accountUpdate, { body: extra as object })).statusCode).toBe(400);
    }
  });

  it('a picture is known by its bytes and served as nothing else, to people who work together only', async () => {
    const { client } = await somebody();
    const bytes = (text: string) => Buffer.from(text).toString('base64');
    const huge = Buffer.from(PIXEL_PNG, 'base64');
    huge.writeUInt32BE(PICTURE_SIDE_MAX + 1, 16);
    for (const image of [
      bytes('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
      bytes('<html><script>alert(1)</script></html>'),
      bytes('GIF89a0000000000000000000000000000000000'),
      bytes('\x89PNG but not really, no header at all here'),
      huge.toString('base64'),
    ]) {
      const refused = await client.try(api.avatarUpdate, { body: { image } });
      expect(refused.statusCode).toBe(400);
      expect(refused.json().fields).toMatchObject([{ field: 'image' }]);
    }
    expect((await client.try(api.avatarUpdate, { body: { image: 'A'.repeat(200_000) } })).statusCode).toBe(400);
    const { preferences } = await client.call(api.avatarUpdate, { body: { image: PIXEL_PNG } });
    const picture = await client.raw({ method: 'GET', url: preferences.avatar ?? '' });
    expect(picture.statusCode).toBe(200);
    expect(picture.headers).toMatchObject({
      'content-type': 'image/png',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(picture.rawPayload.toString('base64')).toBe(PIXEL_PNG);
    const params = { user: client.userId ?? '' };
    const colleague = (await somebody()).client;
    expect((await colleague.try(api.avatarGet, { params })).statusCode).toBe(200);
    const { items } = await colleague.call(api.membersList, { params: { organization: home.organization } });
    const shown = Object.fromEntries(items.map(({ user }) => [user.id, user.avatar]));
    expect(shown[client.userId ?? '']).toBe(preferences.avatar);
    expect(shown[colleague.userId ?? '']).toBeNull();
    await server.app.db
      .deleteFrom('membership')
      .where('user_id', '=', client.userId ?? ('' as never))
      .execute();
    expect((await (await somebody()).client.try(api.avatarGet, { params })).statusCode).toBe(404);
    await client.call(api.avatarDelete);
    expect((await client.try(api.avatarGet, { params })).statusCode).toBe(404);
  });
});

describe('I1: a forgotten password', () => {
  it('known, unknown and disabled accounts get the same answer after the same time', async () => {
    const { email } = await somebody();
    const disabled = await somebody();
    await home.owner.call(api.usersUpdate, {
      params: { user: disabled.client.userId ?? '' },
      body: { disabled: true },
    });
    const times: number[] = [];
    for (const who of [email, 'nobody@example.test', disabled.email]) {
      const began = performance.now();
      const answer = await server.anonymous.try(api.passwordForgotten, { body: { email: who } });
      times.push(performance.now() - began);
      expect([answer.statusCode, answer.body, Object.keys(answer.headers).sort()]).toEqual([
        204,
        '',
        expect.arrayContaining(['x-request-id']),
      ]);
    }
    for (const time of times) expect(time).toBeGreaterThanOrEqual(EVEN_ANSWER_MS - 5);
    const rows = await server.app.db
      .selectFrom('mail')
      .select('recipient')
      .where('kind', '=', 'password-reset')
      .execute();
    expect(rows.map((row) => row.recipient)).toEqual([email]);
  });

  it('the link sets a password once, ends every session, signs nobody in, and tells the person', async () => {
    const { client, email } = await somebody();
    await withMail();
    await server.anonymous.call(api.passwordForgotten, { body: { email } });
    const token = secretIn(await smtp.awaitMail(email));
    const weak = await server.anonymous.try(api.passwordReset, { body: { token, password: 'password123' } });
    expect(weak.json().fields).toMatchObject([{ field: 'password' }]);
    const body = { token, password: 'a boat in the morning' };
    const both = await Promise.all([1, 2].map(() => server.anonymous.try(api.passwordReset, { body })));
    expect(both.map((each) => each.statusCode).sort()).toEqual([204, 410]);
    expect(both.every((each) => each.headers['set-cookie'] === undefined)).toBe(true);
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    await home.owner.again(email, body.password);
    expect((await smtp.awaitMail(email, 2)).mail.subject).toBe('Your password on berth.localhost was changed');
    expect((await home.owner.again(email, body.password).then((each) => each.call(api.accountGet))).emailVerified).toBe(
      true,
    );
    await withoutMail();
  });

  it('replay and token confusion: old, replaced and foreign secrets open nothing', async () => {
    const { client, email } = await somebody();
    await withMail();
    await server.anonymous.call(api.passwordForgotten, { body: { email } });
    const first = secretIn(await smtp.awaitMail(email));
    await server.anonymous.call(api.passwordForgotten, { body: { email } });
    const second = secretIn(await smtp.awaitMail(email, 2));
    const reset = (token: string) =>
      server.anonymous.try(api.passwordReset, { body: { token, password: 'a boat in the evening' } });
    // A reset is no registration, no invitation, no change of address.
    for (const route of [api.registrationRead, api.invitationRead] as const) {
      expect((await server.anonymous.try(route, { params: { secret: second } })).statusCode).toBe(404);
    }
    expect((await server.anonymous.try(api.emailChangeConfirm, { body: { token: second } })).statusCode).toBe(410);
    expect((await reset(client.cookie ?? '')).statusCode).toBe(410);
    expect((await reset(second)).statusCode).toBe(204);
    expect((await reset(first)).statusCode).toBe(410);
    await server.anonymous.call(api.passwordForgotten, { body: { email } });
    const late = secretIn(await smtp.awaitMail(email, 4));
    clock.advance({ minutes: 61 });
    expect((await reset(late)).statusCode).toBe(410);
    const stored = JSON.stringify(await server.app.db.selectFrom('password_reset').selectAll().execute());
    for (const secret of [first, second, late]) expect(stored).not.toContain(secret);
    await withoutMail();
  });

  it('nobody can fill a mailbox: so many links an hour and no more, with the same answer', async () => {
    const { email } = await somebody();
    for (let n = 0; n < PASSWORD_RESETS_MAX + 3; n++) {
      expect((await server.anonymous.try(api.passwordForgotten, { body: { email } })).statusCode).toBe(204);
    }
    const rows = await server.app.db.selectFrom('mail').select('id').where('recipient', '=', email).execute();
    expect(rows.filter(Boolean).length).toBeLessThanOrEqual(PASSWORD_RESETS_MAX + 1);
  });
});

describe('I1: a change of address', () => {
  it('counts when both addresses have confirmed; then all sessions end and the new one signs in', async () => {
    const { email } = await somebody();
    await withMail();
    const client = await home.owner.again(email);
    const next = `moved-${people}@example.test`;
    await client.call(api.emailChangeCreate, { body: { email: next } });
    const fromOld = secretIn(await smtp.awaitMail(email));
    const fromNew = secretIn(await smtp.awaitMail(next));
    expect(fromOld).not.toBe(fromNew);
    const confirm = (token: string) => server.anonymous.try(api.emailChangeConfirm, { body: { token } });
    expect((await confirm(fromNew)).json()).toEqual({ done: false, confirmed: 'new' });
    expect((await confirm(fromNew)).statusCode).toBe(410);
    expect(await client.call(api.accountGet)).toMatchObject({
      user: { email },
      emailChange: { email: next, oldConfirmed: false, newConfirmed: true },
    });
    expect((await confirm(fromOld)).json()).toEqual({ done: true, confirmed: 'old' });
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    const again = await home.owner.again(next);
    expect(await again.call(api.accountGet)).toMatchObject({
      user: { email: next },
      emailVerified: true,
      emailChange: null,
    });
    await expect(home.owner.again(email)).rejects.toMatchObject({ status: 401 });
    await withoutMail();
  });

  it('to an address that somebody has: the same answer, no mail there, and no way to finish', async () => {
    const other = await somebody();
    const { email } = await somebody();
    const client = await home.owner.again(email);
    const answer = await client.call(api.emailChangeCreate, { body: { email: other.email } });
    expect(answer).toMatchObject({ email: other.email, oldConfirmed: false, newConfirmed: false });
    const mails = await server.app.db.selectFrom('mail').select('kind').where('recipient', '=', other.email).execute();
    expect(mails.map((row) => row.kind)).not.toContain('email-new');
    await client.call(api.emailChangeDelete);
    expect((await client.call(api.accountGet)).emailChange).toBeNull();
    const waiting = await server.app.db
      .selectFrom('mail')
      .select('state')
      .where('recipient', '=', email)
      .where('kind', '=', 'email-old')
      .execute();
    // Whether it went out before it was taken back is the outbox's pace; it no longer waits.
    expect(waiting).toHaveLength(1);
    expect(['sent', 'expired']).toContain(waiting[0]?.state);
  });

  it('needs a fresh confirmation', async () => {
    const { client } = await somebody();
    clock.advance({ minutes: 11 });
    const answer = await client.try(api.emailChangeCreate, { body: { email: 'later-on@example.test' } });
    expect(answer.json().code).toBe('step_up_required');
  });
});

describe('I1: deleting an account', () => {
  it('knows every table that is about a person', async () => {
    const { rows } = await import('kysely').then(({ sql }) =>
      sql<{ table: string }>`select conrelid::regclass::text as table from pg_constraint
        where contype = 'f' and confrelid = 'app_user'::regclass and confdeltype = 'c'`.execute(server.app.db),
    );
    expect([...new Set(rows.map((row) => row.table))].sort()).toEqual([...personalTables].sort());
  });

  it('leaves no name, address or way in; sessions and tokens end; what was made stays with the organization', async () => {
    const { client, email } = await somebody('admin');
    await client.call(api.avatarUpdate, { body: { image: PIXEL_PNG } });
    const program = await client.program();
    const { link } = await client.call(api.invitationsCreate, {
      params: { organization: home.organization },
      body: { email: 'by-the-deleted@example.test', role: 'viewer' },
    });
    const facts = await client.call(api.deletionGet);
    expect(facts).toMatchObject({ can: true, organizations: [{ needsOwner: false }], tokens: 1 });
    expect((await client.try(api.accountDelete, { body: { email: 'owner@example.test' } })).statusCode).toBe(400);
    const gone = await client.try(api.accountDelete, { body: { email } });
    expect(gone.statusCode).toBe(204);
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    expect((await program.try(api.whoami)).statusCode).toBe(401);
    await expect(home.owner.again(email)).rejects.toMatchObject({ status: 401 });
    const secret = link?.split('/').at(-1) ?? '';
    expect((await server.anonymous.try(api.invitationRead, { params: { secret } })).statusCode).toBe(404);
    const row = await server.app.db
      .selectFrom('app_user')
      .selectAll()
      .where('id', '=', client.userId ?? ('' as never))
      .executeTakeFirstOrThrow();
    expect(row).toMatchObject({
      name: 'Deleted account',
      email: `deleted-${client.userId}@invalid`,
      email_verified_at: null,
    });
    expect(await server.app.db.selectFrom('profile').select('user_id').where('user_id', '=', row.id).execute()).toEqual(
      [],
    );
    // The address is free again.
    await home.owner.addMember(home.organization, 'member', email);
  });

  it('the last owner hands over in the same step; the last administrator stays', async () => {
    const own = await home.owner.call(api.deletionGet);
    expect(own.can).toMatch(/last administrator/);
    home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
    const refused = await home.owner.try(api.accountDelete, { body: { email: 'owner@example.test' } });
    expect(refused.json().code).toBe('conflict');
    const heir = await somebody();
    await home.owner.call(api.usersUpdate, {
      params: { user: heir.client.userId ?? '' },
      body: { platformAdmin: true },
    });
    const facts = await home.owner.call(api.deletionGet);
    expect(facts).toMatchObject({ can: true, organizations: [{ needsOwner: true }] });
    expect(facts.organizations[0]?.successors.map((each) => each.email)).toContain(heir.email);
    const body = { email: 'owner@example.test' };
    expect((await home.owner.try(api.accountDelete, { body })).json().detail).toMatch(/Say who owns/);
    const stranger = { organization: home.organization, to: home.owner.userId ?? '' };
    expect((await home.owner.try(api.accountDelete, { body: { ...body, handOver: [stranger] } })).statusCode).toBe(409);
    const handOver = [{ organization: home.organization, to: heir.client.userId ?? '' }];
    await home.owner.call(api.accountDelete, { body: { ...body, handOver } });
    expect((await heir.client.call(api.whoami)).memberships).toMatchObject([{ role: 'owner' }]);
  });
});
