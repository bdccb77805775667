/** R3, I5: backups through the API: what counts, races, and everything that happens to the instance they are of. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { backupBound } from '#domain/backups.ts';
import type { BackupId, InstanceId, ProjectId } from '#domain/ids.ts';
import { defaultOrganizationQuota, defaultQuota } from '#domain/quotas.ts';
import { GIB } from '#domain/sizes.ts';
import { SIMULATED_FIRST_BYTES, SIMULATED_MORE_BYTES } from '#drivers/simulated/backups.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { recountQuotas } from '#server/store/quotas.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { PASSWORD, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let one: TestServer;
let world: SetUp;
let side: ProjectId;
const driver = new SimulatedDriver();

beforeAll(async () => {
  one = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await one.setUp();
  side = await project('side');
});
afterAll(() => one?.stop());

async function project(name: string): Promise<ProjectId> {
  const params = { organization: world.organization };
  return (await world.owner.call(api.projectsCreate, { params, body: { name, title: name } })).id;
}

async function done(answer: Promise<{ operation: { id: string } }>) {
  return settled(world.owner, (await answer).operation.id as never);
}

async function server(name: string, where: ProjectId = world.project): Promise<InstanceId> {
  const { operation, instance } = await world.owner.call(api.instancesCreate, {
    params: { project: where },
    body: { kind: 'server', name },
  });
  expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'succeeded' });
  if (instance === null) throw new Error('no instance');
  return instance.id;
}

const create = (instance: InstanceId) => world.owner.call(api.backupsCreate, { params: { instance }, body: {} });
const list = async (instance: InstanceId) => (await world.owner.call(api.backupsList, { params: { instance } })).items;
const get = (backup: BackupId) => world.owner.call(api.backupsGet, { params: { backup } });
async function backedUp(instance: InstanceId) {
  expect(await done(create(instance))).toMatchObject({ state: 'succeeded', error: null });
  const [made] = await list(instance);
  if (made === undefined) throw new Error('no backup');
  return made;
}
async function used(of: ProjectId = world.project) {
  const { backups, backupBytes } = (await world.owner.call(api.quotaGet, { params: { project: of } })).used;
  return { backups, backupBytes };
}
async function usedByAll() {
  const params = { organization: world.organization };
  const { backups, backupBytes } = (await world.owner.call(api.organizationQuotaGet, { params })).used;
  return { backups, backupBytes };
}
const setLimit = (body: { backups?: number; backupBytes?: number }) =>
  world.owner.call(api.quotaUpdate, { params: { project: world.project }, body });
const remove = async (instance: InstanceId, confirmName: string) => {
  await done(world.owner.call(api.instancesArchive, { params: { instance } }));
  await world.owner.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
  return done(world.owner.call(api.instancesPurge, { params: { instance }, body: { confirmName } }));
};

describe('R3: backups', () => {
  it('R3: count what they take, hold the disk, and come back in place with a snapshot of what was there', async () => {
    const instance = await server('web');
    driver.behind.write(instance, 1);
    const before = await used();
    const first = await backedUp(instance);
    expect(first).toMatchObject({ state: 'ready', addedBytes: SIMULATED_FIRST_BYTES, instanceName: 'web' });
    driver.behind.write(instance, 2);
    const second = await backedUp(instance);
    expect(second.addedBytes).toBe(SIMULATED_MORE_BYTES);
    expect(await used()).toEqual({
      backups: before.backups + 2,
      backupBytes: before.backupBytes + SIMULATED_FIRST_BYTES + SIMULATED_MORE_BYTES,
    });
    driver.behind.write(instance, 3);
    const wrong = await world.owner.try(api.backupsRestore, {
      params: { backup: first.id },
      body: { confirmName: 'wab' },
    });
    expect(wrong.json()).toMatchObject({ code: 'invalid_input', fields: [{ field: 'confirmName' }] });
    const restore = world.owner.call(api.backupsRestore, {
      params: { backup: first.id },
      body: { confirmName: 'web' },
    });
    expect(await done(restore)).toMatchObject({ state: 'succeeded' });
    const guest = () => driver.behind.guests().find((each) => each.instance === instance);
    expect(guest()).toMatchObject({ content: 1, state: 'running' });
    const [snapshot] = (await world.owner.call(api.snapshotsList, { params: { instance } })).items;
    expect(snapshot?.name).toMatch(/^Before restoring, /);
    await done(world.owner.call(api.snapshotsRollback, { params: { instance, snapshot: snapshot?.id as never } }));
    expect(guest()?.content).toBe(3);
    const audit = await world.owner.call(api.auditList, {
      params: { organization: world.organization },
      query: { action: 'backup.restore' },
    });
    expect(audit.items[0]).toMatchObject({ target: 'web', targetKind: 'backup', targetId: first.id, result: 'ok' });
  });

  it('R3: people go on working while one is made; only what would take the disk away waits', async () => {
    const instance = await server('busy');
    driver.faults.delay('backupGuest', 20_000);
    const { operation } = await create(instance);
    const power = world.owner.call(api.instancesPower, { params: { instance, action: 'restart' }, body: {} });
    expect(await done(power)).toMatchObject({ state: 'succeeded' });
    expect((await world.owner.try(api.backupsCreate, { params: { instance }, body: {} })).json()).toMatchObject({
      code: 'state_conflict',
      detail: expect.stringContaining('Back up busy'),
    });
    const move = await world.owner.try(api.instancesTransfer, { params: { instance }, body: { project: side } });
    expect(move.json().code).toBe('state_conflict');
    await done(world.owner.call(api.instancesArchive, { params: { instance } }));
    await world.owner.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
    const purge = await world.owner.try(api.instancesPurge, { params: { instance }, body: { confirmName: 'busy' } });
    expect(purge.json().code).toBe('state_conflict');
    driver.faults.clear();
    expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'succeeded' });
  });

  it('R3: they stay when the instance is removed for good, and become a new one', async () => {
    const before = await used();
    const instance = await server('lost');
    driver.behind.write(instance, 7);
    const backup = await backedUp(instance);
    expect(await remove(instance, 'lost')).toMatchObject({ state: 'succeeded' });
    const left = await get(backup.id);
    expect(left).toMatchObject({ instance: null, instanceName: 'lost', state: 'ready', busyWith: null });
    expect(left.can).toMatchObject({ restore: expect.stringContaining('gone'), recover: true });
    expect(await used()).toEqual({
      backups: before.backups + 1,
      backupBytes: before.backupBytes + SIMULATED_FIRST_BYTES,
    });
    const page = await world.owner.call(api.backupsListProject, { params: { project: world.project }, query: {} });
    expect(page.items.map((each) => each.id)).toContain(backup.id);
    const inPlace = await world.owner.try(api.backupsRestore, {
      params: { backup: backup.id },
      body: { confirmName: 'lost' },
    });
    expect(inPlace.json().code).toBe('state_conflict');
    const answer = await world.owner.call(api.backupsRecover, {
      params: { backup: backup.id },
      body: { name: 'found' },
    });
    expect(await settled(world.owner, answer.operation.id)).toMatchObject({ state: 'succeeded' });
    expect(answer.instance?.name).toBe('found');
    const guest = driver.behind.guests().find((each) => each.instance === answer.instance?.id);
    expect(guest).toMatchObject({ content: 7, state: 'running', hostname: 'found' });
    expect(await done(world.owner.call(api.backupsDelete, { params: { backup: backup.id } }))).toMatchObject({
      state: 'succeeded',
    });
    expect(await used()).toEqual(before);
  });

  it('R3: they keep their project from being deleted, and move with their instance', async () => {
    const there = await project('there');
    const last = await project('last');
    const instance = await server('traveller', there);
    const backup = await backedUp(instance);
    await done(world.owner.call(api.instancesTransfer, { params: { instance }, body: { project: last } }));
    expect(await get(backup.id)).toMatchObject({ project: last });
    expect(await used(there)).toEqual({ backups: 0, backupBytes: 0 });
    expect(await used(last)).toEqual({ backups: 1, backupBytes: SIMULATED_FIRST_BYTES });
    await world.owner.call(api.projectsDelete, { params: { project: there } });
    await remove(instance, 'traveller');
    const refused = await world.owner.try(api.projectsDelete, { params: { project: last } });
    expect(refused.json()).toMatchObject({ code: 'conflict', detail: expect.stringContaining('1 backup') });
    await done(world.owner.call(api.backupsDelete, { params: { backup: backup.id } }));
    await world.owner.call(api.projectsDelete, { params: { project: last } });
    await recountQuotas(one.app.db);
    expect((await recountQuotas(one.app.db)).length).toBe(0);
  });

  it('R3: damage is said, begins another repository, harms nothing else, and can be deleted', async () => {
    const before = await used();
    const [instance, other] = [await server('damaged'), await server('whole')];
    const [first, safe] = [await backedUp(instance), await backedUp(other)];
    await backedUp(instance);
    const verify = () => done(world.owner.call(api.backupsVerify, { params: { backup: first.id } }));
    expect(await verify()).toMatchObject({ state: 'succeeded' });
    expect((await get(first.id)).repository).toMatchObject({ state: 'sound', problem: null });
    driver.behind.damage(first.repository.id, 'pack 1234: hash does not match');
    expect(await verify()).toMatchObject({
      state: 'failed',
      error: { code: 'conflict', message: 'These backups are damaged: pack 1234: hash does not match' },
    });
    expect((await get(first.id)).repository).toMatchObject({
      state: 'damaged',
      problem: expect.stringContaining('1234'),
    });
    expect((await get(safe.id)).repository.state).toBe('unverified');
    const restore = world.owner.call(api.backupsRestore, {
      params: { backup: first.id },
      body: { confirmName: 'damaged' },
    });
    expect(await done(restore)).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
    expect(driver.behind.guests().find((each) => each.instance === instance)?.state).toBe('running');
    const anew = await backedUp(instance);
    expect(anew.repository.id).not.toBe(first.repository.id);
    for (const { id } of [...(await list(instance)), safe]) {
      expect(await done(world.owner.call(api.backupsDelete, { params: { backup: id } }))).toMatchObject({
        state: 'succeeded',
      });
    }
    expect(await used()).toEqual(before);
    expect(driver.behind.repositories().map((each) => each.repository)).not.toContain(first.repository.id);
  });

  it('R3: backup-keeper says when a folder is gone, and counts what is there', async () => {
    const before = await used();
    const instance = await server('keeper');
    const { id, repository } = await backedUp(instance);
    await one.app.db
      .updateTable('backup_repository')
      .set({ stored_bytes: 5 })
      .where('id', '=', repository.id)
      .execute();
    await recountQuotas(one.app.db);
    one.app.services.nudge('backup-keeper');
    await until(async () => (await get(id)).repository.storedBytes === SIMULATED_FIRST_BYTES);
    expect(await used()).toEqual({
      backups: before.backups + 1,
      backupBytes: before.backupBytes + SIMULATED_FIRST_BYTES,
    });
    driver.behind.loseRepository(repository.id);
    one.app.services.nudge('backup-keeper');
    await until(async () => (await get(id)).repository.state === 'damaged');
    expect((await get(id)).repository.problem).toContain('no longer on the host');
    await done(world.owner.call(api.backupsDelete, { params: { backup: id } }));
    expect(await used()).toEqual(before);
  });
});

describe('I5: the quota of backups', () => {
  it('I5: 50 at once on 10 instances with room for 4 yield exactly 4, by number and by bytes', async () => {
    const instances = await Promise.all(Array.from({ length: 10 }, (_, index) => server(`race-${index}`)));
    const race = async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          world.owner.try(api.backupsCreate, {
            params: { instance: instances[index % instances.length] as InstanceId },
            body: {},
          }),
        ),
      );
      const won = answers.filter((answer) => answer.statusCode === 202);
      const refused = answers.filter((answer) => answer.statusCode !== 202).map((answer) => answer.json().code);
      for (const answer of won) {
        expect(await settled(world.owner, answer.json().operation.id)).toMatchObject({ state: 'succeeded' });
      }
      for (const instance of instances) {
        for (const { id } of await list(instance))
          await done(world.owner.call(api.backupsDelete, { params: { backup: id } }));
      }
      return { won: won.length, refused: new Set(refused) };
    };
    const before = await used();
    // They stay reserved in full until all have been refused or accepted.
    driver.faults.delay('backupGuest', 4_000);
    await setLimit({ backups: before.backups + 4 });
    const byNumber = await race();
    expect(byNumber.won).toBe(4);
    expect(byNumber.refused).toContain('quota_exceeded');
    expect(await used()).toEqual(before);
    await setLimit({ backups: defaultQuota.backups, backupBytes: before.backupBytes + 4 * backupBound(10 * GIB) + 1 });
    const byBytes = await race();
    expect(byBytes.won).toBe(4);
    expect(byBytes.refused).toContain('quota_exceeded');
    driver.faults.clear();
    await setLimit({ backupBytes: defaultQuota.backupBytes });
    expect(await used()).toEqual(before);
    expect((await recountQuotas(one.app.db)).length).toBe(0);
  });

  it('I5: limits below the use block new ones and harm nothing; the organization has its own', async () => {
    const instance = await server('bounds');
    const backup = await backedUp(instance);
    await setLimit({ backups: 0, backupBytes: 0 });
    expect((await world.owner.try(api.backupsCreate, { params: { instance }, body: {} })).json()).toMatchObject({
      code: 'quota_exceeded',
      detail: "The project's quota has not enough backups and backup storage left.",
    });
    expect(await done(world.owner.call(api.backupsVerify, { params: { backup: backup.id } }))).toMatchObject({
      state: 'succeeded',
    });
    const recover = world.owner.call(api.backupsRecover, { params: { backup: backup.id }, body: { name: 'bounds-2' } });
    expect(await done(recover)).toMatchObject({ state: 'succeeded' });
    await setLimit({ backups: defaultQuota.backups, backupBytes: defaultQuota.backupBytes });
    const organization = (backups: number) =>
      world.owner.call(api.platformQuotaUpdate, { params: { organization: world.organization }, body: { backups } });
    await organization((await usedByAll()).backups);
    expect((await world.owner.try(api.backupsCreate, { params: { instance }, body: {} })).json().detail).toBe(
      "The organization's quota has not enough backups left.",
    );
    await organization(defaultOrganizationQuota.backups);
  });

  it('I5: what failed gives everything back', async () => {
    const instance = await server('fails');
    const before = await used();
    driver.faults.fail({ verb: 'backupGuest', times: 100 });
    expect(await done(create(instance))).toMatchObject({ state: 'failed' });
    driver.faults.clear();
    expect(await used()).toEqual(before);
    expect(await list(instance)).toEqual([]);
  });
});
