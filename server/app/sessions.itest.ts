import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { generateSync } from 'otplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { RENEWAL_GRACE_SECONDS, SESSION_IDLE_MINUTES } from '#domain/sessions.ts';
import { startTestEdge, type TestEdge, within } from '#testkit/edge.ts';
import { refresh, signInProgram } from '#testkit/oauth.ts';
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
import { Tenants } from '#testkit/tenants.ts';

const clock = new TestClock();
let server: TestServer;
let second: TestServer;
let home: SetUp;
let database: Awaited<ReturnType<typeof withDatabase>>;

beforeAll(async () => {
  database = await withDatabase();
  const options = { database, startWork: idleWork, clock };
  server = await startTestServer(options);
  second = await startTestServer(options);
  home = await server.setUp();
});
beforeEach(async () => {
  home.owner = await home.owner.again('owner@example.test');
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});

const totpCode = (secret: string) =>
  generateSync({ secret, epoch: Math.floor(clock.now().getTime() / 1000), period: 30 });

/** The same cookie at another replica, or a copy of it. */
function copyOf(client: TestClient, on: TestServer = server): TestClient {
  const copy = new TestClient(on);
  copy.cookie = client.cookie;
  return copy;
}
const alive = async (client: TestClient) => (await client.try(api.whoami)).statusCode === 200;

describe('I2: browser sessions', () => {
  it('end without use, and live as long as they are used, until 8 hours are over', async () => {
    const idle = await home.owner.again('owner@example.test');
    const busy = await home.owner.again('owner@example.test');
    clock.advance({ minutes: SESSION_IDLE_MINUTES - 1 });
    expect(await alive(busy)).toBe(true);
    clock.advance({ minutes: 2 });
    expect(await alive(idle)).toBe(false);
    expect(await alive(busy)).toBe(true);
    expect((await busy.call(api.sessionsList)).items).toHaveLength(1);
    for (let hours = 2; hours < 8; hours++) {
      clock.advance({ minutes: 59 });
      expect(await alive(busy), `after ${hours} hours`).toBe(true);
    }
    clock.advance({ minutes: 10 });
    expect(await alive(busy)).toBe(false);
  });

  it('a new secret with a new password, a confirmation, a second factor: the copy of the old one is worth nothing', async () => {
    const email = 'rotating@example.test';
    const person = await home.owner.addMember(home.organization, 'member', email);
    const changes: Record<string, () => Promise<unknown>> = {
      confirmation: () => person.call(api.confirm, { body: { type: 'password', password: PASSWORD } }),
      'second factor': async () => {
        const { secret } = await person.call(api.totpBegin);
        await person.call(api.totpConfirm, { body: { code: totpCode(secret) } });
      },
      password: () => person.call(api.accountPassword, { body: { current: PASSWORD, password: `${PASSWORD} more` } }),
    };
    for (const [what, change] of Object.entries(changes)) {
      const stolen = copyOf(person);
      const before = person.cookie;
      await change();
      expect(person.cookie, what).not.toBe(before);
      expect(await alive(person), what).toBe(true);
      // Under way: may still read, on every replica, and change nothing.
      expect(await alive(stolen), what).toBe(true);
      expect(await alive(copyOf(stolen, second)), what).toBe(true);
      expect((await stolen.try(api.accountUpdate, { body: { name: 'Mallory' } })).statusCode, what).toBe(401);
      clock.advance({ seconds: RENEWAL_GRACE_SECONDS });
      expect(await alive(stolen), what).toBe(false);
      expect(await alive(person), what).toBe(true);
    }
  });

  it('a new secret when the role changes, with the next request, whichever replica gets it; many at once keep one', async () => {
    const person = await home.owner.addMember(home.organization, 'viewer');
    const member = { organization: home.organization, user: person.userId ?? '' };
    const before = person.cookie;
    expect(await alive(person)).toBe(true);
    expect(person.cookie).toBe(before);
    await home.owner.call(api.membersUpdate, { params: member, body: { role: 'admin' } });
    const tabs = Array.from({ length: 6 }, (_, index) => copyOf(person, index % 2 === 0 ? server : second));
    const answers = await Promise.all(tabs.map((tab) => tab.try(api.whoami)));
    expect(answers.map((answer) => answer.statusCode)).toEqual([200, 200, 200, 200, 200, 200]);
    const cookies = new Set(tabs.map((tab) => tab.cookie));
    expect([...cookies].filter((cookie) => cookie !== before)).toHaveLength(1);
    const renewed = tabs.find((tab) => tab.cookie !== before);
    clock.advance({ seconds: RENEWAL_GRACE_SECONDS });
    expect(await alive(renewed ?? person)).toBe(true);
    expect(await alive(person)).toBe(false);
  });

  it('the list says what, where from and since when; ending the others leaves this one', async () => {
    const person = await home.owner.addMember(home.organization, 'member', 'lists@example.test');
    const firefox = new TestClient(server);
    firefox.address = '2001:db8::7';
    await firefox.try(api.signIn, {
      body: { email: 'lists@example.test', password: PASSWORD },
      headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
    });
    const { client, tokens } = await signInProgram(server, person, { client_name: 'berth on laptop' });
    const { items } = await person.call(api.sessionsList);
    expect(items.map(({ device, kind, address, current }) => ({ device, kind, address, current }))).toEqual(
      expect.arrayContaining([
        { device: 'berth on laptop', kind: 'client', address: '192.0.2.7', current: false },
        { device: 'Firefox on Linux', kind: 'browser', address: '2001:db8::7', current: false },
        { device: 'berth CLI', kind: 'browser', address: '192.0.2.7', current: true },
      ]),
    );
    await person.call(api.sessionsRevokeOthers);
    expect(await alive(person)).toBe(true);
    expect(await alive(firefox)).toBe(false);
    expect(await alive(client)).toBe(false);
    expect((await refresh(client, tokens.refresh_token)).error).toBe('invalid_grant');
    expect((await person.call(api.sessionsList)).items).toHaveLength(1);
  });
});

describe('I2: two replicas and edge on one database', () => {
  let edge: TestEdge;
  beforeAll(async () => {
    edge = await startTestEdge({ edgeUrl: database.edgeUrl, clock, pool4: '127.0.0.0/24' });
  });
  afterAll(() => edge?.stop());

  const atEdge = (headers: Record<string, string>) => edge.statusFor(headers);
  const cookieOf = (client: TestClient) => ({ cookie: `__Host-berth=${client.cookie}` });
  const bearerOf = (token: string) => ({ authorization: `Bearer ${token}` });

  it('what is revoked at one is refused by the other and by edge within a second: cookie, API token, access token', async () => {
    const email = 'everywhere@example.test';
    const person = await home.owner.addMember(home.organization, 'member', email);
    const elsewhere = await person.again(email);
    const { client, tokens } = await signInProgram(server, elsewhere);
    const made = await elsewhere.call(api.tokensCreate, { body: { name: 'x' } });
    const waysIn = { cookie: cookieOf(person), token: bearerOf(made.secret), access: bearerOf(tokens.access_token) };
    for (const [name, headers] of Object.entries(waysIn)) {
      await within(1_000, `${name} known`, async () => (await atEdge(headers)) === 404);
    }
    expect(await atEdge(bearerOf(tokens.refresh_token))).toBe(401);
    expect(await atEdge(bearerOf(person.cookie ?? ''))).toBe(401);
    expect(await atEdge({ cookie: `__Host-berth=${tokens.access_token}` })).toBe(401);

    await elsewhere.call(api.sessionsRevokeOthers);
    const there = copyOf(person, second);
    expect(await alive(there)).toBe(false);
    await within(1_000, 'the session at edge', async () => (await atEdge(waysIn.cookie)) === 401);
    await within(1_000, 'the access token at edge', async () => (await atEdge(waysIn.access)) === 401);
    expect(await alive(client)).toBe(false);
    await elsewhere.call(api.tokensRevoke, { params: { token: made.id } });
    await within(1_000, 'the token at edge', async () => (await atEdge(waysIn.token)) === 401);
  });

  /** An event stream of a private route, as Caddy brings it: asked for with a bearer token, then through the bridge. */
  async function openStream(hostname: string, token: string): Promise<{ ended: boolean }> {
    const ask = (socket: string, headers: Record<string, string>) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const accept = 'text/event-stream';
        const call = httpRequest({
          socketPath: join(edge.folder, socket),
          path: '/internal/authorize',
          agent: false,
          headers: { host: hostname, accept, ...headers },
        });
        call.on('response', resolve).on('error', reject).end();
      });
    const verdict = await ask('edge.sock', {
      ...bearerOf(token),
      'x-forwarded-uri': '/',
      'x-forwarded-method': 'GET',
    });
    verdict.resume();
    const answer = await ask('bridge.sock', { 'x-berth-bridge': String(verdict.headers['x-berth-bridge']) });
    if (answer.statusCode !== 200) throw new Error(`${verdict.statusCode}, then ${answer.statusCode}`);
    const stream = { ended: false };
    const end = (): void => {
      stream.ended = true;
    };
    answer.on('error', end).on('close', end).resume();
    return stream;
  }

  it('what is revoked at either replica cuts what an access token and an API token hold open, and nothing else', async () => {
    const tenants = await Tenants.connect(database.url);
    const place = { organizationId: home.organization, projectId: home.project };
    const guest = await tenants.guest(place, { id: home.owner.userId ?? '', email: 'owner@example.test' });
    const app = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: hello\n\n');
    });
    await new Promise<void>((resolve) => app.listen(0, guest.address, resolve));
    const hostname = 'streams.berth.localhost';
    try {
      await tenants.route(guest, hostname, (app.address() as AddressInfo).port, 'private');
      const email = 'streams@example.test';
      const person = await home.owner.addMember(home.organization, 'member', email);
      const { client, tokens } = await signInProgram(server, await person.again(email));
      const made = await (await person.again(email)).call(api.tokensCreate, { body: { name: 'x' } });
      const other = await home.owner.addMember(home.organization, 'member');
      const others = await signInProgram(second, other);
      let known: { ended: boolean } | null = null;
      await within(2_000, 'the route', async () => {
        known = await openStream(hostname, others.tokens.access_token).catch(() => null);
        return known !== null;
      });
      const stays = known as unknown as { ended: boolean };
      const byAccessToken = await openStream(hostname, tokens.access_token);
      const byToken = await openStream(hostname, made.secret);

      const there = copyOf(person, second);
      await there.call(api.sessionsRevokeOthers);
      await within(1_000, 'the access token is cut', async () => byAccessToken.ended);
      expect(await alive(client)).toBe(false);
      expect([byToken.ended, stays.ended]).toEqual([false, false]);
      await expect(openStream(hostname, tokens.access_token)).rejects.toThrow('401');

      const owner = copyOf(home.owner, second);
      const user = person.userId ?? '';
      await owner.call(api.membersRemove, { params: { organization: home.organization, user } });
      await within(1_000, 'the API token is cut', async () => byToken.ended);
      await expect(openStream(hostname, made.secret)).rejects.toThrow('403');
      expect(stays.ended).toBe(false);
    } finally {
      app.closeAllConnections();
      app.close();
      await tenants.end();
    }
  });

  it('edge checks access tokens itself: the signature, for whom, until when; and forgets keys that ended', async () => {
    const { tokens } = await signInProgram(server, home.owner);
    const [head, body, signature = ''] = tokens.access_token.split('.');
    await within(1_000, 'known', async () => (await atEdge(bearerOf(tokens.access_token))) === 404);
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    expect(await atEdge(bearerOf(`${head}.${body}.${flipped}`))).toBe(401);
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
    expect(await atEdge(bearerOf(`${none}.${body}.${signature}`))).toBe(401);
    await home.owner.call(api.keysRotate, { body: { atOnce: true } });
    await within(
      1_000,
      'the old key is no longer believed',
      async () => (await atEdge(bearerOf(tokens.access_token))) === 401,
    );
    const again = await refresh(new TestClient(server), tokens.refresh_token);
    await within(1_000, 'the new key is', async () => (await atEdge(bearerOf(again.access_token))) === 404);
    clock.advance({ minutes: 11 });
    expect(await atEdge(bearerOf(again.access_token))).toBe(401);
  });

  it('a renewed cookie is known at edge, the old one is not', async () => {
    const person = await home.owner.addMember(home.organization, 'member');
    const old = cookieOf(person);
    await within(1_000, 'known', async () => (await atEdge(old)) === 404);
    await person.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
    await within(1_000, 'the new one', async () => (await atEdge(cookieOf(person))) === 404);
    await within(1_000, 'not the old one', async () => (await atEdge(old)) === 401);
  });
});
