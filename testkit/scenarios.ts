/**
 * For every operation kind: what must be there first, and the call that starts it; and what must be true of rows, quota
 * and engine together whenever nothing runs. Shared by the workflow properties and the kill -9 tests.
 */
import { isDeepStrictEqual } from 'node:util';
import { api } from '#contract/api.ts';
import type { Operation } from '#contract/operations.ts';
import type { BodyInputOf, ResponseOf, RouteDefinition } from '#contract/route.ts';
import type { BackupId, InstanceId, OperationId, OrganizationId, ProjectId, SnapshotId } from '#domain/ids.ts';
import type { InstanceAction } from '#domain/instances.ts';
import type { OperationKind } from '#domain/operations.ts';
import type { StackVerb } from '#domain/stacks.ts';
import type { SimulatedRepository } from '#drivers/simulated/backups.ts';
import { HAND_MADE_STACK } from '#drivers/simulated/docker.ts';
import type { SimulatedGuest } from '#drivers/simulated/state.ts';
import { CallError, PASSWORD } from './server.ts';

/** Somebody who may do everything, and a way to see what the engine really has. */
export type World = {
  project: ProjectId;
  /** Another project of the same organization: where things are moved to. */
  other: ProjectId;
  call<R extends RouteDefinition>(
    route: R,
    params: Record<string, string>,
    body?: BodyInputOf<R>,
    query?: Record<string, string>,
  ): Promise<ResponseOf<R>>;
  settled(operation: OperationId): Promise<Operation>;
  guests(): readonly SimulatedGuest[];
  /** Repositories of backups on the host, with what is in them. */
  repositories(): readonly SimulatedRepository[];
};

export type InstanceKindOfWork = Exclude<OperationKind, `image.${string}`>;
export type Scenario = {
  prepare(world: World, name: string): Promise<unknown>;
  act(world: World, prepared: never): Promise<{ operation: Operation }>;
};

const inProject = (world: World) => ({ project: world.project });

/** Waits for the operation of an answer. Errors: Error when it failed. */
export async function finished<T extends { operation: Operation }>(world: World, answer: Promise<T>): Promise<T> {
  const got = await answer;
  const ended = await world.settled(got.operation.id);
  if (ended.state !== 'succeeded') throw new Error(`${ended.kind} failed: ${JSON.stringify(ended)}`);
  return got;
}

export async function makeInstance(world: World, name: string): Promise<InstanceId> {
  const create = world.call(api.instancesCreate, inProject(world), { kind: 'server', name });
  const { instance } = await finished(world, create);
  if (instance === null) throw new Error('no instance');
  return instance.id;
}

function power(action: InstanceAction, before?: InstanceAction): Scenario {
  return {
    async prepare(world, name) {
      const instance = await makeInstance(world, name);
      if (before !== undefined) await finished(world, world.call(api.instancesPower, { instance, action: before }));
      return instance;
    },
    act: (world, instance: InstanceId) => world.call(api.instancesPower, { instance, action }),
  };
}

type Snap = { instance: InstanceId; snapshot: SnapshotId };
async function withSnapshot(world: World, name: string): Promise<Snap> {
  const instance = await makeInstance(world, name);
  await finished(world, world.call(api.snapshotsCreate, { instance }, { name: 'before' }));
  const [snapshot] = (await world.call(api.snapshotsList, { instance })).items;
  if (snapshot === undefined) throw new Error('no snapshot');
  return { instance, snapshot: snapshot.id };
}

type Backed = { instance: InstanceId; backup: BackupId; name: string };
async function backedUp(world: World, name: string): Promise<Backed> {
  const instance = await makeInstance(world, name);
  await finished(world, world.call(api.backupsCreate, { instance }, {}));
  const [backup] = (await world.call(api.backupsList, { instance })).items;
  if (backup === undefined) throw new Error('no backup');
  return { instance, backup: backup.id, name };
}

type Named = { instance: InstanceId; name: string };
async function archived(world: World, name: string): Promise<Named> {
  const instance = await makeInstance(world, name);
  await finished(world, world.call(api.instancesArchive, { instance }));
  return { instance, name };
}
async function named(world: World, name: string): Promise<Named> {
  return { instance: await makeInstance(world, name), name };
}

const HOME = '/home/berth';
const PACKED = `${HOME}/all.tar.gz`;
function pack(world: World, instance: InstanceId) {
  return world.call(api.filesPack, { instance }, { folder: HOME, names: ['readme.txt'], to: PACKED });
}

/** The stack that every simulated server has. */
function stack(verb: StackVerb): Scenario {
  return {
    prepare: makeInstance,
    act: (world, instance: InstanceId) => world.call(api.stacksRun, { instance, stack: HAND_MADE_STACK, verb }, {}),
  };
}

export const scenarios: Record<InstanceKindOfWork, Scenario> = {
  'instance.create': {
    prepare: async (_world, name) => name,
    act: (world, name: string) => world.call(api.instancesCreate, inProject(world), { kind: 'server', name }),
  },
  'instance.start': power('start', 'stop'),
  'instance.stop': power('stop'),
  'instance.restart': power('restart'),
  'instance.pause': power('pause'),
  'instance.resume': power('resume', 'pause'),
  'instance.resize': {
    prepare: makeInstance,
    act: (world, instance: InstanceId) => world.call(api.instancesResize, { instance }, { size: 'medium' }),
  },
  'instance.rename': {
    prepare: named,
    act: (world, { instance, name }: Named) => world.call(api.instancesRename, { instance }, { name: `new-${name}` }),
  },
  'instance.clone': {
    prepare: named,
    act: (world, { instance, name }: Named) => world.call(api.instancesClone, { instance }, { name: `copy-${name}` }),
  },
  'instance.archive': {
    prepare: makeInstance,
    act: (world, instance: InstanceId) => world.call(api.instancesArchive, { instance }),
  },
  'instance.restore': {
    prepare: archived,
    act: (world, { instance }: Named) => world.call(api.instancesRestore, { instance }, {}),
  },
  'instance.purge': {
    prepare: archived,
    act: (world, { instance, name }: Named) => world.call(api.instancesPurge, { instance }, { confirmName: name }),
  },
  'instance.transfer': {
    prepare: async (world, name) => (await withSnapshot(world, name)).instance,
    act: (world, instance: InstanceId) => world.call(api.instancesTransfer, { instance }, { project: world.other }),
  },
  'snapshot.create': {
    prepare: makeInstance,
    act: (world, instance: InstanceId) => world.call(api.snapshotsCreate, { instance }, { name: 'now' }),
  },
  'snapshot.restore': {
    prepare: withSnapshot,
    act: (world, { instance, snapshot }: Snap) => world.call(api.snapshotsRollback, { instance, snapshot }),
  },
  'snapshot.delete': {
    prepare: withSnapshot,
    act: (world, { instance, snapshot }: Snap) => world.call(api.snapshotsDelete, { instance, snapshot }),
  },
  'backup.create': {
    prepare: makeInstance,
    act: (world, instance: InstanceId) => world.call(api.backupsCreate, { instance }, {}),
  },
  'backup.restore': {
    prepare: backedUp,
    act: (world, { backup, name }: Backed) => world.call(api.backupsRestore, { backup }, { confirmName: name }),
  },
  'backup.recover': {
    prepare: backedUp,
    act: (world, { backup, name }: Backed) => world.call(api.backupsRecover, { backup }, { name: `new-${name}` }),
  },
  'backup.delete': {
    prepare: backedUp,
    act: (world, { backup }: Backed) => world.call(api.backupsDelete, { backup }),
  },
  'backup.verify': {
    prepare: backedUp,
    act: (world, { backup }: Backed) => world.call(api.backupsVerify, { backup }),
  },
  'stack.up': stack('up'),
  'stack.down': stack('down'),
  'stack.restart': stack('restart'),
  'stack.pull': stack('pull'),
  'docker.clean': {
    prepare: makeInstance,
    act: (world, instance: InstanceId) => world.call(api.dockerClean, { instance }, { parts: ['images', 'volumes'] }),
  },
  'files.pack': { prepare: makeInstance, act: pack },
  'files.unpack': {
    async prepare(world, name) {
      const instance = await makeInstance(world, name);
      await finished(world, pack(world, instance));
      return instance;
    },
    act: (world, instance: InstanceId) =>
      world.call(api.filesUnpack, { instance }, { path: PACKED, to: `${HOME}/out` }),
  },
};

async function allInstances(world: World) {
  const pages = await Promise.all(
    [world.project, world.other].flatMap((project) =>
      ['false', 'true'].map((archived) => world.call(api.instancesList, { project }, undefined, { archived })),
    ),
  );
  return pages.flatMap((page) => page.items);
}

/**
 * What differs between rows, quota and engine; empty when everything agrees. For moments at which nothing runs.
 */
export async function disagreements(world: World): Promise<string[]> {
  const found: string[] = [];
  const expectEqual = (what: string, got: unknown, wanted: unknown): void => {
    if (isDeepStrictEqual(got, wanted)) return;
    found.push(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
  };
  const rows = await allInstances(world);
  const guests = world.guests();
  const kept = rows.filter((row) => row.phase !== 'failed');
  expectEqual('guests', guests.map((guest) => guest.instance).sort(), kept.map((row) => row.id).sort());
  const snapshots = new Map<string, number>();
  for (const row of rows) {
    expectEqual(`${row.name}: operation`, row.operation, null);
    if (row.phase !== 'ready' && row.phase !== 'archived') continue;
    const guest = guests.find((candidate) => candidate.instance === row.id);
    expectEqual(`${row.name}: commands inside`, guest?.docker.runs, []);
    expectEqual(`${row.name}: power`, guest?.state, row.desired);
    expectEqual(`${row.name}: observed`, row.observed, guest?.state);
    expectEqual(`${row.name}: size`, guest?.size, row.size);
    const taken = (await world.call(api.snapshotsList, { instance: row.id })).items;
    snapshots.set(row.project, (snapshots.get(row.project) ?? 0) + taken.length);
    expectEqual(`${row.name}: project`, guest?.project, row.project);
    const inEngine = guest?.snapshots.map((entry) => entry.snapshot).sort();
    expectEqual(`${row.name}: snapshots`, taken.map((item) => item.id).sort(), inEngine);
    expectEqual(
      `${row.name}: states`,
      taken.filter((item) => item.state !== 'ready'),
      [],
    );
    if (row.phase === 'archived') continue;
    expectEqual(`${row.name}: host name`, guest?.hostname, row.name);
    expectEqual(`${row.name}: url`, row.url, `https://${row.name}.berth.localhost`);
  }
  const backups = await allBackups(world);
  expectEqual(
    'backups on the host',
    world
      .repositories()
      .flatMap((each) => Object.keys(each.backups))
      .sort(),
    backups.map((each) => each.id).sort(),
  );
  expectEqual(
    'backups: states',
    backups.filter((each) => each.state !== 'ready' || each.busyWith !== null),
    [],
  );
  for (const project of [world.project, world.other]) {
    const { used } = await world.call(api.quotaGet, { project });
    const living = rows.filter((row) => row.phase === 'ready' && row.project === project);
    const sum = (of: typeof rows, key: 'cpus' | 'memoryBytes' | 'diskBytes') =>
      of.reduce((total, row) => total + row.size[key], 0);
    expectEqual(`quota of ${project === world.project ? 'the project' : 'the other project'}`, used, {
      instances: living.length,
      desktops: living.filter((row) => row.kind === 'desktop').length,
      servers: living.filter((row) => row.kind === 'server').length,
      cpus: sum(living, 'cpus'),
      memoryBytes: sum(living, 'memoryBytes'),
      diskBytes: sum(
        kept.filter((row) => row.project === project),
        'diskBytes',
      ),
      routes: 0,
      snapshots: snapshots.get(project) ?? 0,
      portForwards: 0,
      backups: backups.filter((each) => each.project === project).length,
      backupBytes: [
        ...new Map(
          backups
            .filter((each) => each.project === project)
            .map(({ repository }) => [repository.id, repository.storedBytes]),
        ).values(),
      ].reduce((sum, bytes) => sum + bytes, 0),
    });
  }
  return found;
}

async function allBackups(world: World) {
  const pages = await Promise.all(
    [world.project, world.other].map((project) =>
      world.call(api.backupsListProject, { project }, undefined, { limit: '100' }),
    ),
  );
  return pages.flatMap((page) => page.items);
}

/** Everything goes. Errors: Error when something of it fails. */
export async function clearAll(world: World): Promise<void> {
  for (const row of await allInstances(world)) {
    if (row.phase === 'archived' || row.phase === 'purging') continue;
    await finished(world, world.call(api.instancesArchive, { instance: row.id }));
  }
  const left = await allInstances(world);
  // The confirmation of the sign-in has run out in a long suite.
  if (left.length > 0) await world.call(api.confirm, {}, { type: 'password', password: PASSWORD });
  for (const row of left) {
    try {
      await finished(world, world.call(api.instancesPurge, { instance: row.id }, { confirmName: row.name }));
    } catch (error) {
      // The archive purger ends a purge that failed before, and may have ended this one since the list was read.
      if (!(error instanceof CallError && error.code === 'not_found')) throw error;
    }
  }
  for (const backup of await allBackups(world)) {
    await finished(world, world.call(api.backupsDelete, { backup: backup.id }));
  }
  if (world.repositories().length > 0) throw new Error(`left on the host: ${JSON.stringify(world.repositories())}`);
  if (world.guests().length > 0) throw new Error(`left in the engine: ${JSON.stringify(world.guests())}`);
}

/** A second project beside the world's own. */
export async function otherProject(call: World['call'], organization: OrganizationId): Promise<ProjectId> {
  const made = await call(api.projectsCreate, { organization }, { name: 'other', title: 'Other' });
  return made.id;
}
