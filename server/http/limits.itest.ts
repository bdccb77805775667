/** I7: two replicas on one database enforce one limit. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { rateLimitNames, rateLimits } from '#domain/rate-limits.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  idleWork,
  PASSWORD,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
  wideLimits,
} from '#testkit/server.ts';

let one: TestServer;
let two: TestServer;
let home: SetUp;
const clock = new TestClock(new Date('2026-11-21T10:00:30Z'));
const EMAIL = 'owner@example.test';
const WRONG = 'wrong wrong';

beforeAll(async () => {
  const database = await withDatabase();
  const { signIn, signInAddress, provisioning } = rateLimits;
  const config = {
    rateLimits: {
      ...wideLimits,
      signIn: signIn.limit,
      signInAddress: signInAddress.limit,
      provisioning: provisioning.limit,
      api: 40,
      read: 100,
      readAddress: 300,
    },
  };
  one = await startTestServer({ database, startWork: idleWork, clock, config });
  two = await startTestServer({ database, startWork: idleWork, clock, config });
  home = await one.setUp();
});
afterAll(async () => {
  await two?.stop();
  await one?.stop();
});
/** Every test begins with empty counters. */
beforeEach(async () => {
  clock.advance({ hours: 3 });
  home.owner = await home.owner.again(EMAIL);
});

function at(server: TestServer, address: string, cookie: string | null = null): TestClient {
  const client = new TestClient(server);
  client.address = address;
  client.cookie = cookie;
  return client;
}
const signIn = async (client: TestClient, password: string, email = EMAIL) => {
  const response = await client.try(api.signIn, { body: { email, password } });
  client.cookie = null;
  return response;
};
const statuses = async (count: number, call: (index: number) => Promise<{ statusCode: number }>) => {
  const found: number[] = [];
  for (let index = 0; index < count; index++) found.push((await call(index)).statusCode);
  return found;
};

describe('I7: signing in', () => {
  it('five wrong passwords from anywhere, then 429 with the wait, on both replicas; waits grow before that', async () => {
    const seen: [number, number][] = [];
    for (let index = 0; index < 5; index++) {
      const client = at(index % 2 === 0 ? one : two, `198.51.100.${index}`);
      const first = await signIn(client, WRONG);
      if (first.statusCode === 401) {
        seen.push([401, 0]);
        continue;
      }
      const wait = Number(first.headers['retry-after']);
      expect(first.json()).toMatchObject({ code: 'rate_limited', retryAfterSeconds: wait });
      clock.advance({ seconds: wait });
      seen.push([(await signIn(client, WRONG)).statusCode, wait]);
    }
    expect(seen).toEqual([
      [401, 0],
      [401, 0],
      [401, 0],
      [401, 2],
      [401, 4],
    ]);
    clock.advance({ seconds: 60 });
    for (const server of [one, two]) {
      const refused = await signIn(at(server, '198.51.100.77'), WRONG);
      expect(refused.statusCode).toBe(429);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(60);
      // Also with the right password: guessing on from somewhere else is pointless.
      expect((await signIn(at(server, '198.51.100.78'), PASSWORD)).statusCode).toBe(429);
    }
    clock.advance({ minutes: 31 });
    expect((await signIn(at(two, '198.51.100.77'), WRONG)).statusCode).toBe(401);
  });

  it('the owner is never locked out where they have signed in before, whoever guesses, even right there', async () => {
    const desk = '203.0.113.77';
    expect((await signIn(at(one, desk), PASSWORD)).statusCode).toBe(201);
    for (let index = 0; index < 12; index++) {
      await signIn(at(index % 2 === 0 ? one : two, `198.51.100.${index}`), WRONG);
      clock.advance({ seconds: 10 });
    }
    expect((await signIn(at(one, '198.51.100.200'), PASSWORD)).statusCode).toBe(429);
    expect((await signIn(at(two, desk), PASSWORD)).statusCode).toBe(201);
    // Somebody on the owner's own network guesses for a quarter of an hour: the owner waits a minute at most.
    let longest = 0;
    for (let second = 0; second < 900; second += 5) {
      const response = await signIn(at(one, desk), WRONG);
      if (response.statusCode === 429) longest = Math.max(longest, Number(response.headers['retry-after']));
      clock.advance({ seconds: 5 });
    }
    expect(longest).toBeLessThanOrEqual(60);
    expect(longest).toBeGreaterThan(30);
    clock.advance({ seconds: 60 });
    expect((await signIn(at(two, desk), PASSWORD)).statusCode).toBe(201);
    // What was right took the waits away.
    expect((await signIn(at(two, desk), WRONG)).statusCode).toBe(401);
  });

  it('accounts that do not exist have the same limits and waits', async () => {
    const tries = async (email: string) => {
      const seen: [number, string | undefined][] = [];
      for (let index = 0; index < 12; index++) {
        const response = await signIn(at(index % 2 === 0 ? one : two, `192.0.2.${100 + index}`), WRONG, email);
        seen.push([response.statusCode, String(response.headers['retry-after'])]);
        clock.advance({ seconds: 2 });
      }
      return seen;
    };
    const known = await tries(EMAIL);
    clock.advance({ hours: 1 });
    // The same second of a window.
    clock.advance({ seconds: 900 * 4 - 24 });
    expect(await tries('nobody@example.test')).toEqual(known);
    expect(known.map(([status]) => status)).toContain(429);
  });

  it('parallel guesses cannot slip through', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => signIn(at(index % 2 === 0 ? one : two, '198.51.100.10'), WRONG)),
    );
    const guessed = answers.filter((answer) => answer.statusCode === 401).length;
    expect(guessed).toBeGreaterThan(0);
    expect(guessed).toBeLessThanOrEqual(5);
  });

  it('one password on many accounts hits the limit of the address; an IPv6 subscriber counts as one /64', async () => {
    const found = await statuses(34, (index) =>
      signIn(
        at(index % 2 === 0 ? one : two, `2001:db8:1:2:${index.toString(16)}::${index}`),
        'Winter2026!',
        `p${index}@example.test`,
      ),
    );
    expect(found).toEqual([...Array(30).fill(401), ...Array(4).fill(429)]);
    expect((await signIn(at(one, '2001:db8:1:3::1'), 'Winter2026!', 'p@example.test')).statusCode).toBe(401);
  });

  it('what a client says about its address is not believed: only the last hop counts', async () => {
    const found = await statuses(32, (index) =>
      signIn(at(one, `10.0.0.${index}, 198.51.100.11`), WRONG, `q${index}@example.test`),
    );
    expect(found.slice(30)).toEqual([429, 429]);
  });

  it('right sign-ins do not count', async () => {
    expect(await statuses(8, () => signIn(at(two, '198.51.100.12'), PASSWORD))).toEqual(Array(8).fill(201));
  });

  it('counters and known addresses name nobody', async () => {
    await signIn(at(one, '198.51.100.99'), PASSWORD);
    await signIn(at(one, '198.51.100.99'), WRONG);
    const rows =
      await sql`select class, subject from rate_window union all select account, block from known_address`.execute(
        one.app.db,
      );
    const text = JSON.stringify(rows.rows);
    expect(rows.rows.length).toBeGreaterThan(5);
    expect(text).not.toContain(EMAIL);
    expect(text).not.toContain('198.51.100');
    expect(text).not.toContain(home.owner.userId);
  });
});

describe('I7: calls', () => {
  it('changes and reads are counted apart, per account, by both replicas together, with the rest announced', async () => {
    const here = at(one, '203.0.113.1', home.owner.cookie);
    const there = at(two, '203.0.113.1', home.owner.cookie);
    const change = (index: number) =>
      (index % 2 === 0 ? here : there).try(api.accountUpdate, { body: { name: `Name ${index}` } });
    const changes = await statuses(60, change);
    expect(changes.filter((status) => status === 200)).toHaveLength(40);
    expect(changes.slice(50)).toEqual(Array(10).fill(429));
    const refused = await change(61);
    expect(refused.headers).toMatchObject({ 'ratelimit-limit': '40', 'ratelimit-remaining': '0' });
    expect(refused.json()).toMatchObject({ code: 'rate_limited', retryAfterSeconds: expect.any(Number) });
    // Reading goes on.
    const read = await there.try(api.whoami);
    expect(read.statusCode).toBe(200);
    expect(read.headers).toMatchObject({ 'ratelimit-limit': '100', 'ratelimit-policy': '100;w=60' });
    clock.advance({ minutes: 3 });
    expect((await change(62)).statusCode).toBe(200);
  });

  it('one replica lets a whole quarter pass unasked, and never more', async () => {
    const here = at(one, '203.0.113.2', home.owner.cookie);
    const there = at(two, '203.0.113.2', home.owner.cookie);
    const first = await statuses(130, () => here.try(api.whoami));
    const second = await statuses(130, () => there.try(api.whoami));
    const passed = [...first, ...second].filter((status) => status === 200).length;
    expect(first.filter((status) => status === 200)).toHaveLength(100);
    expect(passed).toBeLessThanOrEqual(125);
  });

  it('an address has a limit of its own, for everybody behind it', async () => {
    const found = await statuses(310, (index) => at(index % 2 === 0 ? one : two, '203.0.113.3').try(api.setupState));
    expect(found.filter((status) => status === 200)).toHaveLength(300);
    expect((await at(one, '203.0.113.4').try(api.setupState)).statusCode).toBe(200);
  });

  it('D12: creating is limited per account over both replicas', async () => {
    const found = await statuses(23, (index) =>
      at(index % 2 === 0 ? one : two, '203.0.113.5', home.owner.cookie).try(api.instancesCreate, {
        params: { project: home.project },
        body: { kind: 'server', name: `limited-${index}` },
      }),
    );
    expect(found.slice(0, 20)).not.toContain(429);
    expect(found.slice(20)).toEqual([429, 429, 429]);
  });

  it('a service account has one limit for all its tokens, apart from whoever made it', async () => {
    const params = { organization: home.organization };
    const account = await home.owner.call(api.serviceAccountsCreate, { params, body: { name: 'robot' } });
    const tokens: TestClient[] = [];
    for (const name of ['one', 'two']) {
      const call = { params: { ...params, account: account.id }, body: { name } };
      const client = at(one, '203.0.113.6');
      client.token = (await home.owner.call(api.serviceTokensCreate, call)).secret;
      tokens.push(client);
    }
    const found = await statuses(104, (index) => (tokens[index % 2] as TestClient).try(api.whoami));
    expect(found.filter((status) => status === 200)).toHaveLength(100);
    expect(found.slice(100)).toEqual([429, 429, 429, 429]);
    expect((await at(one, '203.0.113.6', home.owner.cookie).try(api.whoami)).statusCode).toBe(200);
  });
});

describe('I7: administrators change limits while Berth runs', () => {
  it('at once here, within seconds on the other replica, audited; null takes it back', async () => {
    const { items } = await home.owner.call(api.rateLimitsUpdate, { body: { api: 3, mail: 7 } });
    expect(items.find((item) => item.name === 'api')).toMatchObject({ limit: 3, initial: 40, windowSeconds: 60 });
    expect(items.map((item) => item.name)).toEqual(rateLimitNames);
    await two.app.rates.reload();
    const there = at(two, '203.0.113.6', (await home.owner.again(EMAIL)).cookie);
    clock.advance({ minutes: 3 });
    const found = await statuses(5, (index) => there.try(api.accountUpdate, { body: { name: `N${index}` } }));
    expect(found).toEqual([200, 200, 200, 429, 429]);
    clock.advance({ minutes: 3 });
    await home.owner.call(api.rateLimitsUpdate, { body: { api: null } });
    const now = await home.owner.call(api.rateLimitsGet);
    expect(now.items.find((item) => item.name === 'api')?.limit).toBe(40);
    expect(now.items.find((item) => item.name === 'mail')?.limit).toBe(7);
    const entry = await one.app.db
      .selectFrom('audit')
      .select(['before', 'after'])
      .where('action', '=', 'platform.rate-limits.update')
      .orderBy('seq', 'desc')
      .executeTakeFirstOrThrow();
    expect(entry).toEqual({ before: { api: 3, mail: 7 }, after: { mail: 7 } });
  });

  it('nobody else reads or sets them, and nonsense is refused', async () => {
    const tenant = await home.owner.addStranger();
    expect((await tenant.owner.try(api.rateLimitsGet)).statusCode).toBe(404);
    expect((await tenant.owner.try(api.rateLimitsUpdate, { body: { api: 1 } })).statusCode).toBe(404);
    for (const body of [{ api: 0 }, { api: -1 }, { api: 1.5 }, { api: '5' }, { apis: 5 }, { api: 1e12 }]) {
      expect((await home.owner.try(api.rateLimitsUpdate, { body: body as object })).statusCode).toBe(400);
    }
  });
});
