/**
 * kill -9 of the control plane at every point of every workflow, then a restart: the operation ends as if nothing had
 * happened (or cleanly failed where the engine refuses), nothing is doubled, nothing is left over.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { Operation } from '#contract/operations.ts';
import { KillableInstallation, type KillableServer } from '#testkit/killable.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  clearAll,
  disagreements,
  type InstanceKindOfWork,
  otherProject,
  scenarios,
  type World,
} from '#testkit/scenarios.ts';
import { until } from '#testkit/work.ts';
import { workflows } from './registry.ts';
import type { StopAt, StopMoment } from './stop-point.ts';

const POINT_MS_MAX = 180_000;
let installation: KillableInstallation;
let server: KillableServer;
let world: World;
let counter = 0;

beforeAll(async () => {
  installation = new KillableInstallation((await withDatabase()).url);
  server = await installation.start();
  await installation.setUp(server);
  const call: World['call'] = (route, params, body, query) => server.call(route, params, body, query);
  world = {
    project: installation.project,
    other: await otherProject(call, installation.organization),
    call,
    settled: (operation) => server.settled(operation),
    guests: () => installation.guests(),
    repositories: () => installation.repositories(),
  };
});
afterAll(async () => {
  await server?.kill();
  installation?.remove();
});

/** Starts what may kill the process before it answers; the result finds the operation and waits for its end. */
async function begun(kind: InstanceKindOfWork, prepared: unknown): Promise<() => Promise<Operation>> {
  const list = () => server.call(api.operationsList, { project: installation.project });
  const before = new Set((await list()).items.map((item) => item.id));
  await scenarios[kind].act(world, prepared as never).catch(() => undefined);
  return async () => {
    const operation = (await list()).items.find((item) => item.kind === kind && !before.has(item.id));
    if (operation === undefined) throw new Error(`no ${kind} was accepted`);
    return server.settled(operation.id);
  };
}

async function agreed(): Promise<void> {
  let last: string[] = [];
  await until(async () => {
    last = await disagreements(world);
    return last.length === 0;
  }, 30_000).catch(() => expect(last).toEqual([]));
}

/** Create and transfer at every moment; the others where it matters most: the effect is there, its record is not. */
const points = (Object.keys(scenarios) as InstanceKindOfWork[]).flatMap((kind) => {
  const moments: StopMoment[] =
    kind === 'instance.create' || kind === 'instance.transfer' ? ['before', 'effect', 'recorded'] : ['effect'];
  return [
    ...workflows[kind].steps.flatMap((step) => moments.map((moment) => ({ kind, step: step.name, moment }))),
    { kind, step: 'finish', moment: 'effect' as const },
  ];
});

describe('kill -9 at each step, then restart', () => {
  it.each(points.map((point) => [point.kind, point.moment, point.step, point] as const))(
    'D1: %s, killed %s the record of %s',
    async (kind, _moment, _step, point) => {
      const prepared = await scenarios[kind].prepare(world, `kill-${counter++}`);
      installation.stopAt({ ...point, action: 'kill' } satisfies StopAt);
      const outcome = await begun(kind, prepared);
      await server.died();
      server = await installation.start();
      expect(await outcome()).toMatchObject({ state: 'succeeded', error: null });
      await agreed();
      await clearAll(world);
    },
    POINT_MS_MAX,
  );
});

describe('kill -9 while undoing', () => {
  it.each(['route', 'guest'])(
    'D1: a create that fails at its end, killed in the undo of %s',
    async (step) => {
      await server.kill();
      server = await installation.start({ faults: [{ verb: 'health', times: 1_000_000 }] });
      installation.stopAt({ kind: 'instance.create', step, moment: 'undo', action: 'kill' });
      const outcome = await begun('instance.create', `undo-${counter++}`);
      await server.died();
      server = await installation.start();
      expect(await outcome()).toMatchObject({ state: 'failed', error: { code: 'timeout' } });
      await agreed();
      await clearAll(world);
    },
    POINT_MS_MAX,
  );

  it.each(['move', 'stop'])(
    'I4: a move that fails at its end, killed in the undo of %s: it is back where it was',
    async (step) => {
      const prepared = await scenarios['instance.transfer'].prepare(world, `back-${counter++}`);
      await server.kill();
      server = await installation.start({ faults: [{ verb: 'health', times: 1_000_000 }] });
      installation.stopAt({ kind: 'instance.transfer', step, moment: 'undo', action: 'kill' });
      const outcome = await begun('instance.transfer', prepared);
      await server.died();
      server = await installation.start();
      expect(await outcome()).toMatchObject({ state: 'failed', error: { code: 'timeout' } });
      await agreed();
      const here = await server.call(api.instancesGet, { instance: prepared as string });
      expect(here).toMatchObject({ project: installation.project, observed: 'running', operation: null });
      await clearAll(world);
    },
    POINT_MS_MAX,
  );
});

describe('kill -9 after somebody wanted a command to end', () => {
  it(
    'V2: it is heeded after the restart, and nothing of the command is left inside',
    async () => {
      await server.kill();
      server = await installation.start({ faults: [{ verb: 'lookAtGuestRun', times: 1_000_000 }] });
      const prepared = await scenarios['stack.pull'].prepare(world, `stop-${counter++}`);
      const { operation } = await scenarios['stack.pull'].act(world, prepared as never);
      const now = () => server.call(api.operationsGet, { operation: operation.id });
      await until(async () => (await now()).steps[0]?.message?.includes('Trying again') === true);
      expect((await server.call(api.operationsStop, { operation: operation.id })).stop).not.toBeNull();
      await server.kill();
      server = await installation.start();
      expect(await server.settled(operation.id)).toMatchObject({ state: 'stopped', error: null });
      await agreed();
      await clearAll(world);
    },
    POINT_MS_MAX,
  );
});

describe('two replicas', () => {
  it(
    'A7: when one is killed in the middle of a create, the other goes on with it',
    async () => {
      const other = await installation.start({}, 'two');
      try {
        installation.stopAt({ kind: 'instance.create', step: 'guest', moment: 'effect', action: 'kill' });
        const outcome = await begun('instance.create', `replica-${counter++}`);
        await Promise.race([server.died(60_000), other.died(60_000)]);
        // Whichever died: the survivor answers from here on, nobody restarts the dead one.
        const survivor = server.alive ? server : other;
        server = survivor;
        expect(await outcome()).toMatchObject({ state: 'succeeded', error: null });
        await agreed();
        await clearAll(world);
      } finally {
        if (server !== other) await other.kill();
      }
    },
    POINT_MS_MAX,
  );
});
