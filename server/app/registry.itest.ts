/** The image cache's settings against a real database: who may, what is kept sealed, what the host is told, what is said. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { DOCKER_HUB, type RegistrySpec, type RegistryStatus } from '#domain/registry.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { until } from '#testkit/work.ts';

const UPSTREAM = 'https://registry.example.test';
const told: RegistrySpec[] = [];
let answer: Partial<RegistryStatus> = {};
let server: TestServer;
let home: SetUp;

beforeAll(async () => {
  const driver = new SimulatedDriver();
  const before = driver.setRegistry.bind(driver);
  driver.setRegistry = async (spec) => {
    told.push(spec);
    return { ...(await before(spec)), ...(spec.enabled ? answer : {}) };
  };
  server = await startTestServer({ database: await withDatabase(), driver });
  home = await server.setUp();
});
afterAll(async () => server?.stop());

const body = (more: object = {}) => ({ enabled: true, upstream: UPSTREAM, ...more });

it('V9: off at first, with Docker Hub as upstream', async () => {
  expect(await home.owner.call(api.registryGet, {})).toMatchObject({
    enabled: false,
    upstream: DOCKER_HUB,
    username: null,
    hasPassword: false,
  });
  await until(async () => told.at(-1)?.enabled === false);
});

it('V9: the password is sealed, told to the host alone, kept for the same upstream and user only, and in no log', async () => {
  const login = { username: 'puller', password: 'a very secret word' };
  const set = await home.owner.call(api.registryUpdate, { body: body(login) });
  expect(set).toMatchObject({ enabled: true, upstream: UPSTREAM, username: 'puller', hasPassword: true });
  expect(JSON.stringify(set)).not.toContain(login.password);
  await until(async () => told.at(-1)?.login?.password === login.password);
  const row = await server.app.db.selectFrom('registry_cache').selectAll().executeTakeFirstOrThrow();
  expect(JSON.stringify(row)).not.toContain(login.password);
  const rows = await server.app.db
    .selectFrom('audit')
    .selectAll()
    .where('action', '=', 'platform.registry.update')
    .execute();
  expect(rows).toHaveLength(1);
  expect(JSON.stringify(rows)).not.toContain(login.password);

  const kept = await home.owner.call(api.registryUpdate, {
    body: body({ username: 'puller', bytesMax: 2 * 1024 ** 3 }),
  });
  expect(kept).toMatchObject({ hasPassword: true, bytesMax: 2 * 1024 ** 3 });
  // Another upstream would get to see it.
  const elsewhere = home.owner.call(api.registryUpdate, {
    body: body({ username: 'puller', upstream: 'https://other.example.test' }),
  });
  await expect(elsewhere).rejects.toMatchObject({ code: 'invalid_input' });
  const open = home.owner.call(api.registryUpdate, {
    body: body({ ...login, upstream: 'http://registry.example.test' }),
  });
  await expect(open).rejects.toMatchObject({ code: 'invalid_input' });
});

it('V9: what the host says is shown, with what it means, and scraped', async () => {
  answer = {
    usedBytes: 5000,
    hits: 3,
    misses: 1,
    servedBytes: 4000,
    fetchedBytes: 1000,
    limit: { limit: 100, remaining: 4, windowSeconds: 21_600, at: new Date().toISOString() },
    mirrors: { using: 2, theirs: 1 },
  };
  await home.owner.call(api.registryUpdate, { body: body() });
  await until(async () => (await home.owner.call(api.registryGet, {})).status?.usedBytes === 5000);
  const { status } = await home.owner.call(api.registryGet, {});
  expect(status).toMatchObject({
    state: 'running',
    hitRate: 0.75,
    savedBytes: 3000,
    limit: { remaining: 4, low: true },
    mirrors: { using: 2, theirs: 1 },
  });
  const scraped = await home.owner.try(api.prometheus, {});
  expect(scraped.body).toMatch(/^berth_registry_hits_total\{host="[^"]+"\} 3$/m);
  expect(scraped.body).toMatch(/^berth_registry_upstream_remaining\{host="[^"]+"\} 4$/m);
});

it('V9: emptied when it is on, once for each time somebody asks; switched off it is told so', async () => {
  const before = told.at(-1)?.emptied ?? 0;
  await home.owner.call(api.registryEmpty, {});
  await until(async () => told.at(-1)?.emptied === before + 1);
  await home.owner.call(api.registryUpdate, { body: { ...body(), enabled: false } });
  await until(async () => told.at(-1)?.enabled === false);
  await expect(home.owner.call(api.registryEmpty, {})).rejects.toMatchObject({ code: 'state_conflict' });
});

it('V9: nobody but administrators of the installation sees or changes it', async () => {
  const { owner } = await home.owner.addStranger('elsewhere');
  await expect(owner.call(api.registryGet, {})).rejects.toMatchObject({ code: 'not_found' });
  await expect(owner.call(api.registryUpdate, { body: body() })).rejects.toMatchObject({ code: 'not_found' });
  await expect(owner.call(api.registryEmpty, {})).rejects.toMatchObject({ code: 'not_found' });
});
