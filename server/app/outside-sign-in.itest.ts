/** Signing in with a real OpenID provider that runs beside the test, and everything such an answer can be wrong in. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { BodyInputOf } from '#contract/route.ts';
import type { UserId } from '#domain/ids.ts';
import { addTotpRow } from '#testkit/factor-rows.ts';
import { OutsideBrowser, startTestProvider, type TestProvider } from '#testkit/identity-provider.ts';
import type { Misbehaviour, TestAccount } from '#testkit/oidc-provider-main.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, TestClock, type TestServer } from '#testkit/server.ts';

const CONSOLE = 'https://berth.localhost:9443';
const clock = new TestClock();
let server: TestServer;
let home: SetUp;
let outside: TestProvider;
let counter = 0;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  home = await server.setUp();
  const names = ['corp', 'second', 'domains', 'nobody', 'roles', 'elsewhere'];
  outside = await startTestProvider({ redirectUris: names.map((name) => `${CONSOLE}/sign-in/${name}`) });
  await allow(outside.issuer);
});
afterAll(async () => {
  await outside.stop();
  await server.stop();
});
beforeEach(async () => {
  await outside.control({ do: 'misbehave', how: null });
});

async function allow(...origins: string[]): Promise<void> {
  const value = JSON.stringify(origins);
  await server.app.db
    .insertInto('setting')
    .values({ key: 'outbound.allowed', value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
}

type Made = { id: string; name: string };
const made = new Map<string, Promise<Made>>();

/** The provider of this name, set up once by the administrator. */
function provider(name: string, changes: Partial<BodyInputOf<typeof api.identityProvidersCreate>> = {}): Promise<Made> {
  let setUp = made.get(name);
  if (setUp === undefined) {
    setUp = administrator().then((owner) =>
      owner.call(api.identityProvidersCreate, {
        body: {
          name,
          kind: 'oidc',
          issuer: outside.issuer,
          clientId: outside.clientId,
          clientSecret: outside.clientSecret,
          groupsClaim: 'groups',
          ...changes,
        },
      }),
    );
    made.set(name, setUp);
  }
  return setUp;
}

/** The administrator, having confirmed just now. */
function administrator(): Promise<TestClient> {
  return home.owner.again('owner@example.test');
}

/** Somebody at the provider. */
async function person(changes: Partial<TestAccount> = {}): Promise<TestAccount & { email: string }> {
  const sub = `person-${++counter}`;
  const account = { sub, email: `${sub}@example.test`, emailVerified: true, name: `Person ${counter}`, ...changes };
  await outside.control({ do: 'account', account });
  return account;
}

/** Goes to the provider as `sub` and comes back; answers the query that the provider added. */
async function goOut(client: TestClient, name: string, sub: string, wanted?: string): Promise<string> {
  const { url } = await client.call(api.signInOutside, { body: { provider: name, return: wanted } });
  await outside.control({ do: 'signed-in', sub });
  return (await new OutsideBrowser().follow(url, CONSOLE)).search.slice(1);
}

const finish = (client: TestClient, name: string, query: string) =>
  client.try(api.signInOutsideFinish, { body: { provider: name, query } });

async function signIn(name: string, sub: string): Promise<TestClient> {
  const client = new TestClient(server);
  const query = await goOut(client, name, sub);
  await client.call(api.signInOutsideFinish, { body: { provider: name, query } });
  return client;
}

async function verify(email: string): Promise<void> {
  await server.app.db
    .updateTable('app_user')
    .set({ email_verified_at: new Date() })
    .where('email', '=', email)
    .execute();
}

async function addTotp(userId: UserId | null): Promise<void> {
  if (userId === null) throw new Error('nobody');
  await addTotpRow(server.app.db, userId);
  await server.app.db.updateTable('app_user').set({ second_factor: true }).where('id', '=', userId).execute();
}

async function identitiesOf(userId: UserId | null): Promise<string[]> {
  const rows = await server.app.db
    .selectFrom('linked_identity')
    .select('subject')
    .where('user_id', '=', userId ?? ('' as UserId))
    .execute();
  return rows.map((row) => row.subject);
}

async function signedInAs(name: string, sub: string): Promise<{ client: TestClient; userId: UserId }> {
  const client = await signIn(name, sub);
  return { client, userId: (await client.call(api.whoami)).user.id };
}

/** Links, with everything right about it. */
async function linkAs(client: TestClient, name: string, sub: string) {
  const { url } = await client.call(api.identitiesLink, { body: { provider: name } });
  await outside.control({ do: 'signed-in', sub });
  const query = (await new OutsideBrowser().follow(url, CONSOLE)).search.slice(1);
  return finish(client, name, query);
}

describe('I3: signing in with an OpenID provider', () => {
  it('I3: an invited person gets an account, a session and the membership; the second time it is the same account', async () => {
    await provider('corp');
    const invited = await person();
    await home.owner.call(api.invitationsCreate, {
      params: { organization: home.organization },
      body: { email: invited.email, role: 'operator' },
    });
    const client = new TestClient(server);
    const query = await goOut(client, 'corp', invited.sub, '/p/somewhere');
    const answer = await client.call(api.signInOutsideFinish, { body: { provider: 'corp', query } });
    expect(answer.return).toBe('/p/somewhere');
    if (answer.step.next !== 'done') throw new Error(answer.step.next);
    expect(answer.step.user).toMatchObject({ email: invited.email, name: invited.name });
    expect(answer.step.memberships).toMatchObject([{ role: 'operator' }]);
    expect((await client.call(api.whoami)).user.email).toBe(invited.email);
    const again = await signIn('corp', invited.sub);
    expect((await again.call(api.whoami)).user.id).toBe(answer.step.user.id);
    const { items } = await again.call(api.identitiesList);
    expect(items).toMatchObject([{ provider: { name: 'corp' }, subject: invited.sub, email: invited.email }]);
  });

  it('I3: whose e-mail address both sides have verified is the same person; the second factor is still asked for', async () => {
    await provider('corp');
    const known = await person();
    const member = await home.owner.addMember(home.organization, 'viewer', known.email);
    await verify(known.email);
    const client = await signIn('corp', known.sub);
    expect((await client.call(api.whoami)).user.id).toBe(member.userId);
    await addTotp(member.userId);
    const second = new TestClient(server);
    const query = await goOut(second, 'corp', known.sub);
    const answer = await second.call(api.signInOutsideFinish, { body: { provider: 'corp', query } });
    expect(answer.step).toMatchObject({ next: 'factor', factors: ['totp'] });
    expect(second.cookie).toBeNull();
    expect((await second.try(api.whoami)).statusCode).toBe(401);
  });

  it('I3: never by an address that one side has not verified: the same answer as for nobody', async () => {
    await provider('nobody', { provisioning: 'nobody' });
    await provider('domains', { provisioning: 'domains', domains: ['example.test'] });
    // The provider has not verified it, Berth has.
    const unverified = await person({ emailVerified: false });
    const first = await home.owner.addMember(home.organization, 'viewer', unverified.email);
    await verify(unverified.email);
    // The provider has verified it, Berth has not.
    const byHand = await person();
    const other = await home.owner.addMember(home.organization, 'viewer', byHand.email);
    const stranger = await person();
    const silent = await person({ emailVerified: undefined, email: 'Owner@Example.test' });
    const answers = [];
    for (const who of [unverified, byHand, stranger, silent]) {
      const client = new TestClient(server);
      const response = await finish(client, 'nobody', await goOut(client, 'nobody', who.sub));
      expect(client.cookie).toBeNull();
      answers.push([response.statusCode, response.json().code, response.json().detail]);
    }
    const client = new TestClient(server);
    const response = await finish(client, 'domains', await goOut(client, 'domains', byHand.sub));
    answers.push([response.statusCode, response.json().code, response.json().detail]);
    expect(new Set(answers.map(String)).size).toBe(1);
    expect(answers[0]?.slice(0, 2)).toEqual([409, 'state_conflict']);
    for (const { userId } of [first, other]) expect(await identitiesOf(userId)).toEqual([]);
  });

  it('I3: listed domains get accounts, others do not; the domain must match as a whole', async () => {
    await provider('domains', { provisioning: 'domains', domains: ['example.test'] });
    const insider = await person();
    expect((await (await signIn('domains', insider.sub)).call(api.whoami)).memberships).toEqual([]);
    for (const email of [
      'a@evil-example.test',
      'a@sub.example.test',
      'a@example.test.evil.test',
      'a@example.test@b.c',
    ]) {
      const outsider = await person({ email });
      const client = new TestClient(server);
      const response = await finish(client, 'domains', await goOut(client, 'domains', outsider.sub));
      expect([response.statusCode, client.cookie], email).toEqual([409, null]);
    }
  });

  it('I3: a provider may not speak for addresses outside its domains, even for those it calls verified', async () => {
    await provider('domains', { provisioning: 'domains', domains: ['example.test'] });
    const elsewhere = await person({ email: 'boss@elsewhere.test' });
    const boss = await home.owner.addMember(home.organization, 'admin', elsewhere.email);
    await verify(elsewhere.email);
    const client = new TestClient(server);
    const response = await finish(client, 'domains', await goOut(client, 'domains', elsewhere.sub));
    expect(response.statusCode).toBe(409);
    expect(await identitiesOf(boss.userId)).toEqual([]);
  });

  it('I3: a disabled account stays out', async () => {
    await provider('domains', { provisioning: 'domains', domains: ['example.test'] });
    const leaver = await person();
    const { userId } = await signedInAs('domains', leaver.sub);
    await server.app.db.updateTable('app_user').set({ disabled_at: new Date() }).where('id', '=', userId).execute();
    const client = new TestClient(server);
    const response = await finish(client, 'domains', await goOut(client, 'domains', leaver.sub));
    expect([response.statusCode, client.cookie]).toEqual([401, null]);
  });
});

describe('I3: answers that are refused', () => {
  beforeAll(() => provider('domains', { provisioning: 'domains', domains: ['example.test'] }));

  for (const how of [
    'none-algorithm',
    'other-key',
    'wrong-nonce',
    'wrong-audience',
    'wrong-issuer',
    'expired',
  ] satisfies Misbehaviour[]) {
    it(`I3: an ID token with ${how.replace('-', ' ')} signs nobody in`, async () => {
      const who = await person();
      const client = new TestClient(server);
      const query = await goOut(client, 'domains', who.sub);
      await outside.control({ do: 'misbehave', how });
      const response = await finish(client, 'domains', query);
      expect([response.statusCode, response.json().code]).toEqual([401, 'unauthenticated']);
      expect(client.cookie).toBeNull();
      await outside.control({ do: 'misbehave', how: null });
      // The sign-in is used up: the honest answer comes too late for it.
      expect((await finish(client, 'domains', query)).statusCode).toBe(410);
      const row = await server.app.db
        .selectFrom('audit')
        .select(['action', 'result', 'target'])
        .where('action', '=', 'session.outside')
        .orderBy('seq', 'desc')
        .executeTakeFirst();
      expect(row).toMatchObject({ result: 'refused', target: 'domains' });
    });
  }

  it('I3: a code works once: replayed by the same browser, by another browser, and under a new state', async () => {
    const who = await person();
    const client = new TestClient(server);
    const query = await goOut(client, 'domains', who.sub);
    expect((await finish(client, 'domains', query)).statusCode).toBe(201);
    expect((await finish(client, 'domains', query)).statusCode).toBe(410);
    const thief = new TestClient(server);
    thief.outsideSecret = client.outsideSecret;
    expect((await finish(thief, 'domains', query)).statusCode).toBe(410);
    // A used code under a fresh state of the thief's own: the provider refuses it.
    const theirs = new URLSearchParams(await goOut(thief, 'domains', (await person()).sub));
    theirs.set('code', new URLSearchParams(query).get('code') ?? '');
    const response = await finish(thief, 'domains', theirs.toString());
    expect([response.statusCode, thief.cookie]).toEqual([401, null]);
  });

  it('I3: an injected code of somebody else fails at PKCE', async () => {
    const victim = new TestClient(server);
    const stolen = new URLSearchParams(await goOut(victim, 'domains', (await person()).sub)).get('code') ?? '';
    const thief = new TestClient(server);
    const theirs = new URLSearchParams(await goOut(thief, 'domains', (await person()).sub));
    theirs.set('code', stolen);
    const response = await finish(thief, 'domains', theirs.toString());
    expect([response.statusCode, thief.cookie]).toEqual([401, null]);
  });

  it('I3: state from another browser is refused, and then used up for nobody', async () => {
    const who = await person();
    const attacker = new TestClient(server);
    const query = await goOut(attacker, 'domains', who.sub);
    const victim = new TestClient(server);
    for (const secret of [null, 'x', 'a'.repeat(43)]) {
      victim.outsideSecret = secret;
      const response = await finish(victim, 'domains', query);
      expect([response.statusCode, response.json().code, victim.cookie]).toEqual([410, 'gone', null]);
    }
    // The rightful browser is not harmed by it.
    expect((await finish(attacker, 'domains', query)).statusCode).toBe(201);
  });

  it('I3: too late is too late', async () => {
    const client = new TestClient(server);
    const query = await goOut(client, 'domains', (await person()).sub);
    clock.advance({ minutes: 11 });
    expect((await finish(client, 'domains', query)).statusCode).toBe(410);
  });

  it('I3: mix-up: what one provider answered is not taken for another, nor with another issuer named', async () => {
    await provider('second', { provisioning: 'domains', domains: ['example.test'] });
    const client = new TestClient(server);
    const query = await goOut(client, 'domains', (await person()).sub);
    expect((await finish(client, 'second', query)).statusCode).toBe(410);
    expect((await finish(client, 'domains', query)).statusCode).toBe(201);
    const mixed = new TestClient(server);
    const answer = new URLSearchParams(await goOut(mixed, 'domains', (await person()).sub));
    expect(answer.get('iss')).toBe(outside.issuer);
    answer.set('iss', 'https://attacker.example.test');
    const response = await finish(mixed, 'domains', answer.toString());
    expect([response.statusCode, mixed.cookie]).toEqual([401, null]);
    const bare = new URLSearchParams(await goOut(mixed, 'domains', (await person()).sub));
    bare.delete('iss');
    expect((await finish(mixed, 'domains', bare.toString())).statusCode).toBe(401);
  });

  it('I3: whoever says no there is not signed in here', async () => {
    const client = new TestClient(server);
    const query = await goOut(client, 'domains', 'nobody we know');
    expect(new URLSearchParams(query).get('error')).toBe('access_denied');
    expect((await finish(client, 'domains', query)).statusCode).toBe(401);
  });

  it('I3: odd queries are refused without a trace of an error', async () => {
    const client = new TestClient(server);
    const query = await goOut(client, 'domains', (await person()).sub);
    const state = new URLSearchParams(query).get('state') ?? '';
    for (const odd of [
      'code=a',
      'state=',
      `state=${state}&state=${state}`,
      `state=${state}`,
      '&&&',
      'code=a&state=%00',
    ]) {
      const response = await finish(client, 'domains', odd);
      expect([400, 401, 410], odd).toContain(response.statusCode);
    }
    expect(client.cookie).toBeNull();
  });

  it('I3: no open redirect: only paths of the console come back', async () => {
    const who = await person();
    for (const evil of [
      'https://evil.example.test/',
      '//evil.example.test/',
      '/\\evil.example.test/',
      '/\t/evil.example.test',
      'javascript:alert(1)',
      'evil',
      '/%0d%0aSet-Cookie:x=1\r\n',
    ]) {
      const client = new TestClient(server);
      const started = await client.try(api.signInOutside, { body: { provider: 'domains', return: evil } });
      if (started.statusCode === 400) continue;
      await outside.control({ do: 'signed-in', sub: who.sub });
      const query = (await new OutsideBrowser().follow(started.json().url, CONSOLE)).search.slice(1);
      const answer = await client.call(api.signInOutsideFinish, { body: { provider: 'domains', query } });
      expect(answer.return, evil).toBeNull();
    }
  });

  it('I3: a provider that is down, or that leads into the private network unasked, is said to be out of reach', async () => {
    const owner = await administrator();
    const there = { kind: 'oidc', clientId: 'berth', clientSecret: 'x' } as const;
    await owner.call(api.identityProvidersCreate, { body: { ...there, name: 'down', issuer: 'http://127.0.0.1:9' } });
    await allow(outside.issuer, 'http://127.0.0.1:9');
    const down = await new TestClient(server).try(api.signInOutside, { body: { provider: 'down' } });
    expect([down.statusCode, down.json().code]).toEqual([502, 'upstream_failed']);
    await allow(outside.issuer);
    for (const issuer of [
      'http://127.0.0.1:9',
      'https://169.254.169.254',
      'https://localhost',
      'http://10.0.0.1:8080',
    ]) {
      const name = `private-${++counter}`;
      const { id } = await owner.call(api.identityProvidersCreate, { body: { ...there, name, issuer } });
      const refusal = await new TestClient(server).try(api.signInOutside, { body: { provider: name } });
      expect([refusal.statusCode, refusal.json().code], issuer).toEqual([502, 'upstream_failed']);
      expect(refusal.json().detail).not.toContain('private');
      const test = await owner.try(api.identityProvidersTest, { params: { provider: id } });
      expect([test.statusCode, test.json().detail]).toEqual([502, expect.stringMatching(/called|connection|answer/)]);
    }
  });
});

describe('I3: linking', () => {
  it('I3: linked from the account, after a confirmation; then it signs in; unlinked it does not', async () => {
    await provider('nobody', { provisioning: 'nobody' });
    const who = await person({ emailVerified: false });
    const email = `linker-${++counter}@example.test`;
    const member = await home.owner.addMember(home.organization, 'viewer', email);
    const { url } = await member.call(api.identitiesLink, { body: { provider: 'nobody' } });
    await outside.control({ do: 'signed-in', sub: who.sub });
    const query = (await new OutsideBrowser().follow(url, CONSOLE)).search.slice(1);
    // Another session, even of the same person with the same browser secret, cannot finish it.
    const elsewhere = await member.again(email);
    elsewhere.outsideSecret = member.outsideSecret;
    const tried = await person({ emailVerified: false });
    const { url: other } = await member.call(api.identitiesLink, { body: { provider: 'nobody' } });
    await outside.control({ do: 'signed-in', sub: tried.sub });
    const hijacked = (await new OutsideBrowser().follow(other, CONSOLE)).search.slice(1);
    expect((await finish(elsewhere, 'nobody', hijacked)).statusCode).toBe(410);
    const answer = await member.call(api.signInOutsideFinish, { body: { provider: 'nobody', query } });
    expect(answer.step).toEqual({ next: 'linked' });
    const outsideSession = await signIn('nobody', who.sub);
    expect((await outsideSession.call(api.whoami)).user.id).toBe(member.userId);
    const { items } = await member.call(api.identitiesList);
    expect(items).toMatchObject([{ subject: who.sub, can: { unlink: true } }]);
    await member.call(api.identitiesUnlink, { params: { identity: items[0]?.id ?? '' } });
    expect((await outsideSession.try(api.whoami)).statusCode).toBe(401);
    expect((await member.try(api.whoami)).statusCode).toBe(200);
    const client = new TestClient(server);
    expect((await finish(client, 'nobody', await goOut(client, 'nobody', who.sub))).statusCode).toBe(409);
  });

  it('I3: an identity belongs to one account, and an account has one identity of a provider', async () => {
    await provider('nobody', { provisioning: 'nobody' });
    const who = await person();
    const first = await home.owner.addMember(home.organization, 'viewer');
    const second = await home.owner.addMember(home.organization, 'viewer');
    expect((await linkAs(first, 'nobody', who.sub)).statusCode).toBe(201);
    expect((await linkAs(second, 'nobody', who.sub)).statusCode).toBe(409);
    expect((await linkAs(first, 'nobody', (await person()).sub)).statusCode).toBe(409);
  });

  it('I3: the last way in stays; a password makes it one of two', async () => {
    await provider('domains', { provisioning: 'domains', domains: ['example.test'] });
    const client = await signIn('domains', (await person()).sub);
    const { items } = await client.call(api.identitiesList);
    const params = { identity: items[0]?.id ?? '' };
    expect(items[0]?.can.unlink).toContain('only way');
    expect((await client.try(api.identitiesUnlink, { params })).json().code).toBe('conflict');
    expect((await client.call(api.securityGet)).hasPassword).toBe(false);
    await client.call(api.accountPassword, { body: { current: '', password: 'plain words of my own' } });
    await client.call(api.identitiesUnlink, { params });
  });

  it("I3: linking and unlinking ask for a fresh confirmation; nobody unlinks another's identity", async () => {
    await provider('nobody', { provisioning: 'nobody' });
    const member = await home.owner.addMember(home.organization, 'viewer');
    await linkAs(member, 'nobody', (await person()).sub);
    const { items } = await member.call(api.identitiesList);
    const params = { identity: items[0]?.id ?? '' };
    const other = await home.owner.addMember(home.organization, 'viewer');
    expect((await other.try(api.identitiesUnlink, { params })).statusCode).toBe(404);
    clock.advance({ minutes: 11 });
    expect((await member.try(api.identitiesUnlink, { params })).json().code).toBe('step_up_required');
    const link = await member.try(api.identitiesLink, { body: { provider: 'nobody' } });
    expect(link.json().code).toBe('step_up_required');
  });
});

describe('I3: roles by group claims', () => {
  it('I3: given at sign-in, changed and taken away with the groups; what was given by hand stays below', async () => {
    const { organization } = home;
    const stranger = await (await administrator()).addStranger();
    await provider('roles', {
      provisioning: 'domains',
      domains: ['example.test'],
      roleMappings: [
        { value: 'staff', organization, role: 'member' },
        { value: 'admins', organization, role: 'admin' },
        { value: '*', organization: stranger.organization, role: 'guest' },
      ],
    });
    const who = await person({ groups: ['staff', 'admins', 'others'] });
    const rolesNow = async () => {
      const { memberships } = await (await signIn('roles', who.sub)).call(api.whoami);
      return Object.fromEntries(memberships.map((membership) => [membership.organization.id, membership.role]));
    };
    const groups = (...names: string[]) => outside.control({ do: 'account', account: { ...who, groups: names } });
    expect(await rolesNow()).toEqual({ [organization]: 'admin', [stranger.organization]: 'guest' });
    await groups('staff');
    expect(await rolesNow()).toEqual({ [organization]: 'member', [stranger.organization]: 'guest' });
    await groups();
    expect(await rolesNow()).toEqual({ [stranger.organization]: 'guest' });
    // By hand: the floor that claims only raise.
    const { userId } = await signedInAs('roles', who.sub);
    await server.app.db
      .insertInto('membership')
      .values({ organization_id: organization, user_id: userId, role: 'operator' })
      .execute();
    await groups('staff');
    expect(await rolesNow()).toMatchObject({ [organization]: 'operator' });
    await groups('admins');
    expect(await rolesNow()).toMatchObject({ [organization]: 'admin' });
    await groups();
    expect(await rolesNow()).toMatchObject({ [organization]: 'operator' });
    const { items } = await home.owner.call(api.auditList, {
      params: { organization },
      query: { action: 'members.claims', limit: 50 },
    });
    expect(items.map((row) => (row.after as { role: string | null }).role)).toEqual([
      'operator',
      'admin',
      null,
      'member',
      'admin',
    ]);
  });

  it('I3: the last owner keeps the role, whatever the provider says, until there is another one', async () => {
    const tenant = await (await administrator()).addStranger();
    await provider('elsewhere', {
      provisioning: 'domains',
      domains: ['example.test'],
      roleMappings: [{ value: 'owners', organization: tenant.organization, role: 'owner' }],
    });
    const who = await person({ groups: ['owners'] });
    const { userId } = await signedInAs('elsewhere', who.sub);
    await server.app.db
      .deleteFrom('membership')
      .where('organization_id', '=', tenant.organization)
      .where('user_id', '!=', userId)
      .execute();
    await outside.control({ do: 'account', account: { ...who, groups: [] } });
    const role = async () => (await (await signIn('elsewhere', who.sub)).call(api.whoami)).memberships[0]?.role;
    expect(await role()).toBe('owner');
    await server.app.db
      .insertInto('membership')
      .values({ organization_id: tenant.organization, user_id: home.owner.userId ?? (userId as never), role: 'owner' })
      .execute();
    expect(await role()).toBeUndefined();
  });
});
