/** I3: a session that began at an identity provider ends when it ends there: told (back-channel logout) or found out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { OutsideBrowser, startTestProvider, type TestProvider } from '#testkit/identity-provider.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, TestClock, type TestServer } from '#testkit/server.ts';
import type { Services } from '../workflows/services.ts';
import { identityChecker } from './identity-checker.ts';

const CONSOLE = 'https://berth.localhost:9443';
const EVENT = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const clock = new TestClock();
let server: TestServer;
let home: SetUp;
let outside: TestProvider;
let address = '';
let provider = '';
let counter = 0;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  home = await server.setUp();
  address = await server.http.fastify.listen({ host: '127.0.0.1', port: 0 });
  outside = await startTestProvider({
    redirectUris: [`${CONSOLE}/sign-in/corp`],
    logoutUri: `${address}/api/v1/identity-providers/corp/logout`,
  });
  await server.app.db
    .insertInto('setting')
    .values({ key: 'outbound.allowed', value: JSON.stringify([outside.issuer]) })
    .execute();
  const made = await home.owner.call(api.identityProvidersCreate, {
    body: {
      name: 'corp',
      kind: 'oidc',
      issuer: outside.issuer,
      clientId: outside.clientId,
      clientSecret: outside.clientSecret,
      provisioning: 'domains',
      domains: ['example.test'],
      groupsClaim: 'groups',
      roleMappings: [{ value: 'staff', organization: home.organization, role: 'member' }],
      recheckMinutes: 5,
    },
  });
  provider = made.id;
});
afterAll(async () => {
  await outside.stop();
  await server.stop();
});

const account = (sub: string, groups: string[]) =>
  outside.control({ do: 'account', account: { sub, email: `${sub}@example.test`, emailVerified: true, groups } });

async function signIn(sub = `person-${++counter}`): Promise<{ client: TestClient; sub: string }> {
  await account(sub, ['staff']);
  const client = new TestClient(server);
  const { url } = await client.call(api.signInOutside, { body: { provider: 'corp' } });
  await outside.control({ do: 'signed-in', sub });
  const query = (await new OutsideBrowser().follow(url, CONSOLE)).search.slice(1);
  await client.call(api.signInOutsideFinish, { body: { provider: 'corp', query } });
  return { client, sub };
}

const inside = async (client: TestClient) => (await client.try(api.whoami)).statusCode === 200;

function check(): Promise<string | null> {
  const services = { ...server.app.services, db: server.app.db, log: server.app.log } as Services;
  return identityChecker(services, server.app.secrets, server.app.identityClients).run(new AbortController().signal);
}

const sidOf = async (sub: string) => {
  const row = await server.app.db
    .selectFrom('outside_session as o')
    .innerJoin('linked_identity as l', 'l.id', 'o.identity_id')
    .select('o.sid')
    .where('l.subject', '=', sub)
    .orderBy('o.created_at', 'desc')
    .executeTakeFirst();
  return row?.sid ?? null;
};

const tell = (token: string) =>
  fetch(`${address}/api/v1/identity-providers/corp/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ logout_token: token }),
  });

const forge = async (claims: Record<string, unknown>, key: 'real' | 'other' | 'none' = 'real') =>
  (await outside.control<{ token: string }>({ do: 'logout-token', claims, key })).token;

const now = () => Math.floor(Date.now() / 1000);
const rightClaims = (sub: string) => ({
  iss: outside.issuer,
  aud: 'berth',
  iat: now(),
  exp: now() + 120,
  jti: `jti-${++counter}`,
  events: EVENT,
  sub,
});

describe('I3: asked again on a short clock', () => {
  it('I3: whoever is disabled there is signed out here, and nobody else', async () => {
    const leaver = await signIn();
    const stayer = await signIn();
    await outside.control({ do: 'disable', sub: leaver.sub });
    expect(await check()).toBeNull();
    expect(await inside(leaver.client)).toBe(true);
    clock.advance({ minutes: 6 });
    expect(await check()).toContain('ended 1 session');
    expect(await inside(leaver.client)).toBe(false);
    expect(await inside(stayer.client)).toBe(true);
  });

  it('I3: refresh tokens that the provider renews are kept: many checks in a row', async () => {
    const { client } = await signIn();
    for (let round = 0; round < 4; round++) {
      clock.advance({ minutes: 6 });
      await check();
      expect(await inside(client)).toBe(true);
    }
  });

  it('I3: groups that change there change the role here without a new sign-in', async () => {
    const { client, sub } = await signIn();
    expect((await client.call(api.whoami)).memberships).toMatchObject([{ role: 'member' }]);
    await account(sub, []);
    clock.advance({ minutes: 6 });
    await check();
    expect((await client.call(api.whoami)).memberships).toEqual([]);
  });

  it('I3: a provider that does not answer signs nobody out and is not asked at every turn', async () => {
    const { client } = await signIn();
    clock.advance({ minutes: 6 });
    const value = JSON.stringify([]);
    await server.app.db.updateTable('setting').set({ value }).where('key', '=', 'outbound.allowed').execute();
    expect(await check()).toBeNull();
    expect(await inside(client)).toBe(true);
    const allowed = JSON.stringify([outside.issuer]);
    await server.app.db.updateTable('setting').set({ value: allowed }).where('key', '=', 'outbound.allowed').execute();
    expect(await check()).toBeNull();
  });
});

describe('I3: back-channel logout', () => {
  it('I3: the provider says that one session ended: that one ends here, another of the same person stays', async () => {
    const first = await signIn();
    const second = await signIn(first.sub);
    const sid = await sidOf(first.sub);
    expect(sid).not.toBeNull();
    await outside.control({ do: 'logout', sub: first.sub, sid: sid ?? '' });
    const standing = [await inside(first.client), await inside(second.client)];
    expect(standing.filter(Boolean)).toHaveLength(1);
  });

  it('I3: by subject all sessions of the person end; a token works once', async () => {
    const first = await signIn();
    const second = await signIn(first.sub);
    const other = await signIn();
    const token = await forge(rightClaims(first.sub));
    expect((await tell(token)).status).toBe(200);
    expect([await inside(first.client), await inside(second.client), await inside(other.client)]).toEqual([
      false,
      false,
      true,
    ]);
    const third = await signIn(first.sub);
    expect((await tell(token)).status).toBe(400);
    expect(await inside(third.client)).toBe(true);
  });

  it('I3: forged, foreign, old and misused tokens end nothing', async () => {
    const { client, sub } = await signIn();
    const right = () => rightClaims(sub);
    const { sub: _sub, ...nobody } = right();
    const { events: _events, ...noEvent } = right();
    const { jti: _jti, ...noJti } = right();
    const tokens: [string, string][] = [
      ['another key', await forge(right(), 'other')],
      ['no signature', await forge(right(), 'none')],
      ['another audience', await forge({ ...right(), aud: 'somebody-else' })],
      ['another issuer', await forge({ ...right(), iss: 'https://evil.example.test' })],
      ['old', await forge({ ...right(), iat: now() - 3600 })],
      ['expired', await forge({ ...right(), exp: now() - 600 })],
      ['an ID token', await forge({ ...right(), events: undefined, nonce: 'x' })],
      ['with a nonce', await forge({ ...right(), nonce: 'x' })],
      ['another event', await forge({ ...right(), events: { 'https://example.test/other': {} } })],
      ['without event', await forge(noEvent)],
      ['without id', await forge(noJti)],
      ['about nobody', await forge(nobody)],
      ['not a token', 'abc'],
    ];
    for (const [what, token] of tokens) expect((await tell(token)).status, what).toBe(400);
    expect(await inside(client)).toBe(true);
    const json = await fetch(`${address}/api/v1/identity-providers/corp/logout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ logout_token: await forge(right()) }),
    });
    expect(json.status).toBe(400);
    const elsewhere = await fetch(`${address}/api/v1/identity-providers/unknown/logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: await forge(right()) }),
    });
    expect(elsewhere.status).toBe(400);
    expect(await inside(client)).toBe(true);
  });

  it('I3: switching a provider off ends what began there and refuses what is on its way', async () => {
    const { client } = await signIn();
    const { client: waiting } = { client: new TestClient(server) };
    const { url } = await waiting.call(api.signInOutside, { body: { provider: 'corp' } });
    const owner = await home.owner.again('owner@example.test');
    await owner.call(api.identityProvidersUpdate, { params: { provider }, body: { enabled: false } });
    expect(await inside(client)).toBe(false);
    const query = (await new OutsideBrowser().follow(url, CONSOLE)).search.slice(1);
    expect((await waiting.try(api.signInOutsideFinish, { body: { provider: 'corp', query } })).statusCode).toBe(410);
    expect((await waiting.call(api.signInProviders)).items).toEqual([]);
  });
});
