import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  idleWork,
  PASSWORD,
  SETUP_CODE,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
} from '#testkit/server.ts';
import { digest } from './tokens.ts';

let server: TestServer;
let home: SetUp;
const clock = new TestClock();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
});
afterAll(() => server.stop());

const owner = { email: 'owner@example.test', name: 'Olivia Owner', password: PASSWORD };

describe('U1: set-up', () => {
  it('a wrong code makes nothing and is written to the audit log', async () => {
    expect(await server.anonymous.call(api.setupState)).toMatchObject({ needed: true });
    const response = await server.anonymous.try(api.setup, { body: { ...owner, code: 'AAAA-BBBB-CCCC' } });
    expect(response.statusCode).toBe(400);
    expect(response.json().fields[0].field).toBe('code');
    expect(await server.app.db.selectFrom('app_user').select('id').execute()).toEqual([]);
    const row = await server.app.db.selectFrom('audit').selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ action: 'setup.complete', result: 'refused', address: '192.0.2.7' });
    expect(JSON.stringify(row)).not.toContain('AAAA-BBBB');
  });

  it('twenty people with the right code at once make exactly one owner', async () => {
    const clients = Array.from({ length: 20 }, () => new TestClient(server));
    const responses = await Promise.all(
      clients.map((client, index) =>
        client.try(api.setup, {
          // Typed as people type: lower case, no dashes.
          body: {
            ...owner,
            email: index === 0 ? owner.email : `rival${index}@example.test`,
            code: 'test code 2345 wxyz',
          },
        }),
      ),
    );
    const codes = responses.map((response) => response.statusCode).sort();
    expect(codes).toEqual([201, ...Array.from({ length: 19 }, () => 410)]);
    const users = await server.app.db.selectFrom('app_user').selectAll().execute();
    expect(users).toHaveLength(1);
    const winner = clients.find((_, index) => responses[index]?.statusCode === 201);
    if (winner === undefined) throw new Error('nobody won');
    const who = await winner.call(api.whoami);
    expect(who.user.platformAdmin).toBe(true);
    expect(who.memberships).toHaveLength(1);
    // Whoever won, the tests go on as the owner.
    await server.app.db.updateTable('app_user').set({ email: owner.email }).execute();
    const again = await new TestClient(server).again(owner.email);
    const project = who.projects[0];
    if (project === undefined) throw new Error('no project');
    home = { owner: again, organization: project.organization, project: project.id };
  });

  it('the code does not work a second time', async () => {
    const response = await server.anonymous.try(api.setup, { body: { ...owner, code: SETUP_CODE } });
    expect(response.statusCode).toBe(410);
    expect(await server.anonymous.call(api.setupState)).toMatchObject({ needed: false });
  });
});

describe('I1: signing in', () => {
  it('wrong password, unknown account and disabled account answer the same, and each is audited', async () => {
    const disabled = await home.owner.addMember(home.organization, 'viewer', 'disabled@example.test');
    await server.app.db
      .updateTable('app_user')
      .set({ disabled_at: new Date() })
      .where('email', '=', 'disabled@example.test')
      .execute();
    const tries = [
      { email: owner.email, password: 'not the password' },
      { email: 'nobody@example.test', password: PASSWORD },
      { email: 'disabled@example.test', password: PASSWORD },
    ];
    const bodies = await Promise.all(
      tries.map(async (body) => {
        const response = await server.anonymous.try(api.signIn, { body });
        expect(response.statusCode).toBe(401);
        expect(response.headers['set-cookie']).toBeUndefined();
        const { requestId: _, ...problem } = response.json();
        return problem;
      }),
    );
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    const rows = await server.app.db
      .selectFrom('audit')
      .select(['target', 'result'])
      .where('action', '=', 'session.create')
      .where('result', '=', 'refused')
      .execute();
    expect(rows.map((row) => row.target).sort()).toEqual(tries.map((one) => one.email).sort());
    // A disabled person's open session is dead too.
    expect((await disabled.try(api.whoami)).statusCode).toBe(401);
  });

  it('the time of an answer does not tell whether the account exists', async () => {
    const time = async (email: string) => {
      const samples: number[] = [];
      for (let i = 0; i < 7; i++) {
        const began = performance.now();
        await server.anonymous.try(api.signIn, { body: { email, password: 'some wrong password' } });
        samples.push(performance.now() - began);
      }
      return samples.sort((a, b) => a - b)[3] ?? 0;
    };
    const known = await time(owner.email);
    const unknown = await time('nobody-at-all@example.test');
    expect(Math.min(known, unknown) / Math.max(known, unknown)).toBeGreaterThan(0.5);
  });

  it('I2: the cookie is __Host-, httpOnly, Secure, SameSite=Lax; the database holds its digest only', async () => {
    const client = new TestClient(server);
    const response = await client.try(api.signIn, { body: { email: 'OWNER@example.test', password: PASSWORD } });
    expect(response.statusCode).toBe(201);
    const cookie = String(response.headers['set-cookie']);
    expect(cookie).toMatch(/^__Host-berth=[A-Za-z0-9_-]{43}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/);
    expect(response.body).not.toContain(client.cookie ?? 'none');
    const rows = await server.app.db.selectFrom('session').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(client.cookie);
    expect(rows.some((row) => row.token_hash?.equals(digest(client.cookie ?? '')))).toBe(true);
  });

  it('I2: fixation: a cookie chosen by somebody else is never adopted, and signing in over a session ends it', async () => {
    const client = new TestClient(server);
    const chosen = 'A'.repeat(43);
    client.cookie = chosen;
    await client.call(api.signIn, { body: { email: owner.email, password: PASSWORD } });
    expect(client.cookie).not.toBe(chosen);
    const first = client.cookie;
    await client.call(api.signIn, { body: { email: owner.email, password: PASSWORD } });
    expect(client.cookie).not.toBe(first);
    client.cookie = first;
    expect((await client.try(api.whoami)).statusCode).toBe(401);
  });

  it('I2: replay: a cookie kept from before signing out is worth nothing', async () => {
    const client = await home.owner.again(owner.email);
    const kept = client.cookie;
    const response = await client.try(api.signOut);
    expect(response.statusCode).toBe(204);
    expect(client.cookie).toBeNull();
    client.cookie = kept;
    expect((await client.try(api.whoami)).statusCode).toBe(401);
  });

  it('I2: a session ends after 8 hours, however busy', async () => {
    const member = await home.owner.addMember(home.organization, 'viewer');
    for (let hour = 0; hour < 7; hour++) {
      clock.advance({ hours: 1 });
      expect((await member.try(api.whoami)).statusCode).toBe(200);
    }
    clock.advance({ minutes: 59 });
    expect((await member.try(api.whoami)).statusCode).toBe(200);
    clock.advance({ minutes: 1 });
    expect((await member.try(api.whoami)).statusCode).toBe(401);
    home.owner = await home.owner.again(owner.email);
  });
});

describe('I1: the own account', () => {
  it('changing the password needs the current one, ends all other sessions and keeps this one', async () => {
    const here = await home.owner.addMember(home.organization, 'member', 'changer@example.test');
    const there = await here.again('changer@example.test');
    const wrong = await here.try(api.accountPassword, { body: { current: 'nope', password: 'another four words' } });
    expect(wrong.statusCode).toBe(400);
    expect(wrong.json().fields[0].field).toBe('current');
    await here.call(api.accountPassword, { body: { current: PASSWORD, password: 'another four words' } });
    expect((await here.try(api.whoami)).statusCode).toBe(200);
    expect((await there.try(api.whoami)).statusCode).toBe(401);
    expect(
      (await here.try(api.signIn, { body: { email: 'changer@example.test', password: PASSWORD } })).statusCode,
    ).toBe(401);
    await here.again('changer@example.test', 'another four words');
  });

  it('weak passwords are refused with the reason on the field', async () => {
    for (const password of [
      'Password123!',
      'qwertyuiop',
      '1234567890',
      'aaaaaaaaaaaa',
      'Welcome2026',
      'olivia.owner1',
    ]) {
      const client = await home.owner
        .addMember(home.organization, 'viewer', `olivia.owner@weak-${password.length}.test`)
        .catch(() => null);
      const target = client ?? (await home.owner.again(owner.email));
      const response = await target.try(api.accountPassword, { body: { current: PASSWORD, password } });
      expect(response.statusCode, password).toBe(400);
      expect(response.json().fields[0].field, password).toBe('password');
    }
  });

  it('sessions are listed and can be ended one by one, only the own ones', async () => {
    const person = await home.owner.addMember(home.organization, 'viewer', 'two-devices@example.test');
    const other = await person.again('two-devices@example.test');
    const { items } = await person.call(api.sessionsList);
    expect(items.filter((session) => session.current)).toHaveLength(1);
    const theirs = items.find((session) => !session.current);
    if (theirs === undefined) throw new Error('no second session');
    expect((await home.owner.try(api.sessionsRevoke, { params: { session: theirs.id } })).statusCode).toBe(404);
    await person.call(api.sessionsRevoke, { params: { session: theirs.id } });
    expect((await other.try(api.whoami)).statusCode).toBe(401);
    expect((await person.try(api.sessionsRevoke, { params: { session: theirs.id } })).statusCode).toBe(404);
  });

  it('I2: API tokens are shown once, stored as a digest, and end when revoked or expired', async () => {
    const made = await home.owner.call(api.tokensCreate, { body: { name: 'ci', expiresInDays: 1 } });
    expect(made.secret).toMatch(/^brt_[0-9A-Za-z]{43}$/);
    expect(made.secret.startsWith(made.prefix)).toBe(true);
    const listed = await home.owner.try(api.tokensList);
    expect(listed.body).toContain(made.id);
    expect(listed.body).not.toContain(made.secret);
    const rows = await server.app.db.selectFrom('api_token').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(made.secret);

    const program = new TestClient(server);
    program.token = made.secret;
    expect((await program.call(api.whoami)).via).toBe('token');
    clock.advance({ hours: 23 });
    expect((await program.try(api.whoami)).statusCode).toBe(200);
    clock.advance({ hours: 2 });
    expect((await program.try(api.whoami)).statusCode).toBe(401);
    home.owner = await home.owner.again(owner.email);

    const second = await home.owner.program();
    const [token] = (await home.owner.call(api.tokensList)).items.filter((one) => one.name === 'test program');
    await home.owner.call(api.tokensRevoke, { params: { token: token?.id ?? '' } });
    expect((await second.try(api.whoami)).statusCode).toBe(401);
  });

  it('I2: a token made with a token never outlives it', async () => {
    const made = await home.owner.call(api.tokensCreate, { body: { name: 'short', expiresInDays: 1 } });
    const program = new TestClient(server);
    program.token = made.secret;
    for (const expiresInDays of [null, 3650]) {
      const child = await program.call(api.tokensCreate, { body: { name: 'child', expiresInDays } });
      expect(child.expiresAt).toBe(made.expiresAt);
    }
  });

  it('a bearer token that is not valid is refused even where a cookie would do, and never falls back to it', async () => {
    const person = await home.owner.again(owner.email);
    for (const authorization of ['Bearer brt_nonsense', 'Bearer ', 'Basic abc', `Bearer ${person.cookie}`]) {
      const response = await person.raw({ method: 'GET', url: '/api/v1/session', headers: { authorization } });
      expect(response.statusCode, authorization).toBe(401);
    }
  });

  it('mass assignment: nobody becomes a platform administrator through their profile', async () => {
    const person = await home.owner.addMember(home.organization, 'viewer');
    for (const extra of [
      { platformAdmin: true },
      { platform_admin: true },
      { email: 'x@example.test' },
      { role: 'owner' },
    ]) {
      const response = await person.raw({
        method: 'PATCH',
        url: '/api/v1/account',
        payload: { name: 'New', ...extra },
      });
      expect(response.statusCode).toBe(400);
    }
    expect((await person.call(api.whoami)).user.platformAdmin).toBe(false);
  });
});
