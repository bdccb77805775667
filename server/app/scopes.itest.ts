import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api, type RouteName } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import { type ScopedAction, scopesAllow } from '#domain/scopes.ts';
import { nothingHeld } from '#server/store/held.ts';
import type { Place } from '#testkit/factories.ts';
import { signInProgram } from '#testkit/oauth.ts';
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

async function withScopes(person: TestClient, scopes: string[]): Promise<TestClient> {
  const { secret } = await person.call(api.tokensCreate, { body: { name: scopes.join(' ').slice(0, 80), scopes } });
  const client = new TestClient(server);
  client.token = secret;
  client.userId = person.userId;
  return client;
}

/** What a token needs for this route; null: nothing. */
function needed(route: RouteDefinition): ScopedAction | null {
  if (route.access === 'public' || route.anyScopes === true) return null;
  if (route.access !== 'self') return route.access;
  return route.method === 'GET' ? 'account.read' : 'account.update';
}

describe('I2: scopes are enforced at the one door', () => {
  for (const scopes of [['quota.read'], ['*.read'], ['instance.*', 'account.read']]) {
    it(`every endpoint of the contract with a token of the owner that may ${scopes.join(', ')}`, {
      timeout: 120_000,
    }, async () => {
      const client = await withScopes(home.owner, scopes);
      const wrong: string[] = [];
      for (const name of Object.keys(api) as RouteName[]) {
        const route: RouteDefinition = api[name];
        const action = needed(route);
        if (action === null || route.produces === 'stream') continue;
        const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: client.userId });
        const response = await client.try(route, row as object);
        const refused = response.statusCode === 403 && response.json().detail.includes('lacks the scope');
        if (refused === scopesAllow(scopes, action)) wrong.push(`${name} (${action}): ${response.statusCode}`);
      }
      expect(wrong).toEqual([]);
    });
  }

  it('a refusal says the same whether the thing is there or not', async () => {
    const client = await withScopes(home.owner, ['quota.read']);
    const bodies = await Promise.all(
      [home.project, 'prj_00000000000000000000000000'].map(async (project) => {
        const { requestId: _, ...problem } = (await client.try(api.projectsGet, { params: { project } })).json();
        return problem;
      }),
    );
    expect(bodies[0]).toEqual(bodies[1]);
    expect(bodies[0]).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('project.read') });
  });

  it('a token never exceeds its person: not with every scope, and not after the role was taken away', async () => {
    const viewer = await home.owner.addMember(home.organization, 'viewer');
    const client = await withScopes(viewer, ['project.*', 'quota.read']);
    const create = { params: { organization: home.organization }, body: { name: 'more', title: 'More' } };
    expect((await client.try(api.projectsCreate, create)).statusCode).toBe(404);
    expect((await client.try(api.quotaGet, { params: { project: home.project } })).statusCode).toBe(200);
    const member = { organization: home.organization, user: viewer.userId ?? '' };
    await home.owner.call(api.membersRemove, { params: member });
    expect((await client.try(api.quotaGet, { params: { project: home.project } })).statusCode).toBe(404);
  });

  it('a token makes no token that may do more, also by way of a program', async () => {
    const parent = await withScopes(home.owner, ['account.*', 'instance.read']);
    const make = async (client: TestClient, scopes: string[] | null) =>
      (await client.try(api.tokensCreate, { body: { name: 'child', scopes } })).statusCode;
    expect(await make(parent, null)).toBe(400);
    expect(await make(parent, ['instance.*'])).toBe(400);
    expect(await make(parent, ['*.read'])).toBe(400);
    expect(await make(parent, ['instance.read'])).toBe(201);
    const { client } = await signInProgram(server, home.owner, { scope: 'account.* instance.read' });
    expect(await make(client, null)).toBe(400);
    expect(await make(client, ['account.read'])).toBe(201);
  });

  it('a program that asked for scopes has these, says so, and keeps them when it refreshes', async () => {
    const { client, tokens } = await signInProgram(server, home.owner, { scope: '*.read' });
    expect(tokens.scope).toBe('*.read');
    expect((await client.call(api.whoami)).scopes).toEqual(['*.read']);
    expect((await client.try(api.accountUpdate, { body: { name: 'Mallory' } })).json().code).toBe('forbidden');
    expect((await client.try(api.quotaGet, { params: { project: home.project } })).statusCode).toBe(200);
  });

  it('live hints are of what the token may read', async () => {
    const { maySee } = await import('./events.ts');
    const caller = (scopes: string[] | null) => ({ userId: home.owner.userId, platformAdmin: true, scopes }) as never;
    const hint = (kind: string) =>
      ({
        seq: 1,
        kind,
        ref: 'x',
        organizationId: home.organization,
        projectId: null,
        instanceId: null,
        version: 1,
      }) as never;
    const held = { ...nothingHeld, organizations: new Map([[home.organization as string, 'owner']]) } as never;
    expect(maySee(caller(null), held, hint('instance'))).toBe(true);
    expect(maySee(caller(['instance.read']), held, hint('instance'))).toBe(true);
    expect(maySee(caller(['quota.read']), held, hint('instance'))).toBe(false);
    expect(maySee(caller(['instance.read']), held, hint('audit'))).toBe(false);
  });
});
