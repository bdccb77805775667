/** Instances through HTTP, with real workflows on a real PostgreSQL and the simulated engine. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId, OperationId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let world: SetUp;
const driver = new SimulatedDriver();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
});
afterAll(() => server.stop());

const create = (name: string, kind: 'server' | 'desktop' = 'server', headers: Record<string, string> = {}) =>
  world.owner.call(api.instancesCreate, { params: { project: world.project }, body: { kind, name }, headers });
const get = (instance: InstanceId) => world.owner.call(api.instancesGet, { params: { instance } });
const done = (operation: OperationId) => settled(world.owner, operation);

async function ready(name: string, kind: 'server' | 'desktop' = 'server') {
  const { operation, instance } = await create(name, kind);
  expect((await done(operation.id)).error).toBeNull();
  return (instance as NonNullable<typeof instance>).id;
}

describe('create, look, use, delete', () => {
  it('D1: create answers 202 with an operation, and ends running, healthy and with an address', async () => {
    const { operation, instance } = await create('web');
    expect(operation.state).toMatch(/pending|running/);
    expect(operation.steps.map((step) => step.name)).toEqual([
      'image',
      'network',
      'guest',
      'route',
      'start',
      'healthy',
    ]);
    expect(instance).toMatchObject({ name: 'web', phase: 'creating', state: 'creating' });
    const ended = await done(operation.id);
    expect(ended).toMatchObject({ state: 'succeeded', error: null, target: 'web' });
    for (const step of ended.steps) {
      expect(step).toMatchObject({ state: 'succeeded', attempts: 1 });
      expect(step.startedAt).not.toBeNull();
      expect(step.finishedAt).not.toBeNull();
    }
    const shown = await get(instance!.id);
    expect(shown).toMatchObject({
      state: 'running',
      health: 'healthy',
      url: 'https://web.berth.localhost',
      operation: null,
      drift: null,
    });
    expect(shown.can.stop).toBe(true);
    expect(shown.can.start).toBe('It runs already.');
    expect(shown.host?.name).toBe('test-host');
  });

  it('D1: lists with filters and pages', async () => {
    const { items } = await world.owner.call(api.instancesList, { params: { project: world.project } });
    expect(items.map((item) => item.name)).toContain('web');
    const none = await world.owner.call(api.instancesList, {
      params: { project: world.project },
      query: { kind: 'desktop' },
    });
    expect(none.items).toEqual([]);
    const searched = await world.owner.call(api.instancesList, {
      params: { project: world.project },
      query: { search: 'WE', limit: '1' },
    });
    expect(searched.items.map((item) => item.name)).toEqual(['web']);
  });

  it('D5: stop, start, restart, pause and resume are operations', async () => {
    const id = await ready('power');
    for (const [action, state] of [
      ['stop', 'stopped'],
      ['start', 'running'],
      ['restart', 'running'],
      ['pause', 'paused'],
      ['resume', 'running'],
    ] as const) {
      const { operation } = await world.owner.call(api.instancesPower, { params: { instance: id, action } });
      expect(operation.kind).toBe(`instance.${action}`);
      expect(await done(operation.id)).toMatchObject({ state: 'succeeded' });
      expect(await get(id)).toMatchObject({ state, observed: state, desired: state });
    }
  });

  it('D1: delete archives for 7 days, frees name and address, and restore brings it back', async () => {
    const id = await ready('shop');
    const before = await world.owner.call(api.quotaGet, { params: { project: world.project } });
    const { operation } = await world.owner.call(api.instancesArchive, { params: { instance: id } });
    expect(await done(operation.id)).toMatchObject({ state: 'succeeded' });
    const archived = await get(id);
    expect(archived).toMatchObject({ state: 'archived', url: null, address4: null });
    const days = (Date.parse(archived.purgeAt!) - Date.parse(archived.archivedAt!)) / 86_400_000;
    expect(days).toBe(7);
    const after = await world.owner.call(api.quotaGet, { params: { project: world.project } });
    expect(after.used.instances).toBe(before.used.instances - 1);
    expect(after.used.diskBytes).toBe(before.used.diskBytes);

    const other = await ready('shop');
    const refused = await world.owner.try(api.instancesRestore, { params: { instance: id }, body: {} });
    expect(refused.json()).toMatchObject({ code: 'name_taken' });
    expect(refused.json().detail).toContain('shop-2');

    const restored = await world.owner.call(api.instancesRestore, {
      params: { instance: id },
      body: { name: 'shop-2' },
    });
    expect((await done(restored.operation.id)).error).toBeNull();
    expect(await get(id)).toMatchObject({ name: 'shop-2', state: 'running', url: 'https://shop-2.berth.localhost' });
    expect((await driver.observe(id))?.hostname).toBe('shop-2');
    expect(await get(other)).toMatchObject({ url: 'https://shop.berth.localhost' });
  });

  it('D1: purge ends it: no guest, no row, nothing counted', async () => {
    const before = await world.owner.call(api.quotaGet, { params: { project: world.project } });
    const id = await ready('gone');
    await done((await world.owner.call(api.instancesArchive, { params: { instance: id } })).operation.id);
    const wrong = await world.owner.try(api.instancesPurge, { params: { instance: id }, body: { confirmName: 'no' } });
    expect(wrong.statusCode).toBe(400);
    const { operation } = await world.owner.call(api.instancesPurge, {
      params: { instance: id },
      body: { confirmName: 'gone' },
    });
    expect(await done(operation.id)).toMatchObject({ state: 'succeeded' });
    expect(await driver.observe(id)).toBeNull();
    expect((await world.owner.try(api.instancesGet, { params: { instance: id } })).statusCode).toBe(404);
    expect(await world.owner.call(api.quotaGet, { params: { project: world.project } })).toEqual(before);
  });

  it('D5: rename changes the host name inside and the address; resize changes the limits live', async () => {
    const id = await ready('old-name', 'desktop');
    await done(
      (await world.owner.call(api.instancesRename, { params: { instance: id }, body: { name: 'new-name' } })).operation
        .id,
    );
    expect(await get(id)).toMatchObject({ name: 'new-name', url: 'https://new-name.berth.localhost' });
    expect((await driver.observe(id))?.hostname).toBe('new-name');
    const { operation } = await world.owner.call(api.instancesResize, {
      params: { instance: id },
      body: { size: 'large' },
    });
    expect(await done(operation.id)).toMatchObject({ state: 'succeeded' });
    expect((await get(id)).size).toMatchObject({ cpus: 2, memoryBytes: 4 * 1024 ** 3 });
    expect((await driver.observe(id))?.size?.memoryBytes).toBe(4 * 1024 ** 3);
    const shrink = await world.owner.try(api.instancesResize, { params: { instance: id }, body: { size: 'medium' } });
    expect(shrink.statusCode).toBe(422);
  });

  it('D6: snapshot, roll back, clone from it, delete it', async () => {
    const id = await ready('data');
    driver.behind.write(id, 7);
    await done(
      (await world.owner.call(api.snapshotsCreate, { params: { instance: id }, body: { name: 'before' } })).operation
        .id,
    );
    const { items } = await world.owner.call(api.snapshotsList, { params: { instance: id } });
    expect(items).toMatchObject([{ name: 'before', state: 'ready', createdBy: 'Olivia Owner' }]);
    const snapshot = items[0]!.id;
    driver.behind.write(id, 8);
    const clone = await world.owner.call(api.instancesClone, {
      params: { instance: id },
      body: { name: 'copy', snapshot },
    });
    expect((await done(clone.operation.id)).error).toBeNull();
    expect(driver.behind.read(clone.instance!.id)).toBe(7);
    expect(await get(clone.instance!.id)).toMatchObject({ name: 'copy', state: 'running' });
    await done((await world.owner.call(api.snapshotsRollback, { params: { instance: id, snapshot } })).operation.id);
    expect(driver.behind.read(id)).toBe(7);
    const removed = await world.owner.call(api.snapshotsDelete, { params: { instance: id, snapshot } });
    expect(await done(removed.operation.id)).toMatchObject({ state: 'succeeded' });
    expect((await world.owner.call(api.snapshotsList, { params: { instance: id } })).items).toEqual([]);
  });
});

describe('accepting', () => {
  it('I5: 50 parallel creates against a quota of 10 yield exactly 10', async () => {
    const stranger = await world.owner.addStranger();
    await stranger.owner.call(api.quotaUpdate, { params: { project: stranger.project }, body: { instances: 10 } });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        stranger.owner.try(api.instancesCreate, {
          params: { project: stranger.project },
          body: { kind: 'server', name: `race-${index}` },
        }),
      ),
    );
    expect(answers.filter((answer) => answer.statusCode === 202)).toHaveLength(10);
    expect(new Set(answers.filter((a) => a.statusCode !== 202).map((a) => a.json().code))).toEqual(
      new Set(['quota_exceeded']),
    );
    const { items } = await stranger.owner.call(api.instancesList, { params: { project: stranger.project } });
    expect(items).toHaveLength(10);
    expect(new Set(items.map((item) => item.address4)).size).toBe(10);
    for (const answer of answers.filter((candidate) => candidate.statusCode === 202)) {
      expect((await settled(stranger.owner, answer.json().operation.id)).state).toBe('succeeded');
    }
  });

  it('D1: an idempotency key makes a repeated create the same create; another body is refused', async () => {
    const key = { 'idempotency-key': 'key-1' };
    const [one, two] = await Promise.all([create('idem', 'server', key), create('idem', 'server', key)]);
    expect(two.operation.id).toBe(one.operation.id);
    const other = await world.owner.try(api.instancesCreate, {
      params: { project: world.project },
      body: { kind: 'server', name: 'idem-other' },
      headers: key,
    });
    expect(other.json()).toMatchObject({ status: 409, code: 'idempotency_conflict' });
    await done(one.operation.id);
  });

  it('D5: one operation at a time on an instance, and the refusal names what runs', async () => {
    const id = await ready('busy');
    driver.faults.delay('power', 300);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        world.owner.try(api.instancesPower, { params: { instance: id, action: 'restart' } }),
      ),
    );
    driver.faults.clear();
    const accepted = answers.filter((answer) => answer.statusCode === 202);
    expect(accepted).toHaveLength(1);
    for (const answer of answers.filter((candidate) => candidate.statusCode !== 202)) {
      expect(answer.json()).toMatchObject({ code: 'state_conflict' });
      expect(answer.json().detail).toContain('Restart busy');
    }
    await done(accepted[0]!.json().operation.id);
    await until(async () => (await get(id)).operation === null);
  });

  it('D2: routes work from the moment they are committed; foreign domains and reserved names are refused', async () => {
    const id = await ready('site');
    const route = await world.owner.call(api.routesCreate, {
      params: { instance: id },
      body: { hostname: 'docs-site.berth.localhost', port: 8080, visibility: 'public' },
    });
    expect(route).toMatchObject({ url: 'https://docs-site.berth.localhost', primary: false, can: { delete: true } });
    for (const [hostname, code] of [
      ['shop.example.com', 'invalid_input'],
      ['a.b.berth.localhost', 'invalid_input'],
      ['console.berth.localhost', 'invalid_input'],
      ['docs-site.berth.localhost', 'name_taken'],
    ] as const) {
      const refused = await world.owner.try(api.routesCreate, {
        params: { instance: id },
        body: { hostname, port: 80 },
      });
      expect(refused.json().code).toBe(code);
    }
    const { items } = await world.owner.call(api.routesList, { params: { instance: id } });
    expect(items.map((item) => [item.primary, item.port])).toEqual([
      [true, 80],
      [false, 8080],
    ]);
    await world.owner.call(api.routesUpdate, { params: { route: route.id }, body: { port: 81 } });
    await world.owner.call(api.routesDelete, { params: { route: route.id } });
    expect((await world.owner.call(api.quotaGet, { params: { project: world.project } })).used.routes).toBe(0);
  });
});
