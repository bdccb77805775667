/**
 * I4: every endpoint of the contract, called by every kind of caller. If you are here because a test failed after you
 * added an endpoint: register a handler, authorize in the app layer, add a row to testkit/route-rows.ts.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRoutes, api, type RouteName } from '#contract/api.ts';
import { type CallerKind, callers, mayCall } from '#contract/permissions.ts';
import type { RouteDefinition } from '#contract/route.ts';
import { workingRoles } from '#domain/authz.ts';
import type { UserId } from '#domain/ids.ts';
import type { Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { routeRows } from '#testkit/route-rows.ts';
import { idleWork, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let place: Place;
let tenantOwner: TestClient;
let platformAdmin: TestClient;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  const home = await server.setUp();
  platformAdmin = home.owner;
  const tenant = await home.owner.addStranger('tenant');
  tenantOwner = tenant.owner;
  if (tenantOwner.userId === null) throw new Error('no owner');
  place = { organization: tenant.organization, project: tenant.project, person: tenantOwner.userId };
});
afterAll(() => server.stop());

/** A person of this kind who nobody else is, so that what one call ends does not end another's. */
async function fresh(kind: CallerKind): Promise<TestClient> {
  if (kind === 'nobody') return new TestClient(server);
  if (kind === 'another tenant') return (await platformAdmin.addStranger()).owner;
  if (kind === 'platform administrator') {
    const { owner } = await platformAdmin.addStranger();
    await server.app.db
      .updateTable('app_user')
      .set({ platform_admin: true })
      .where('id', '=', owner.userId as UserId)
      .execute();
    return owner;
  }
  return tenantOwner.addMember(place.organization, kind);
}

const names = Object.keys(api) as RouteName[];
/** Endpoints that end or change the caller's own way in: they need a person of their own each time. */
const endsCaller = new Set<RouteName>([
  'signOut',
  'accountPassword',
  'signIn',
  'signInFactor',
  'setup',
  'invitationAccept',
  'registrationComplete',
]);

/** What tells a caller that they may not: nobody is signed in, or there is nothing there. */
const refusals = [401, 404];

async function callRow(name: RouteName, kind: CallerKind, client: TestClient): Promise<number> {
  const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: client.userId });
  if (name === 'events') return eventsStatus(client);
  const route: RouteDefinition = api[name];
  const response = await client.try(route, row as object);
  if (response.statusCode === 500) {
    throw new Error(`${name} as ${kind}: ${response.statusCode} ${response.body}`);
  }
  return response.statusCode;
}

/** A stream does not end by itself: opened for real, closed after its head. */
async function eventsStatus(client: TestClient): Promise<number> {
  const address = await listening();
  const ending = new AbortController();
  const headers: Record<string, string> = {};
  if (client.cookie !== null) headers.cookie = `__Host-berth=${client.cookie}`;
  if (client.token !== null) headers.authorization = `Bearer ${client.token}`;
  const response = await fetch(`${address}${api.events.path}`, { headers, signal: ending.signal });
  ending.abort();
  return response.status;
}

let address: Promise<string> | null = null;
function listening(): Promise<string> {
  address ??= server.http.fastify.listen({ host: '127.0.0.1', port: 0 });
  return address;
}

describe('I4: the authorization matrix', () => {
  it('every endpoint of the contract has a handler, and no handler lacks a contract', () => {
    expect([...server.http.registered].sort()).toEqual(allRoutes.map((route) => route.id).sort());
  });

  it('every endpoint has a row', () => {
    expect(Object.keys(routeRows).sort()).toEqual([...names].sort());
  });

  for (const kind of callers) {
    it(`${kind}: every endpoint lets in or refuses as docs/reference/permissions.md says`, {
      timeout: 120_000,
    }, async () => {
      const shared = await fresh(kind);
      const wrong: string[] = [];
      for (const name of names) {
        const client = endsCaller.has(name) ? await fresh(kind) : shared;
        const status = await callRow(name, kind, client);
        const { access } = api[name];
        const allowed = mayCall(access, kind);
        // Signing in with a wrong account or a used set-up code is refused by its own rules, not by the door.
        const passed = !refusals.includes(status) || (access === 'public' && status === 401);
        const expectedRefusal = kind === 'nobody' ? 401 : 404;
        if (allowed !== passed || (!allowed && status !== expectedRefusal)) {
          wrong.push(`${name} (${access}): ${allowed ? 'should pass' : `should be ${expectedRefusal}`}, got ${status}`);
        }
      }
      expect(wrong).toEqual([]);
    });
  }

  it('a token has the rights of its person, no more and no less', { timeout: 120_000 }, async () => {
    for (const kind of ['admin', 'viewer'] as const) {
      const program = await (await fresh(kind)).program();
      for (const name of names) {
        if (endsCaller.has(name)) continue;
        const status = await callRow(name, kind, program);
        // A passkey that nobody knows is refused by its own rules.
        if (api[name].access === 'public') continue;
        expect(!refusals.includes(status), `${name} as ${kind}: ${status}`).toBe(mayCall(api[name].access, kind));
      }
    }
  });

  it('IDOR: every route with ids of one tenant answers 404 to the owner of another, and changes nothing', async () => {
    const other = await fresh('another tenant');
    const hints = async () =>
      (await sql<{ seq: number }>`select max(seq) as seq from outbox`.execute(server.app.db)).rows[0];
    const before = await hints();
    for (const name of names) {
      const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: other.userId });
      const { access } = api[name];
      if (row.params === undefined || access === 'public' || access === 'self' || access.startsWith('platform.'))
        continue;
      const response = await other.try(api[name] as RouteDefinition, row as object);
      expect(response.statusCode, name).toBe(404);
      expect(response.json().code, name).toBe('not_found');
    }
    expect(await hints()).toEqual(before);
  });

  it('IDOR: a child under a parent that is not its own is not found, even for an owner of both', async () => {
    const { db } = server.app;
    const { driver } = server;
    const snapshotRow = await routeRows.snapshotsDelete({ db, driver, place, caller: null });
    const otherRow = await routeRows.snapshotsDelete({ db, driver, place, caller: null });
    const mixed = { instance: otherRow.params?.instance ?? '', snapshot: snapshotRow.params?.snapshot ?? '' };
    expect((await tenantOwner.try(api.snapshotsDelete, { params: mixed })).statusCode).toBe(404);
    expect((await tenantOwner.try(api.snapshotsRollback, { params: mixed })).statusCode).toBe(404);
    const invitation = await routeRows.invitationsRevoke({ db, driver, place, caller: null });
    const elsewhere = await platformAdmin.addStranger();
    const params = { organization: elsewhere.organization, invitation: invitation.params?.invitation ?? '' };
    expect((await elsewhere.owner.try(api.invitationsRevoke, { params })).statusCode).toBe(404);
    const member = await routeRows.membersRemove({ db, driver, place, caller: null });
    const stolen = { organization: elsewhere.organization, user: member.params?.user ?? '' };
    expect((await elsewhere.owner.try(api.membersRemove, { params: stolen })).statusCode).toBe(404);
  });

  it('a removed member loses everything at once', async () => {
    for (const role of workingRoles) {
      const leaver = await tenantOwner.addMember(place.organization, role);
      await leaver.call(api.projectsGet, { params: { project: place.project } });
      await tenantOwner.call(api.membersRemove, {
        params: { organization: place.organization, user: leaver.userId ?? '' },
      });
      expect((await leaver.try(api.projectsGet, { params: { project: place.project } })).statusCode).toBe(404);
    }
  });
});
