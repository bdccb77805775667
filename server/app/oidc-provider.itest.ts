/** A9: apps sign people in with Berth. The app is `openid-client`, the protocol goes over HTTP, codes and all. */
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { BodyInputOf, ResponseOf } from '#contract/route.ts';
import { makeInstance } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, TestClock, type TestServer } from '#testkit/server.ts';

const CONSOLE = 'https://berth.localhost:9443';
const ISSUER = `${CONSOLE}/oidc`;
const CALLBACK = 'https://app.example.test/callback';
const clock = new TestClock();
let server: TestServer;
let home: SetUp;
let address = '';

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  home = await server.setUp();
  address = await server.http.fastify.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => server.stop());

type Registered = ResponseOf<typeof api.oidcClientsCreate>;

async function register(changes: Partial<BodyInputOf<typeof api.oidcClientsCreate>> = {}): Promise<Registered> {
  const owner = await home.owner.again('owner@example.test');
  return owner.call(api.oidcClientsCreate, {
    body: { title: 'An App', redirectUris: [CALLBACK], ...changes },
  });
}

/** What the app's server sends goes to the console's address, which is this process. */
const toHere: client.CustomFetch = (url, init) => fetch(url.replace(CONSOLE, address), init as RequestInit);

async function appOf(registered: Pick<Registered, 'id' | 'secret' | 'authMethod'>): Promise<client.Configuration> {
  const auth =
    registered.secret === null
      ? client.None()
      : registered.authMethod === 'client_secret_post'
        ? client.ClientSecretPost(registered.secret)
        : client.ClientSecretBasic(registered.secret);
  return client.discovery(new URL(ISSUER), registered.id, {}, auth, {
    [client.customFetch]: toHere,
    execute: [client.enableNonRepudiationChecks],
  });
}

/** A browser: cookies by path, redirects one at a time. */
class Browser {
  readonly jar = new Map<string, { value: string; path: string }>();
  readonly person: TestClient;
  constructor(person: TestClient) {
    this.person = person;
  }
  async get(url: string): Promise<Response> {
    const { pathname } = new URL(url);
    const own = this.person.cookie === null ? [] : [`__Host-berth=${this.person.cookie}`];
    const kept = [...this.jar]
      .filter(([, { path }]) => pathname === path || path === '/' || pathname.startsWith(`${path}/`))
      .map(([name, { value }]) => `${name}=${value}`);
    const response = await fetch(url.replace(CONSOLE, address), {
      redirect: 'manual',
      headers: { cookie: [...own, ...kept].join('; '), accept: 'text/html' },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      expect(line.toLowerCase(), line).toContain('httponly');
      expect(line.toLowerCase(), line).toContain('secure');
      this.jar.set(name, { value, path: /path=([^;]*)/i.exec(line)?.[1] ?? '/' });
      if (value === '') this.jar.delete(name);
    }
    return response;
  }
  /** Follows redirects inside the console until one leads elsewhere or to a page; answers the last address. */
  async follow(start: string): Promise<URL> {
    let at = start;
    for (let step = 0; step < 12; step++) {
      if (!at.startsWith(`${ISSUER}/`)) return new URL(at);
      const response = await this.get(at);
      const next = response.headers.get('location');
      if (next === null) throw new Error(`${at}: ${response.status} ${(await response.text()).slice(0, 400)}`);
      at = new URL(next, at).href;
    }
    throw new Error('too many redirects');
  }
}

async function begin(app: client.Configuration, extra: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(app, {
    redirect_uri: CALLBACK,
    scope: 'openid email profile groups',
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...extra,
  });
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  return { url: url.href, checks };
}

async function signIn(app: client.Configuration, person: TestClient, extra: Record<string, string> = {}) {
  const { url, checks } = await begin(app, extra);
  const back = await new Browser(person).follow(url);
  return { back, checks, tokens: () => client.authorizationCodeGrant(app, back, checks) };
}

const discovered = async () => {
  const response = await fetch(`${address}/oidc/.well-known/openid-configuration`);
  return (await response.json()) as Record<string, unknown>;
};

describe('A9: Berth as an OpenID provider', () => {
  it('A9: says what it is, with the addresses of the console whatever host is named', async () => {
    const metadata = await discovered();
    expect(metadata).toMatchObject({
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/auth`,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/jwks`,
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code'],
      code_challenge_methods_supported: ['S256'],
      id_token_signing_alg_values_supported: ['RS256'],
    });
    const response = await fetch(`${address}/oidc/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-host': 'evil.example.test', 'x-forwarded-proto': 'http' },
    });
    expect(await response.json()).toMatchObject({ authorization_endpoint: `${ISSUER}/auth` });
    const keys = (await (await fetch(`${address}/oidc/jwks`)).json()) as { keys: Record<string, unknown>[] };
    expect(keys.keys.length).toBeGreaterThan(0);
    for (const key of keys.keys) expect(Object.keys(key)).not.toContain('d');
  });

  it('A9: a member signs in to our own app without a question; ID token and userinfo say who they are', async () => {
    const registered = await register({ organization: home.organization });
    const app = await appOf(registered);
    const member = await home.owner.addMember(home.organization, 'member', 'ada@example.test');
    const { back, tokens } = await signIn(app, member);
    expect(back.href.startsWith(CALLBACK)).toBe(true);
    expect(back.searchParams.get('iss')).toBe(ISSUER);
    const answer = await tokens();
    expect(answer.claims()).toMatchObject({
      iss: ISSUER,
      aud: registered.id,
      sub: member.userId,
      email: 'ada@example.test',
      name: 'The member',
      groups: [],
    });
    expect(answer.refresh_token).toBeUndefined();
    const info = await client.fetchUserInfo(app, answer.access_token, member.userId ?? '');
    expect(info).toMatchObject({ sub: member.userId, email: 'ada@example.test' });
  });

  it('A9: public apps and those that post their secret work; a wrong secret does not', async () => {
    const member = await home.owner.addMember(home.organization, 'member');
    for (const authMethod of ['none', 'client_secret_post'] as const) {
      const app = await appOf(await register({ authMethod }));
      const answer = await (await signIn(app, member)).tokens();
      expect(answer.claims()?.sub).toBe(member.userId);
    }
    const registered = await register();
    const app = await appOf({ ...registered, secret: 'wrong' });
    await expect((await signIn(app, member)).tokens()).rejects.toMatchObject({ status: 401 });
    // The digest that is stored is not the secret.
    const row = await server.app.db
      .selectFrom('oidc_client')
      .select('secret_hash')
      .where('id', '=', registered.id)
      .executeTakeFirstOrThrow();
    const thief = await appOf({ ...registered, secret: row.secret_hash?.toString('hex') ?? '' });
    await expect((await signIn(thief, member)).tokens()).rejects.toMatchObject({ status: 401 });
  });

  it('A9: a code works once, and its second use takes away what the first was given', async () => {
    const app = await appOf(await register());
    const member = await home.owner.addMember(home.organization, 'member');
    const { back, checks, tokens } = await signIn(app, member);
    const { access_token } = await tokens();
    await client.fetchUserInfo(app, access_token, member.userId ?? '');
    await expect(client.authorizationCodeGrant(app, back, checks)).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(client.fetchUserInfo(app, access_token, member.userId ?? '')).rejects.toThrow();
  });

  it('A9: of twenty at once with one code, one gets tokens at most', async () => {
    const app = await appOf(await register());
    const { back, checks } = await signIn(app, await home.owner.addMember(home.organization, 'member'));
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, () => client.authorizationCodeGrant(app, back, checks)),
    );
    expect(answers.filter((answer) => answer.status === 'fulfilled').length).toBeLessThanOrEqual(1);
  });

  it('A9: a code needs its verifier, its app and its address; without PKCE there is none', async () => {
    const [first, second] = [await register(), await register()];
    const [app, other] = [await appOf(first), await appOf(second)];
    const member = await home.owner.addMember(home.organization, 'member');
    const stolen = await signIn(app, member);
    const wrong = { ...stolen.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
    await expect(client.authorizationCodeGrant(app, stolen.back, wrong)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const again = await signIn(app, member);
    await expect(client.authorizationCodeGrant(other, again.back, again.checks)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const bare = new URL((await begin(app)).url);
    bare.searchParams.delete('code_challenge');
    bare.searchParams.delete('code_challenge_method');
    const refused = await new Browser(member).follow(bare.href);
    expect(refused.searchParams.get('error')).toBe('invalid_request');
    const plain = new URL((await begin(app)).url);
    plain.searchParams.set('code_challenge_method', 'plain');
    expect((await new Browser(member).follow(plain.href)).searchParams.get('error')).toBe('invalid_request');
  });

  it('A9: redirect addresses are compared letter by letter; anything else stays on our page', async () => {
    const app = await appOf(await register({ redirectUris: [CALLBACK, 'http://127.0.0.1:8123/callback'] }));
    const member = await home.owner.addMember(home.organization, 'member');
    for (const evil of [
      'https://evil.example.test/callback',
      `${CALLBACK}/`,
      `${CALLBACK}?x=1`,
      'https://app.example.test/callback/../other',
      'https://app.example.test:8443/callback',
      'https://APP.example.test/callback',
      'http://app.example.test/callback',
      'http://127.0.0.1:9999/callback',
      'https://app.example.test@evil.example.test/callback',
      'javascript:alert(1)',
    ]) {
      const { url } = await begin(app, { redirect_uri: evil });
      const response = await new Browser(member).get(url);
      expect([response.status, response.headers.get('location')], evil).toEqual([400, null]);
      expect(await response.text()).toContain('redirect_uri');
    }
  });

  it('A9: other flows are not there: implicit, refresh tokens, password, client credentials, registration', async () => {
    const registered = await register({ authMethod: 'client_secret_post' });
    const app = await appOf(registered);
    const member = await home.owner.addMember(home.organization, 'member');
    for (const response_type of ['token', 'id_token', 'code id_token', 'none']) {
      const { url } = await begin(app, { response_type });
      const response = await new Browser(member).get(url);
      const to = response.headers.get('location') ?? '';
      expect(to, response_type).toMatch(/error=(unsupported_response_type|unauthorized_client|invalid_request)/);
      expect(to).not.toMatch(/[#&?](access_token|id_token|code)=/);
    }
    for (const grant_type of ['refresh_token', 'password', 'client_credentials', 'implicit']) {
      const response = await fetch(`${address}/oidc/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type,
          client_id: registered.id,
          client_secret: registered.secret ?? '',
          refresh_token: 'x',
          username: 'owner@example.test',
          password: 'x',
        }),
      });
      expect([400, 401], grant_type).toContain(response.status);
    }
    for (const path of ['reg', 'session/end', 'introspection', 'device', 'token/introspection', 'nothing']) {
      const response = await fetch(`${address}/oidc/${path}`, {
        method: 'POST',
        body: new URLSearchParams({ a: 'b' }),
      });
      expect([400, 404, 405], path).toContain(response.status);
    }
    const large = await fetch(`${address}/oidc/token`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(large.status).toBe(413);
  });

  it('A9: who is not signed in is sent to sign in and then back to where they were', async () => {
    const app = await appOf(await register());
    const member = await home.owner.addMember(home.organization, 'member', 'later@example.test');
    const browser = new Browser(new TestClient(server));
    const { url, checks } = await begin(app);
    const page = await browser.follow(url);
    expect([page.origin, page.pathname]).toEqual([CONSOLE, '/sign-in']);
    const back = page.searchParams.get('return') ?? '';
    expect(back).toMatch(/^\/oidc\/interaction\/[A-Za-z0-9_-]+$/);
    browser.person.cookie = member.cookie;
    const answer = await client.authorizationCodeGrant(app, await browser.follow(`${CONSOLE}${back}`), checks);
    expect(answer.claims()?.sub).toBe(member.userId);
    // Another browser cannot go on with it.
    const second = await begin(app);
    const stolen = (await new Browser(new TestClient(server)).follow(second.url)).searchParams.get('return') ?? '';
    expect((await new Browser(member).get(`${CONSOLE}${stolen}`)).status).toBe(410);
  });

  it('A9: an API token signs nobody in to an app', async () => {
    const app = await appOf(await register());
    const { url } = await begin(app);
    const browser = new Browser(new TestClient(server));
    const first = await browser.get(url);
    const program = await home.owner.program();
    const { path } = [...browser.jar.values()][0] ?? { path: '/' };
    const cookies = [...browser.jar].map(([name, { value }]) => `${name}=${value}`).join('; ');
    const location = first.headers.get('location') ?? '';
    const response = await fetch(new URL(location, CONSOLE).href.replace(CONSOLE, address), {
      redirect: 'manual',
      headers: { cookie: cookies, authorization: `Bearer ${program.token}` },
    });
    expect(path).not.toBe('');
    expect(response.headers.get('location')).toContain('/sign-in?return=');
  });

  it('A9: prompt=none never shows a page; prompt=login and max_age want a sign-in that is new enough', async () => {
    const app = await appOf(await register());
    const member = await home.owner.addMember(home.organization, 'member', 'fresh@example.test');
    expect((await signIn(app, member, { prompt: 'none' })).back.searchParams.get('error')).toBe('login_required');
    clock.advance({ minutes: 5 });
    const anew = await signIn(app, member, { prompt: 'login' });
    expect(anew.back.pathname).toBe('/sign-in');
    expect((await signIn(app, member, { max_age: '60' })).back.pathname).toBe('/sign-in');
    expect((await signIn(app, member, { max_age: '3600' })).back.href.startsWith(CALLBACK)).toBe(true);
  });
});

describe('A9: who may enter an app', () => {
  it('A9: members of the organization, not guests, not strangers; the app is told no', async () => {
    const app = await appOf(await register({ organization: home.organization }));
    const guest = await home.owner.addMember(home.organization, 'guest');
    const stranger = (await (await home.owner.again('owner@example.test')).addStranger()).owner;
    for (const person of [guest, stranger]) {
      const { back } = await signIn(app, person);
      expect(back.href.startsWith(CALLBACK)).toBe(true);
      expect([back.searchParams.get('error'), back.searchParams.get('code')]).toEqual(['access_denied', null]);
    }
    const viewer = await home.owner.addMember(home.organization, 'viewer');
    expect((await signIn(app, viewer)).back.searchParams.get('code')).not.toBeNull();
  });

  it('A9: an app that is an instance needs the grant (or a role that opens it); taken away, its tokens are void', async () => {
    const { organization, project, owner } = home;
    const person = owner.userId;
    if (person === null) throw new Error('nobody');
    const instance = await makeInstance(server.app.db, { organization, project, person });
    const app = await appOf(await register({ organization, app: instance }));
    const guest = await owner.addMember(organization, 'guest');
    expect((await signIn(app, guest)).back.searchParams.get('error')).toBe('access_denied');
    const grant = { id: 'grt_00000000000000000000000001' as never, organization_id: organization, app: instance };
    await server.app.db
      .insertInto('app_grant')
      .values({ ...grant, user_id: guest.userId, permissions: ['open'], granted_by: person })
      .execute();
    const { access_token } = await (await signIn(app, guest)).tokens();
    const sub = guest.userId ?? '';
    await client.fetchUserInfo(app, access_token, sub);
    await server.app.db.deleteFrom('app_grant').where('id', '=', grant.id).execute();
    await expect(client.fetchUserInfo(app, access_token, sub)).rejects.toThrow();
    expect(
      (await signIn(app, await owner.addMember(organization, 'member'))).back.searchParams.get('code'),
    ).not.toBeNull();
  });

  it('A9: what an app was given ends with the session: signing out voids code and token', async () => {
    const app = await appOf(await register());
    const member = await home.owner.addMember(home.organization, 'member');
    const { access_token } = await (await signIn(app, member)).tokens();
    const waiting = await signIn(app, member);
    await client.fetchUserInfo(app, access_token, member.userId ?? '');
    await member.call(api.signOut);
    await expect(client.fetchUserInfo(app, access_token, member.userId ?? '')).rejects.toThrow();
    await expect(waiting.tokens()).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('A9: another person in the same browser gets their own account, never the one before', async () => {
    const app = await appOf(await register());
    const [first, second] = [
      await home.owner.addMember(home.organization, 'member'),
      await home.owner.addMember(home.organization, 'member'),
    ];
    const browser = new Browser(first);
    const one = await begin(app);
    const answer = await client.authorizationCodeGrant(app, await browser.follow(one.url), one.checks);
    expect(answer.claims()?.sub).toBe(first.userId);
    browser.person.cookie = second.cookie;
    const two = await begin(app);
    const other = await client.authorizationCodeGrant(app, await browser.follow(two.url), two.checks);
    expect(other.claims()?.sub).toBe(second.userId);
  });

  it("A9: a stranger's app asks first; only the person it asked may answer", async () => {
    const app = await appOf(await register({ firstParty: false, title: 'Somebody elses' }));
    const member = await home.owner.addMember(home.organization, 'member');
    const browser = new Browser(member);
    const { url, checks } = await begin(app, { scope: 'openid email' });
    const page = await browser.follow(url);
    const interaction = /^\/app-sign-in\/(.+)$/.exec(page.pathname)?.[1] ?? '';
    const params = { interaction };
    expect(await member.call(api.oidcQuestionGet, { params })).toEqual({
      app: 'Somebody elses',
      origin: 'https://app.example.test',
      scopes: ['openid', 'email'],
    });
    for (const other of [await home.owner.addMember(home.organization, 'member'), await member.program()]) {
      expect((await other.try(api.oidcQuestionGet, { params })).statusCode).toBe(410);
      expect((await other.try(api.oidcQuestionAnswer, { params, body: { allow: true } })).statusCode).toBe(410);
    }
    const { url: on } = await member.call(api.oidcQuestionAnswer, { params, body: { allow: true } });
    const answer = await client.authorizationCodeGrant(app, await browser.follow(on), checks);
    expect(answer.claims()).toMatchObject({ sub: member.userId, email: expect.any(String) });
    expect(answer.claims()).not.toHaveProperty('groups');
    expect((await member.try(api.oidcQuestionGet, { params })).statusCode).toBe(410);
    const second = await begin(app);
    const asked = /^\/app-sign-in\/(.+)$/.exec((await browser.follow(second.url)).pathname)?.[1] ?? '';
    const no = await member.call(api.oidcQuestionAnswer, { params: { interaction: asked }, body: { allow: false } });
    expect((await browser.follow(no.url)).searchParams.get('error')).toBe('access_denied');
  });
});

describe('A9: clients and keys', () => {
  it('A9: a removed app, and an old secret, get nothing any more; nothing readable is in the database', async () => {
    const registered = await register();
    const app = await appOf(registered);
    const member = await home.owner.addMember(home.organization, 'member');
    const { access_token } = await (await signIn(app, member)).tokens();
    const owner = await home.owner.again('owner@example.test');
    const renewed = await owner.call(api.oidcClientsSecret, { params: { client: registered.id } });
    await expect((await signIn(app, member)).tokens()).rejects.toMatchObject({ status: 401 });
    await (await signIn(await appOf(renewed), member)).tokens();
    await owner.call(api.oidcClientsDelete, { params: { client: registered.id } });
    await expect(client.fetchUserInfo(app, access_token, member.userId ?? '')).rejects.toThrow();
    const rows = await server.app.db.selectFrom('oidc_record').selectAll().execute();
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows)).not.toContain(access_token);
    expect(JSON.stringify(rows)).not.toContain(member.userId);
  });

  it('A9: redirect addresses that could leak a code are not registered', async () => {
    const owner = await home.owner.again('owner@example.test');
    for (const uri of [
      'http://app.example.test/callback',
      'https://app.example.test/callback#x',
      'https://*.example.test/callback',
      'https://user@app.example.test/callback',
      'javascript:alert(1)',
      'app.example.test/callback',
      'myapp:/callback',
    ]) {
      const response = await owner.try(api.oidcClientsCreate, { body: { title: 'An App', redirectUris: [uri] } });
      expect([response.statusCode, response.json().fields?.[0]?.field], uri).toEqual([400, 'redirectUris']);
    }
  });

  it('A9: keys that are changed: what the old one signed is still believed, new tokens have the new one', async () => {
    const app = await appOf(await register());
    const member = await home.owner.addMember(home.organization, 'member');
    const kidOf = (token: string | undefined) =>
      JSON.parse(Buffer.from((token ?? '').split('.')[0] ?? '', 'base64url').toString()).kid as string;
    const before = kidOf((await (await signIn(app, member)).tokens()).id_token);
    const owner = await home.owner.again('owner@example.test');
    await owner.call(api.keysRotate, { body: { atOnce: false } });
    const published = async () => {
      const { keys } = (await (await fetch(`${address}/oidc/jwks`)).json()) as { keys: { kid: string }[] };
      return keys.map((key) => key.kid);
    };
    expect(await published()).toHaveLength(2);
    clock.advance({ minutes: 16 });
    const again = await member.again((await member.call(api.whoami)).user.email);
    const after = kidOf((await (await signIn(await appOfAgain(app), again)).tokens()).id_token);
    expect(after).not.toBe(before);
    expect(await published()).toEqual(expect.arrayContaining([before, after]));
  });
});

/** The same app after its cache of our keys was emptied. */
async function appOfAgain(app: client.Configuration): Promise<client.Configuration> {
  const owner = await home.owner.again('owner@example.test');
  const id = app.clientMetadata().client_id as Registered['id'];
  return appOf(await owner.call(api.oidcClientsSecret, { params: { client: id } }));
}
