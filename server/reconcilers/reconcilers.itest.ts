/** What is kept true for ever: changes behind Berth's back, orphans, quotas, forgotten operations, images, archives. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { type InstanceId, makeId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { GIB } from '#domain/sizes.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { simulatedFingerprint } from '#drivers/simulated/images.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let world: SetUp;
const driver = new SimulatedDriver();
const unwell = new Set<InstanceId>();
const realHealth = driver.health.bind(driver);
driver.health = async (instance) =>
  unwell.has(instance)
    ? {
        state: 'unhealthy',
        checks: [{ name: 'rfb', state: 'unhealthy', message: 'No handshake.', optional: false }],
        checkedAt: new Date().toISOString(),
      }
    : realHealth(instance);

beforeAll(async () => {
  const work = { ...fastWork, pace: { ...fastWork.pace, runsKeptMs: 0 } };
  server = await startTestServer({ database: await withDatabase(), driver, work });
  world = await server.setUp();
});
afterAll(() => server?.stop());

const get = (instance: InstanceId) => world.owner.call(api.instancesGet, { params: { instance } });
async function create(name: string, kind: InstanceKind = 'server') {
  const answer = await world.owner.call(api.instancesCreate, {
    params: { project: world.project },
    body: { kind, name },
  });
  return { ...answer, id: answer.instance!.id };
}
async function make(name: string, kind: InstanceKind = 'server'): Promise<InstanceId> {
  const { operation, id } = await create(name, kind);
  expect((await settled(world.owner, operation.id)).error).toBeNull();
  return id;
}
const audit = async (action: string) =>
  (
    await server.app.db.selectFrom('audit').selectAll().where('action', '=', action).orderBy('seq', 'desc').execute()
  )[0];
const random = (bytes: number) => randomBytes(bytes);

describe('instance-watcher', () => {
  it('V1: a guest killed behind its back is started again, and who did it is on record', async () => {
    const id = await make('killed');
    driver.behind.kill(id);
    await until(async () => (await get(id)).operation !== null || (await driver.observe(id))?.state === 'running');
    await until(async () => {
      const now = await get(id);
      return now.state === 'running' && now.operation === null && now.drift === null;
    });
    const { items } = await world.owner.call(api.operationsList, {
      params: { project: world.project },
      query: { instance: id },
    });
    expect(items[0]).toMatchObject({ kind: 'instance.start', state: 'succeeded' });
    expect(items[0]?.actor).toContain('instance-watcher: It stopped without Berth');
    expect(await audit('instance.start')).toMatchObject({ actor_kind: 'system', target_id: id });
  });

  it('V1: limits changed behind its back are set again', async () => {
    const id = await make('grown');
    driver.behind.resize(id, { cpus: 9, memoryBytes: 9 * GIB, diskBytes: 10 * GIB });
    await until(async () => (await driver.observe(id))?.size?.cpus === 1);
    await until(async () => (await get(id)).drift === null && (await get(id)).operation === null);
  });

  it('V1: what cannot be repaired is shown with the reason', async () => {
    const id = await make('lost');
    driver.behind.remove(id);
    await until(async () => (await get(id)).drift !== null);
    expect(await get(id)).toMatchObject({ state: 'drifted', observed: 'absent' });
    expect((await get(id)).drift).toContain('no longer has this machine');
  });

  it('V1: a change at the engine is in the row within a second', async () => {
    const id = await make('quick');
    await world.owner.call(api.instancesPower, { params: { instance: id, action: 'stop' } });
    await until(async () => (await get(id)).state === 'stopped' && (await get(id)).operation === null);
    const version = (await get(id)).version;
    const started = performance.now();
    driver.behind.setState(id, 'starting');
    await until(async () => (await get(id)).observed === 'starting');
    expect((await get(id)).version).toBeGreaterThan(version);
    expect(performance.now() - started).toBeLessThan(5_000);
    driver.behind.setState(id, 'stopped');
  });

  it('V1: a guest with our label and no row is destroyed after a while and audited', async () => {
    for (const name of ['keeps-1', 'keeps-2']) await make(name);
    const orphan = makeId('ins', Date.now(), random);
    await driver.createGuest({
      instance: orphan,
      project: world.project,
      operation: makeId('opr', Date.now(), random),
      kind: 'server',
      hostname: 'orphan',
      imageFingerprint: simulatedFingerprint('server'),
      size: { cpus: 1, memoryBytes: GIB, diskBytes: 10 * GIB },
      address4: '10.79.0.9',
      address6: 'fd42:1:2:ffff::9',
    });
    await until(async () => (await driver.observe(orphan)) === null);
    await until(async () => (await audit('guest.reap'))?.target_id === orphan);
    expect(driver.behind.guests().length).toBeGreaterThan(2);
  });
});

describe('health-watcher', () => {
  it('D7: a desktop whose screen stays dead is restarted, and comes back', async () => {
    const id = await make('frozen', 'desktop');
    const before = (await driver.observe(id))?.startedAt;
    unwell.add(id);
    await until(async () => (await get(id)).health === 'unhealthy');
    await until(async () => {
      const { items } = await world.owner.call(api.operationsList, {
        params: { project: world.project },
        query: { instance: id },
      });
      return items.some((item) => item.kind === 'instance.restart');
    });
    unwell.delete(id);
    await until(async () => (await get(id)).health === 'healthy' && (await get(id)).operation === null);
    expect((await driver.observe(id))?.startedAt).not.toBe(before);
  });
});

describe('the others', () => {
  it('I5: quota-auditor corrects a count that is wrong and says so', async () => {
    const right = await world.owner.call(api.quotaGet, { params: { project: world.project } });
    await server.app.db
      .updateTable('quota')
      .set({ used_instances: 3, used_disk_bytes: 1 })
      .where('project_id', '=', world.project)
      .execute();
    server.app.services.nudge('quota-auditor');
    await until(async () => (await audit('quota.correct')) !== undefined);
    expect(await world.owner.call(api.quotaGet, { params: { project: world.project } })).toEqual(right);
  });

  it('D1: operation-starter starts what was accepted and never started', async () => {
    const { services } = server.app;
    const { startRun } = services;
    services.startRun = () => {};
    const { operation } = await create('forgotten');
    services.startRun = startRun;
    expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'succeeded' });
  });

  it('D1: archive-purger removes what was archived long enough', async () => {
    const id = await make('expired');
    const archived = await world.owner.call(api.instancesArchive, { params: { instance: id } });
    await settled(world.owner, archived.operation.id);
    await server.app.db
      .updateTable('instance')
      .set({ purge_at: new Date(Date.now() - 1000) })
      .where('id', '=', id)
      .execute();
    server.app.services.nudge('archive-purger');
    await until(async () => (await world.owner.try(api.instancesGet, { params: { instance: id } })).statusCode === 404);
    expect(await driver.observe(id)).toBeNull();
  });

  it('A5: a create whose image is not there builds it and shows how far it is', async () => {
    const imageOf = async (name: string) =>
      (await world.owner.call(api.imagesList)).items.find((image) => image.name === name)!;
    const server1 = await make('needs-server');
    const used = await imageOf('server');
    expect(used.can.delete).toContain('instances were made from it');
    expect((await world.owner.try(api.imagesDelete, { params: { image: used.id } })).json().code).toBe(
      'state_conflict',
    );
    for (const { id, name } of (
      await world.owner.call(api.instancesList, { params: { project: world.project }, query: { kind: 'desktop' } })
    ).items) {
      const archived = await world.owner.call(api.instancesArchive, { params: { instance: id } });
      await settled(world.owner, archived.operation.id);
      const purged = await world.owner.call(api.instancesPurge, {
        params: { instance: id },
        body: { confirmName: name },
      });
      await settled(world.owner, purged.operation.id);
    }
    const desktop = await imageOf('desktop');
    const removed = await world.owner.call(api.imagesDelete, { params: { image: desktop.id } });
    expect(await settled(world.owner, removed.operation.id)).toMatchObject({ state: 'succeeded' });
    expect(await imageOf('desktop')).toMatchObject({ state: 'absent', fingerprint: null });

    driver.faults.delay('buildImage', 600);
    const { operation, id } = await create('waits', 'desktop');
    await until(async () => {
      const now = await world.owner.call(api.operationsGet, { params: { operation: operation.id } });
      return now.steps[0]?.state === 'running' && (now.steps[0]?.message ?? '').includes('Building the image desktop');
    });
    expect(await imageOf('desktop')).toMatchObject({ operation: { id: expect.stringMatching(/^opr_/) } });
    expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'succeeded' });
    driver.faults.clear();
    expect((await get(id)).image.fingerprint).toBe(simulatedFingerprint('desktop'));
    expect(await imageOf('desktop')).toMatchObject({ state: 'ready', error: null });
    expect((await get(server1)).state).toBe('running');
  });

  it('A7: run-sweeper forgets the records of ended runs, and operations stay', async () => {
    const id = await make('remembered');
    const runs = async () =>
      (await sql<{ count: number }>`select count(*) from dbos.workflow_status`.execute(server.app.db)).rows[0]?.count;
    expect(await runs()).toBeGreaterThan(0);
    await until(async () => {
      // A run ends a moment after its operation: one look may be too early.
      server.app.services.nudge('run-sweeper');
      return (await runs()) === 0;
    });
    const { items } = await world.owner.call(api.operationsList, {
      params: { project: world.project },
      query: { instance: id },
    });
    expect(items[0]?.steps).toHaveLength(6);
  });

  it('V10: the hosts page shows what the host says of itself', async () => {
    await until(async () => (await world.owner.call(api.hostsList)).items[0]?.state === 'online');
    const [host] = (await world.owner.call(api.hostsList)).items;
    expect(host).toMatchObject({ name: 'test-host', engine: 'simulated', error: null });
    expect(host!.instances.running).toBeGreaterThan(0);
  });
});
