/**
 * kill -9 of the control plane at every point of every workflow, then a restart: the operation ends as if nothing had
 * happened (or cleanly failed where the engine refuses), nothing is doubled, nothing is left over.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { Operation } from '#contract/operations.ts';
import type { InstanceId, SnapshotId } from '#domain/ids.ts';
import type { OperationKind } from '#domain/operations.ts';
import { KillableInstallation, type KillableServer } from '#testkit/killable.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { workflows } from './registry.ts';
import type { StopAt, StopMoment } from './stop-point.ts';

let installation: KillableInstallation;
let server: KillableServer;
let counter = 0;

beforeAll(async () => {
  installation = new KillableInstallation((await withDatabase()).url);
  server = await installation.start();
  await installation.setUp(server);
});
afterAll(async () => {
  await server?.kill();
  installation?.remove();
});

/** Restarts with this stop point (or none). */
async function restart(stopAt?: StopAt): Promise<void> {
  await server.kill();
  server = await installation.start(stopAt === undefined ? {} : { stopAt });
}

const project = () => ({ project: installation.project });

/** The accepted operation, also when the process died before the answer arrived. */
async function accepted(kind: OperationKind, work: () => Promise<unknown>): Promise<() => Promise<Operation>> {
  const before = new Set((await server.call(api.operationsList, project())).items.map((item) => item.id));
  await work().catch(() => undefined);
  return async () => {
    const { items } = await server.call(api.operationsList, project());
    const operation = items.find((item) => item.kind === kind && !before.has(item.id));
    if (operation === undefined) throw new Error(`no ${kind} was accepted`);
    return server.settled(operation.id);
  };
}

async function make(name: string): Promise<InstanceId> {
  const { operation, instance } = await server.call(api.instancesCreate, project(), { kind: 'server', name });
  expect((await server.settled(operation.id)).error).toBeNull();
  return instance!.id;
}
async function ended<T extends { operation: Operation }>(answer: Promise<T>): Promise<T> {
  const got = await answer;
  expect((await server.settled(got.operation.id)).error).toBeNull();
  return got;
}

/** What is in the engine is what the rows say, and the quota adds up. */
async function consistent(): Promise<void> {
  const { items } = await server.call(api.instancesList, project());
  const archived = await server.raw('GET', `/api/v1/projects/${installation.project}/instances?archived=true`);
  const rows = [...items, ...(archived.body as { items: typeof items }).items];
  const guests = installation.guests();
  const expected = rows.filter((row) => row.phase !== 'failed').map((row) => row.id);
  expect(guests.map((guest) => guest.instance).sort()).toEqual(expected.sort());
  expect(rows.filter((row) => row.operation !== null)).toEqual([]);
  for (const row of items.filter((candidate) => candidate.phase === 'ready')) {
    const guest = guests.find((candidate) => candidate.instance === row.id);
    expect([row.name, row.desired, row.size]).toEqual([guest?.hostname, guest?.state, guest?.size]);
    expect(row.url).toBe(`https://${row.name}.berth.localhost`);
    const snapshots = await server.call(api.snapshotsList, { instance: row.id });
    expect(snapshots.items.map((item) => item.id).sort()).toEqual(guest?.snapshots.map((s) => s.snapshot).sort());
  }
  const { used } = await server.call(api.quotaGet, project());
  const living = items.filter((row) => row.phase === 'ready');
  expect(used).toMatchObject({
    instances: living.length,
    cpus: living.reduce((sum, row) => sum + row.size.cpus, 0),
    diskBytes: rows.filter((row) => row.phase !== 'failed').reduce((sum, row) => sum + row.size.diskBytes, 0),
  });
}

/** For each kind: what must be there first, and the call that starts it. */
type Scenario = { prepare(name: string): Promise<unknown>; act(prepared: never): Promise<unknown> };
const power = (
  action: 'start' | 'stop' | 'restart' | 'pause' | 'resume',
  ...before: ('stop' | 'pause')[]
): Scenario => ({
  async prepare(name) {
    const instance = await make(name);
    for (const first of before) await ended(server.call(api.instancesPower, { instance, action: first }));
    return instance;
  },
  act: (instance: InstanceId) => server.call(api.instancesPower, { instance, action }),
});
const withSnapshot = async (name: string) => {
  const instance = await make(name);
  await ended(server.call(api.snapshotsCreate, { instance }, { name: 'before' }));
  const { items } = await server.call(api.snapshotsList, { instance });
  return { instance, snapshot: items[0]!.id };
};
type Snap = { instance: InstanceId; snapshot: SnapshotId };
const archived = async (name: string) => {
  const instance = await make(name);
  await ended(server.call(api.instancesArchive, { instance }));
  return { instance, name };
};

const scenarios: Record<Exclude<OperationKind, `image.${string}`>, Scenario> = {
  'instance.create': {
    prepare: async (name) => name,
    act: (name: string) => server.call(api.instancesCreate, project(), { kind: 'server', name }),
  },
  'instance.start': power('start', 'stop'),
  'instance.stop': power('stop'),
  'instance.restart': power('restart'),
  'instance.pause': power('pause'),
  'instance.resume': power('resume', 'pause'),
  'instance.resize': {
    prepare: make,
    act: (instance: InstanceId) => server.call(api.instancesResize, { instance }, { size: 'medium' }),
  },
  'instance.rename': {
    prepare: make,
    act: (instance: InstanceId) => server.call(api.instancesRename, { instance }, { name: `renamed-${counter}` }),
  },
  'instance.clone': {
    prepare: make,
    act: (instance: InstanceId) => server.call(api.instancesClone, { instance }, { name: `clone-${counter}` }),
  },
  'instance.archive': {
    prepare: make,
    act: (instance: InstanceId) => server.call(api.instancesArchive, { instance }),
  },
  'instance.restore': {
    prepare: archived,
    act: ({ instance }: { instance: InstanceId }) => server.call(api.instancesRestore, { instance }, {}),
  },
  'instance.purge': {
    prepare: archived,
    act: ({ instance, name }: { instance: InstanceId; name: string }) =>
      server.call(api.instancesPurge, { instance }, { confirmName: name }),
  },
  'snapshot.create': {
    prepare: make,
    act: (instance: InstanceId) => server.call(api.snapshotsCreate, { instance }, { name: 'now' }),
  },
  'snapshot.restore': {
    prepare: withSnapshot,
    act: ({ instance, snapshot }: Snap) => server.call(api.snapshotsRollback, { instance, snapshot }),
  },
  'snapshot.delete': {
    prepare: withSnapshot,
    act: ({ instance, snapshot }: Snap) => server.call(api.snapshotsDelete, { instance, snapshot }),
  },
};

/** Create at every moment; the others where it matters most: the effect is there, its record is not. */
const points: StopAt[] = Object.keys(scenarios).flatMap((kind) => {
  const steps = workflows[kind as OperationKind].steps.map((step) => step.name);
  const moments: StopMoment[] = kind === 'instance.create' ? ['before', 'effect', 'recorded'] : ['effect'];
  return [...steps, 'finish'].flatMap((step) =>
    (step === 'finish' ? (['effect'] as const) : moments).map(
      (moment): StopAt => ({ kind, step, moment, action: 'kill' }),
    ),
  );
});

describe('kill -9 at each step, then restart', () => {
  it.each(points.map((point) => [`${point.kind}: ${point.moment} of ${point.step}`, point] as const))(
    'D1: %s',
    async (_title, point) => {
      counter++;
      const scenario = scenarios[point.kind as keyof typeof scenarios];
      const prepared = await scenario.prepare(`kill-${counter}`);
      await restart(point);
      const outcome = await accepted(point.kind as OperationKind, () => scenario.act(prepared as never));
      await server.died();
      await restart();
      expect(await outcome()).toMatchObject({ state: 'succeeded', error: null });
      await consistent();
      await clear();
    },
  );
});

describe('kill -9 while undoing', () => {
  it.each(['start', 'route', 'guest'])('D1: create that fails at the end, killed in the undo of %s', async (step) => {
    counter++;
    await server.kill();
    const faults = [{ verb: 'health' as const, times: 100_000 }];
    server = await installation.start({
      faults,
      stopAt: { kind: 'instance.create', step, moment: 'undo', action: 'kill' },
    });
    const outcome = await accepted('instance.create', () =>
      server.call(api.instancesCreate, project(), { kind: 'server', name: `undo-${counter}` }),
    );
    if (step === 'start') {
      // It has no undo of its own: the guest's takes it along, so this point is never reached.
      expect(await outcome()).toMatchObject({ state: 'failed' });
    } else {
      await server.died();
      await restart();
      expect(await outcome()).toMatchObject({ state: 'failed', error: { code: 'timeout' } });
    }
    await restart();
    await consistent();
    await clear();
  });
});

/** Everything goes, so that the next point starts from nothing. */
async function clear(): Promise<void> {
  const { items } = await server.call(api.instancesList, project());
  for (const item of items) await ended(server.call(api.instancesArchive, { instance: item.id }));
  const archivedOnes = await server.raw('GET', `/api/v1/projects/${installation.project}/instances?archived=true`);
  for (const item of (archivedOnes.body as { items: typeof items }).items) {
    await ended(server.call(api.instancesPurge, { instance: item.id }, { confirmName: item.name }));
  }
  expect(installation.guests()).toEqual([]);
}
