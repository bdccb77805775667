/** Service accounts: what they may, who may make and speak for them, how their tokens end, and what they never get. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import type { OrganizationId, UserId } from '#domain/ids.ts';
import { SERVICE_TOKEN_DAYS_MAX, SERVICE_TOKENS_MAX, type ServiceRole } from '#domain/service-accounts.ts';
import { startTestEdge, type TestEdge, within } from '#testkit/edge.ts';
import { makeInstance, newId, newName, type Place } from '#testkit/factories.ts';
import { beginDevice } from '#testkit/oauth.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { routeRows } from '#testkit/route-rows.ts';
import {
  idleWork,
  PASSWORD,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
} from '#testkit/server.ts';
import { digest } from './tokens.ts';

const clock = new TestClock();
let database: Awaited<ReturnType<typeof withDatabase>>;
let server: TestServer;
let second: TestServer;
let installation: SetUp;
let tenant: SetUp;
let place: Place;

beforeAll(async () => {
  database = await withDatabase();
  const options = { database, startWork: idleWork, clock, masterKey: randomBytes(32).toString('base64') };
  server = await startTestServer(options);
  second = await startTestServer(options);
  installation = await server.setUp();
  tenant = await installation.owner.addStranger('tenant');
  place = { organization: tenant.organization, project: tenant.project, person: tenant.owner.userId as UserId };
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});

const at = () => ({ organization: tenant.organization });
const person = (role: Parameters<TestClient['addMember']>[1]) => tenant.owner.addMember(tenant.organization, role);

async function makeAccount(role: ServiceRole = 'guest', by: TestClient = tenant.owner, in_ = at()) {
  const body = { name: newName('robot'), description: 'A test', role };
  return by.call(api.serviceAccountsCreate, { params: in_, body });
}

function holding(secret: string, on: TestServer = server): TestClient {
  const client = new TestClient(on);
  client.token = secret;
  return client;
}

async function withToken(role: ServiceRole = 'guest', scopes: string[] | null = null) {
  const account = await makeAccount(role);
  const params = { ...at(), account: account.id };
  const token = await tenant.owner.call(api.serviceTokensCreate, { params, body: { name: 'ci', scopes } });
  const client = holding(token.secret);
  client.userId = account.id;
  return { account, params, token, client };
}

const answer = async (response: ReturnType<TestClient['try']>) => {
  const { statusCode, json } = await response;
  return statusCode < 300 ? statusCode : [statusCode, json().code];
};
const sees = async (client: TestClient) =>
  (await client.try(api.projectsGet, { params: { project: tenant.project } })).statusCode;
const listed = async (id: UserId) =>
  (await tenant.owner.call(api.serviceAccountsList, { params: at() })).items.find((one) => one.id === id);

describe('I2: what a service account may do', () => {
  it('its role in the organization, its groups, its roles in projects and its grants; felt at once', async () => {
    const { account, client, params } = await withToken('guest');
    expect(await sees(client)).toBe(404);
    await tenant.owner.call(api.serviceAccountsUpdate, { params, body: { role: 'viewer' } });
    expect(await sees(client)).toBe(200);
    await tenant.owner.call(api.serviceAccountsUpdate, { params, body: { role: 'guest' } });
    expect(await sees(client)).toBe(404);

    const name = newName('group');
    const group = await tenant.owner.call(api.groupsCreate, {
      params: at(),
      body: { name, title: name, role: 'viewer' },
    });
    const inGroup = { ...at(), group: group.id, user: account.id };
    await tenant.owner.call(api.groupMembersAdd, { params: inGroup });
    expect(await sees(client)).toBe(200);
    expect(await listed(account.id)).toMatchObject({ groups: [{ id: group.id }], projects: [] });
    await tenant.owner.call(api.groupMembersRemove, { params: inGroup });
    expect(await sees(client)).toBe(404);

    const inProject = { project: tenant.project, subject: account.id };
    await tenant.owner.call(api.projectRolesSet, { params: inProject, body: { role: 'member' } });
    expect(await sees(client)).toBe(200);
    expect(await listed(account.id)).toMatchObject({ projects: [{ id: tenant.project, role: 'member' }] });
    await tenant.owner.call(api.projectRolesRemove, { params: inProject });
    expect(await sees(client)).toBe(404);

    const app = await makeInstance(server.app.db, place);
    const read = async () => (await client.try(api.instancesGet, { params: { instance: app } })).statusCode;
    expect(await read()).toBe(404);
    const changes = [{ app, subject: account.id, permissions: ['open' as const] }];
    await tenant.owner.call(api.grantsChange, { params: at(), body: { changes } });
    expect(await read()).toBe(200);
  });

  it('a token does what the account may and its scopes name, and nothing beyond either', async () => {
    const { client, params } = await withToken('member', ['*.read', 'instance.create']);
    expect(await sees(client)).toBe(200);
    expect(
      await answer(client.try(api.projectsCreate, { params: at(), body: { name: 'more', title: 'More' } })),
    ).toEqual([403, 'forbidden']);
    // In the scopes, and not in the role any more.
    await tenant.owner.call(api.serviceAccountsUpdate, { params, body: { role: 'viewer' } });
    const row = await routeRows.instancesCreate({ db: server.app.db, driver: server.driver, place, caller: null });
    expect(await answer(client.try(api.instancesCreate as RouteDefinition, row as object))).toEqual([404, 'not_found']);
  });

  it('what it makes and does carries its name, in lists and in the audit log', async () => {
    const { account, client, token } = await withToken('admin');
    const name = newName('project');
    await client.call(api.projectsCreate, { params: at(), body: { name, title: name } });
    const query = { limit: 20, actor: account.id };
    const { items } = await tenant.owner.call(api.auditList, { params: at(), query });
    expect(items.find((row) => row.action === 'projects.create')).toMatchObject({
      actorKind: 'token',
      actorId: account.id,
      actor: `${account.handle} (token ${token.name})`,
      address: client.address,
    });
  });

  it('it stays when the person who made it leaves and deletes their account', async () => {
    const email = `maker-${randomBytes(4).toString('hex')}@example.test`;
    const maker = await tenant.owner.addMember(tenant.organization, 'admin', email);
    const account = await makeAccount('viewer', maker);
    const params = { ...at(), account: account.id };
    const { secret } = await maker.call(api.serviceTokensCreate, { params, body: { name: 'ci' } });
    await maker.call(api.accountDelete, { body: { email } });
    expect(await sees(holding(secret))).toBe(200);
    expect(await listed(account.id)).toMatchObject({ createdBy: 'Deleted account', tokens: 1 });
  });
});

describe('I2: who may make and speak for a service account', () => {
  it('only who could hand out everything it holds, wherever it holds it', async () => {
    const admin = await person('admin');
    const refused = [409, 'state_conflict'];
    const body = (role: ServiceRole) => ({ name: newName('robot'), role });
    expect(await answer(admin.try(api.serviceAccountsCreate, { params: at(), body: body('admin') }))).toEqual(refused);
    expect(await answer(admin.try(api.serviceAccountsCreate, { params: at(), body: body('operator') }))).toBe(201);
    for (const role of ['operator', 'member', 'viewer'] as const) {
      const lesser = await person(role);
      expect(await answer(lesser.try(api.serviceAccountsCreate, { params: at(), body: body('guest') }))).toEqual([
        404,
        'not_found',
      ]);
    }
    const account = await makeAccount('guest');
    const params = { ...at(), account: account.id };
    const mint = () => answer(admin.try(api.serviceTokensCreate, { params, body: { name: 'x' } }));
    expect(await mint()).toBe(201);
    // By a group, by a project: whoever has its token has that too.
    const name = newName('group');
    const group = await tenant.owner.call(api.groupsCreate, {
      params: at(),
      body: { name, title: name, role: 'admin' },
    });
    await tenant.owner.call(api.groupMembersAdd, { params: { ...at(), group: group.id, user: account.id } });
    expect(await mint()).toEqual(refused);
    expect(await answer(admin.try(api.serviceAccountsUpdate, { params, body: { disabled: true } }))).toEqual(refused);
    expect(await answer(admin.try(api.serviceAccountsDelete, { params }))).toEqual(refused);
    await tenant.owner.call(api.groupsDelete, { params: { ...at(), group: group.id } });
    expect(await mint()).toBe(201);
    const subject = { project: tenant.project, subject: account.id };
    await tenant.owner.call(api.projectRolesSet, { params: subject, body: { role: 'admin' } });
    expect(await mint()).toEqual(refused);
  });

  it('it is never an owner: not by its own role, a group or a project, and not even by a row', async () => {
    const { account, client, params } = await withToken('admin');
    const update = tenant.owner.try(
      api.serviceAccountsUpdate as RouteDefinition,
      { params, body: { role: 'owner' } } as object,
    );
    expect((await update).statusCode).toBe(400);
    const name = newName('group');
    const body = { name, title: name, role: 'viewer' as const };
    const group = await tenant.owner.call(api.groupsCreate, { params: at(), body });
    const inGroup = { ...at(), group: group.id };
    await tenant.owner.call(api.groupMembersAdd, { params: { ...inGroup, user: account.id } });
    // What the group gives later counts as admin.
    await tenant.owner.call(api.groupsUpdate, { params: inGroup, body: { role: 'owner' } });
    expect((await client.call(api.whoami)).memberships).toMatchObject([{ role: 'admin' }]);
    expect(await answer(client.try(api.auditRetention, { params: at(), body: { days: 365 } }))).toEqual([
      404,
      'not_found',
    ]);
    const owner = { ...at(), user: tenant.owner.userId ?? '' };
    const tooMuch = [409, 'state_conflict'];
    const second = await person('owner');
    expect(await answer(client.try(api.membersUpdate, { params: owner, body: { role: 'viewer' } }))).toEqual(tooMuch);
    expect(await answer(client.try(api.membersRemove, { params: owner }))).toEqual(tooMuch);
    const viewer = { ...at(), user: (await person('viewer')).userId ?? '' };
    expect(await answer(client.try(api.membersUpdate, { params: viewer, body: { role: 'owner' } }))).toEqual(tooMuch);
    await tenant.owner.call(api.membersRemove, { params: { ...at(), user: second.userId ?? '' } });
    const other = await makeAccount();
    expect(await answer(tenant.owner.try(api.groupMembersAdd, { params: { ...inGroup, user: other.id } }))).toEqual([
      409,
      'conflict',
    ]);
    const subject = { project: tenant.project, subject: other.id };
    expect(await answer(tenant.owner.try(api.projectRolesSet, { params: subject, body: { role: 'owner' } }))).toEqual([
      409,
      'conflict',
    ]);
    const { db } = server.app;
    const own = db.updateTable('membership').set({ role: 'owner' }).where('user_id', '=', other.id).execute();
    await expect(own).rejects.toThrow('no owner');
    const elsewhere = { organization_id: installation.organization, user_id: other.id, role: 'viewer' as const };
    await expect(db.insertInto('membership').values(elsewhere).execute()).rejects.toThrow('one organization');
  });

  it('a token of a person makes none that may do more; making one asks who it is; a service account makes none', async () => {
    const account = await makeAccount('viewer');
    const params = { ...at(), account: account.id };
    const narrow = { name: 'narrow', scopes: ['service-account.*', 'instance.read'] };
    const parent = holding((await tenant.owner.call(api.tokensCreate, { body: narrow })).secret);
    const mint = (client: TestClient, scopes: string[] | null) =>
      answer(client.try(api.serviceTokensCreate, { params, body: { name: 'x', scopes } }));
    expect(await mint(parent, null)).toEqual([400, 'invalid_input']);
    expect(await mint(parent, ['*.read'])).toEqual([400, 'invalid_input']);
    expect(await mint(parent, ['instance.read'])).toBe(201);
    clock.advance({ minutes: 11 });
    expect(await mint(tenant.owner, null)).toEqual([403, 'step_up_required']);
    await tenant.owner.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
    expect(await mint(tenant.owner, null)).toBe(201);
    const robot = await withToken('admin');
    expect(await mint(robot.client, null)).toEqual([403, 'forbidden']);
    // Nor does it change itself.
    const raise = { params: robot.params, body: { description: 'mine' } };
    expect(await answer(robot.client.try(api.serviceAccountsUpdate, raise))).toEqual([409, 'state_conflict']);
  });

  it('all its tokens end: at most the named time, several at once, up to a bound; the secret is kept nowhere', async () => {
    const account = await makeAccount('viewer');
    const params = { ...at(), account: account.id };
    const make = (expiresInDays: number) =>
      tenant.owner.try(api.serviceTokensCreate, { params, body: { name: 'x', expiresInDays } });
    expect((await make(SERVICE_TOKEN_DAYS_MAX + 1)).statusCode).toBe(400);
    const forever = { params, body: { name: 'x', expiresInDays: null } } as object;
    expect((await tenant.owner.try(api.serviceTokensCreate as RouteDefinition, forever)).statusCode).toBe(400);
    const made: { id: string; secret: string }[] = [];
    for (let i = 0; i < SERVICE_TOKENS_MAX; i++) made.push((await make(i + 1)).json());
    const [first, next] = made as [(typeof made)[0], (typeof made)[0]];
    expect(await answer(make(1))).toEqual([409, 'conflict']);
    expect(await sees(holding(first.secret))).toBe(200);
    expect(await sees(holding(next.secret))).toBe(200);
    const { rows } = await sql<{ row: string }>`select t::text as row from api_token t`.execute(server.app.db);
    const { items } = await tenant.owner.call(api.serviceTokensList, { params });
    expect(JSON.stringify([rows, items])).not.toContain(first.secret);
    expect(items.find((token) => token.id === first.id)).toMatchObject({ lastUsedAddress: '192.0.2.7' });
    clock.advance({ hours: 25 });
    expect(await answer(holding(first.secret).try(api.whoami))).toEqual([401, 'unauthenticated']);
    const owner = await tenant.owner.again(await emailOf(tenant.owner));
    const again = await owner.try(api.serviceTokensCreate, { params, body: { name: 'x' } });
    expect(again.statusCode).toBe(201);
    tenant.owner.cookie = owner.cookie;
    installation.owner.cookie = (await installation.owner.again('owner@example.test')).cookie;
  });
});

async function emailOf(client: TestClient): Promise<string> {
  const id = client.userId as UserId;
  const row = await server.app.db.selectFrom('app_user').select('email').where('id', '=', id).executeTakeFirstOrThrow();
  return row.email;
}

describe('I2: what a service account never gets', () => {
  it('no account page: every endpoint about the own account refuses it, whatever its scopes', async () => {
    const { client } = await withToken('admin');
    const wrong: string[] = [];
    for (const name of Object.keys(api) as (keyof typeof api)[]) {
      const route: RouteDefinition = api[name];
      if (route.access !== 'self' || name === 'events' || name === 'signOut') continue;
      const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: null });
      const { statusCode } = await client.try(route, row as object);
      if (route.anyScopes === true ? statusCode !== 200 : statusCode !== 403) wrong.push(`${name}: ${statusCode}`);
    }
    expect(wrong).toEqual([]);
  });

  it('no way to sign in: the device flow, forgotten passwords, invitations and registration do not know it', async () => {
    const { account, client } = await withToken('admin');
    const login = await beginDevice(new TestClient(server));
    const decide = { params: { code: login.user_code }, body: { allow: true } };
    expect(await answer(client.try(api.deviceLoginDecide, decide))).toEqual([403, 'forbidden']);

    const mails = async () => server.app.db.selectFrom('mail').select('id').execute();
    const before = await mails();
    // No schema takes what stands where people have an address.
    const unreadable = async (response: ReturnType<TestClient['try']>) => (await response).statusCode === 400;
    for (const email of [account.handle, account.name, `${account.handle}@example.test`]) {
      expect(await unreadable(server.anonymous.try(api.passwordForgotten, { body: { email } }))).toBe(true);
      expect(await unreadable(server.anonymous.try(api.signIn, { body: { email, password: '' } }))).toBe(true);
      expect(await unreadable(server.anonymous.try(api.registrationCreate, { body: { email } }))).toBe(true);
      const body = { email, role: 'viewer' as const };
      expect(await unreadable(tenant.owner.try(api.invitationsCreate, { params: at(), body }))).toBe(true);
    }
    expect(await mails()).toEqual(before);

    const { db } = server.app;
    const soon = new Date(Date.now() + 60_000);
    const session = {
      id: newId('ses'),
      user_id: account.id,
      token_hash: digest('x'),
      expires_at: soon,
      address: '::1',
      user_agent: 'x',
    };
    const reset = { token_hash: digest('x'), user_id: account.id, created_at: soon, expires_at: soon };
    await expect(db.insertInto('session').values(session).execute()).rejects.toThrow('has no session');
    await expect(db.insertInto('password_reset').values(reset).execute()).rejects.toThrow('has no password_reset');
    const password = db.updateTable('app_user').set({ password_hash: 'x' }).where('id', '=', account.id).execute();
    await expect(password).rejects.toThrow('app_user_service_bare');
    const admin = db.updateTable('app_user').set({ platform_admin: true }).where('id', '=', account.id).execute();
    await expect(admin).rejects.toThrow('app_user_service_bare');
  });

  it('it is no person: not in lists of members or accounts, no successor, not counted, not asked for a second factor', async () => {
    const { account, client } = await withToken('admin');
    const members = await tenant.owner.call(api.membersList, { params: at(), query: { limit: 200 } });
    expect(members.items.map((member) => member.user.id)).not.toContain(account.id);
    for (const [route, body] of [
      [api.membersUpdate, { role: 'viewer' }],
      [api.membersRemove, undefined],
      [api.memberFactorsReset, undefined],
    ] as const) {
      const call = { params: { ...at(), user: account.id }, ...(body === undefined ? {} : { body }) };
      expect(await answer(tenant.owner.try(route as RouteDefinition, call as object)), route.id).toEqual([
        404,
        'not_found',
      ]);
    }
    const root = installation.owner;
    const users = await root.call(api.usersList, { query: { search: account.name } });
    expect(users.items).toEqual([]);
    const disable = { params: { user: account.id }, body: { disabled: true } };
    expect(await answer(root.try(api.usersUpdate, disable))).toEqual([404, 'not_found']);
    await root.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
    for (const route of [api.usersSignOut, api.usersDeletion, api.factorsReset] as RouteDefinition[]) {
      expect(await answer(root.try(route, { params: { user: account.id } })), route.id).toEqual([404, 'not_found']);
    }
    const deletion = await tenant.owner.call(api.deletionGet);
    const successors = deletion.organizations.flatMap((each) => each.successors.map((one) => one.id));
    expect(successors).not.toContain(account.id);
    const organizations = await root.call(api.organizationsList, { query: { search: 'tenant' } });
    expect(organizations.items.find((each) => each.id === tenant.organization)?.members).toBe(members.items.length);

    const rule = (required: boolean) =>
      server.app.db
        .updateTable('organization')
        .set({ second_factor_required: required })
        .where('id', '=', tenant.organization)
        .execute();
    await rule(true);
    expect(await answer(tenant.owner.try(api.projectsList, { params: at() }))).toEqual([403, 'second_factor_required']);
    expect(await sees(client)).toBe(200);
    expect((await client.call(api.whoami)).memberships).toMatchObject([{ needsSecondFactor: false }]);
    const { rows } = await sql`select 1 from edge_access where subject = ${account.id}`.execute(server.app.db);
    expect(rows).toHaveLength(1);
    await rule(false);
  });

  it('a stranger and another organization learn nothing of it', async () => {
    const { account, params } = await withToken('viewer');
    const other = await installation.owner.addStranger();
    const foreign = { organization: other.organization, account: account.id };
    for (const ref of [params, foreign]) {
      expect(await answer(other.owner.try(api.serviceTokensList, { params: ref }))).toEqual([404, 'not_found']);
    }
    const body = { name: account.name };
    // Names are of one organization.
    expect(await answer(other.owner.try(api.serviceAccountsCreate, { params: at2(other.organization), body }))).toBe(
      201,
    );
    expect(await answer(tenant.owner.try(api.serviceAccountsCreate, { params: at(), body }))).toEqual([
      409,
      'name_taken',
    ]);
    // Nor does a person's id pass for one.
    const user = { ...at(), account: (await person('viewer')).userId ?? '' };
    expect(await answer(tenant.owner.try(api.serviceAccountsDelete, { params: user }))).toEqual([404, 'not_found']);
  });
});
const at2 = (organization: OrganizationId) => ({ organization });

describe('I2: the end of a service account', () => {
  let edge: TestEdge;
  beforeAll(async () => {
    edge = await startTestEdge({ edgeUrl: database.edgeUrl, clock });
  });
  afterAll(() => edge?.stop());

  /** 401: edge does not know the token (any more). */
  const atEdge = (secret: string) => edge.statusFor({ authorization: `Bearer ${secret}` });
  for (const [what, finish] of Object.entries({
    'a revoked token': async (params: Record<string, string>, token: string) =>
      tenant.owner.call(api.serviceTokensRevoke, { params: { ...params, token } }),
    'a disabled account': async (params: Record<string, string>) =>
      tenant.owner.call(api.serviceAccountsUpdate, { params, body: { disabled: true } }),
    'a deleted account': async (params: Record<string, string>) =>
      tenant.owner.call(api.serviceAccountsDelete, { params }),
  })) {
    it(`${what} is out at both replicas at once and at edge within a second`, async () => {
      const { params, token } = await withToken('viewer');
      await within(1_000, 'known at edge', async () => (await atEdge(token.secret)) === 404);
      await finish(params, token.id);
      for (const on of [server, second]) {
        expect(await answer(holding(token.secret, on).try(api.whoami))).toEqual([401, 'unauthenticated']);
      }
      await within(1_000, 'out at edge', async () => (await atEdge(token.secret)) === 401);
    });
  }

  it('enabled again its tokens work; deleted its name is free, its tokens stay dead, what it made stays', async () => {
    const { account, params, token, client } = await withToken('viewer');
    await tenant.owner.call(api.serviceAccountsUpdate, { params, body: { disabled: true } });
    const mint = tenant.owner.try(api.serviceTokensCreate, { params, body: { name: 'x' } });
    expect(await answer(mint)).toEqual([409, 'state_conflict']);
    await tenant.owner.call(api.serviceAccountsUpdate, { params, body: { disabled: false } });
    expect(await sees(client)).toBe(200);
    const app = await makeInstance(server.app.db, { ...place, person: account.id });
    await tenant.owner.call(api.serviceAccountsDelete, { params });
    const body = { name: account.name };
    const next = await tenant.owner.call(api.serviceAccountsCreate, { params: at(), body });
    expect(next.id).not.toBe(account.id);
    expect(await answer(holding(token.secret).try(api.whoami))).toEqual([401, 'unauthenticated']);
    const shown = await tenant.owner.call(api.instancesGet, { params: { instance: app } });
    expect(JSON.stringify(shown.createdBy)).toContain(account.name);
    expect(await answer(tenant.owner.try(api.serviceAccountsDelete, { params }))).toEqual([404, 'not_found']);
  });

  it('with its organization', async () => {
    const other = await installation.owner.addStranger();
    const params = { organization: other.organization };
    const account = await makeAccount('viewer', other.owner, params);
    const { secret } = await other.owner.call(api.serviceTokensCreate, {
      params: { ...params, account: account.id },
      body: { name: 'ci' },
    });
    await within(1_000, 'known at edge', async () => (await atEdge(secret)) === 404);
    await other.owner.call(api.projectsDelete, { params: { project: other.project } });
    await other.owner.call(api.organizationsDelete, { params });
    expect(await answer(holding(secret).try(api.whoami))).toEqual([401, 'unauthenticated']);
    await within(1_000, 'out at edge', async () => (await atEdge(secret)) === 401);
    const { rows } = await sql`select 1 from service_account where user_id = ${account.id}`.execute(server.app.db);
    expect(rows).toEqual([]);
  });
});
