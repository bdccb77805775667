import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api, type RouteName } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import { makeInstance, newName, type Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { routeRows } from '#testkit/route-rows.ts';
import { idleWork, type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
let place: Place;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  home = await server.setUp();
  if (home.owner.userId === null) throw new Error('no owner');
  place = { organization: home.organization, project: home.project, person: home.owner.userId };
});
afterAll(() => server.stop());

async function auditOf(requestId: string) {
  return server.app.db.selectFrom('audit').selectAll().where('request_id', '=', requestId).execute();
}

/** Set-up is over; these need a device, and server/app/factors.itest.ts looks at their entries. A challenge changes nothing. */
const elsewhere = new Set<RouteName>([
  'setup',
  'totpConfirm',
  'passkeysCreate',
  'signInPasskey',
  'signInPasskeyOptions',
  'passkeyOptions',
  'confirmPasskeyOptions',
  // They need an identity provider, an app that signs in or a mail server: outside-sign-in.itest.ts and its neighbours.
  'signInOutside',
  'signInOutsideFinish',
  'identitiesLink',
  'identityProvidersUpdate',
  'identityProvidersTest',
  'identityProvidersLogout',
  'oidcQuestionAnswer',
  'mailSettingsUpdate',
  'mailTest',
  'mailMessagesRetry',
  'mailMessagesLink',
  // The person of the valid call is in no group: nothing changes, nothing is recorded.
  'groupMembersRemove',
  // They need a name server: server/dns-records.itest.ts, which looks at an organization's only.
  'dnsProvidersCreate',
  'platformDnsProvidersCreate',
  // It only looks.
  'stacksCheck',
  // Only with the address of the account itself: server/app/account.itest.ts.
  'accountDelete',
  // Nobody is known yet; what comes of them is audited: server/app/oauth.itest.ts.
  'oauthDevice',
  'oauthToken',
  'oauthRevoke',
]);
const changing = (Object.keys(api) as RouteName[]).filter((name) => api[name].method !== 'GET' && !elsewhere.has(name));
/** They end the caller's way in, or leave a second factor behind. */
const ofOneself = new Set<RouteName>([
  'signOut',
  'accountPassword',
  'signInFactor',
  'totpBegin',
  'totpRemove',
  'recoveryCodesCreate',
  'passkeysUpdate',
  'passkeysDelete',
]);

/** They are called by somebody who is not signed in, and some sign in. */
const ofNobody = new Set<RouteName>([
  'signIn',
  'invitationAccept',
  'passwordForgotten',
  'passwordReset',
  'registrationCreate',
  'registrationComplete',
]);
/** They are about accounts that belong to no organization. */
const ofNoOrganization = new Set<RouteName>([
  'passwordForgotten',
  'passwordReset',
  'registrationCreate',
  'registrationComplete',
]);
/** Their valid call is for an account that does not exist: the entry says that it was refused. */
const refusing = new Set<RouteName>(['passwordForgotten']);

describe('I6: audit', () => {
  it('every changing endpoint writes who, from where, what and the result', { timeout: 120_000 }, async () => {
    const problems: string[] = [];
    const demand = (name: string, what: string, fine: boolean) => {
      if (!fine) problems.push(`${name}: ${what}`);
    };
    for (const name of changing) {
      const client = ofOneself.has(name)
        ? await home.owner.addMember(home.organization, 'member')
        : ofNobody.has(name)
          ? new TestClient(server)
          : home.owner;
      const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: client.userId });
      const requestId = `audit-${name}`;
      const response = await client.try(api[name] as RouteDefinition, {
        ...(row as object),
        headers: { ...row.headers, 'x-request-id': requestId },
      });
      demand(name, `${response.statusCode} ${response.body}`, response.statusCode === api[name].status);
      const [entry] = await auditOf(requestId);
      if (entry === undefined) {
        problems.push(`${name}: no entry`);
        continue;
      }
      demand(name, `result ${entry.result}`, entry.result === 'ok' || refusing.has(name));
      demand(name, `actor ${entry.actor}`, entry.actor.includes('@example.test') || ofNoOrganization.has(name));
      demand(name, `address ${entry.address}`, entry.address === '192.0.2.7');
      demand(name, `user agent ${entry.user_agent}`, entry.user_agent === 'berth-test');
      demand(name, 'no target', entry.target !== '');
      const platform = api[name].access.startsWith('platform.') || ofNoOrganization.has(name);
      demand(name, 'no organization', platform || entry.organization_id !== null);
    }
    expect(problems).toEqual([]);
  });

  it('reading writes nothing, but for reading the audit log, the raw data, and what is in files, folders and stacks', async () => {
    const count = () =>
      server.app.db
        .selectFrom('audit')
        .select(sql<number>`count(*)`.as('n'))
        .where('action', 'not in', [
          ...['audit.read', 'audit.export', 'data.read'],
          ...['file.read', 'file.archive', 'stack.read'],
        ])
        .executeTakeFirst();
    const before = await count();
    for (const name of Object.keys(api) as RouteName[]) {
      if (api[name].method !== 'GET' || name === 'events') continue;
      const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: place.person });
      await home.owner.try(api[name] as RouteDefinition, row as object);
    }
    expect(await count()).toEqual(before);
  });

  it('a change that fails leaves no row that says ok', async () => {
    const requestId = 'audit-failed-change';
    const response = await home.owner.try(api.organizationsCreate, {
      body: { name: 'main', title: 'Taken' },
      headers: { 'x-request-id': requestId },
    });
    expect([response.statusCode, response.json().code]).toEqual([409, 'name_taken']);
    expect(await auditOf(requestId)).toEqual([]);
  });

  it('what a token does is said to be done by the token', async () => {
    const program = await home.owner.program();
    await program.call(api.organizationsUpdate, {
      params: { organization: home.organization },
      body: { title: 'By Program' },
      headers: { 'x-request-id': 'audit-by-token' },
    });
    const [entry] = await auditOf('audit-by-token');
    expect(entry).toMatchObject({ actor_kind: 'token', actor_id: home.owner.userId, after: { title: 'By Program' } });
    expect(entry?.actor).toContain('test program');
  });

  it('can be filtered and paged without losing a row; one tenant never sees another', async () => {
    const params = { organization: home.organization };
    const all = await home.owner.call(api.auditList, { params, query: { limit: 200 } });
    expect(all.items.length).toBeGreaterThan(20);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await home.owner.call(api.auditList, { params, query: { limit: 7, cursor } });
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && seen.length < all.items.length);
    expect(seen.slice(0, all.items.length)).toEqual(all.items.map((item) => item.id).slice(0, seen.length));
    const tokens = await home.owner.call(api.auditList, { params, query: { action: 'account.tokens' } });
    expect(tokens.items.length).toBeGreaterThan(0);
    expect(tokens.items.every((item) => item.action.startsWith('account.tokens'))).toBe(true);
    const literal = await home.owner.call(api.auditList, { params, query: { actor: '%' } });
    expect(literal.items).toEqual([]);
    const future = new Date(Date.now() + 3_600_000).toISOString();
    expect((await home.owner.call(api.auditList, { params, query: { since: future } })).items).toEqual([]);

    const stranger = await home.owner.addStranger();
    const theirs = await stranger.owner.call(api.auditList, {
      params: { organization: stranger.organization },
      query: { limit: 200 },
    });
    expect(theirs.items.some((item) => all.items.some((mine) => mine.id === item.id))).toBe(false);
    // Refused sign-ins on unknown accounts belong to no tenant: only the platform sees them.
    await server.anonymous.try(api.signIn, { body: { email: 'ghost@example.test', password: 'x' } });
    const platform = await home.owner.call(api.platformAuditList, { query: { target: 'ghost@' } });
    expect(platform.items).toHaveLength(1);
    const find = async (client: TestClient, organization: string) =>
      (await client.call(api.auditList, { params: { organization }, query: { target: 'ghost@' } })).items.length;
    expect(await find(home.owner, home.organization)).toBe(0);
    expect(await find(stranger.owner, stranger.organization)).toBe(0);
  });

  it("V12: the activity of an instance has its routes in it, also removed ones, and nobody else's", async () => {
    const { db } = server.app;
    const [instance, other] = [await makeInstance(db, place), await makeInstance(db, place)];
    const add = (id: string) =>
      home.owner.call(api.routesCreate, {
        params: { instance: id },
        body: { hostname: `${newName('site')}.berth.localhost`, port: 8080 },
      });
    const route = await add(instance);
    await add(other);
    await home.owner.call(api.routesUpdate, { params: { route: route.id }, body: { port: 9090 } });
    await home.owner.call(api.routesDelete, { params: { route: route.id } });
    await home.owner.call(api.instancesUpdate, { params: { instance }, body: { description: 'x' } });
    const { items } = await home.owner.call(api.activityList, {
      params: { project: home.project },
      query: { instance },
    });
    expect(items.map((item) => item.action)).toEqual([
      'instance.update',
      'route.delete',
      'route.update',
      'route.create',
    ]);
  });

  it('the activity of a project shows neither addresses nor bodies', async () => {
    const { items } = await home.owner.call(api.activityList, { params: { project: home.project } });
    expect(items.length).toBeGreaterThan(0);
    for (const item of items) {
      expect(Object.keys(item).sort()).toEqual(['action', 'actor', 'at', 'id', 'result', 'target', 'targetId']);
    }
  });
});
