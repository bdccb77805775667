/**
 * Properties that hold for every workflow: each step may run twice, each may fail (before or after its effect), each undo
 * may run twice; afterwards rows, quota and engine agree and nothing is left over.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { BerthError } from '#domain/errors.ts';
import type { OperationKind } from '#domain/operations.ts';
import { GIB } from '#domain/sizes.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  clearAll,
  disagreements,
  type InstanceKindOfWork,
  otherProject,
  scenarios,
  type World,
} from '#testkit/scenarios.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';
import { workflows } from './registry.ts';
import type { StopMoment } from './stop-point.ts';

let server: TestServer;
let people: SetUp;
let world: World;
let counter = 0;
const driver = new SimulatedDriver();

/** What is done to workflows at the moment. */
const mode: { twice: OperationKind | null; failAt: { kind: string; step: string; moment: StopMoment } | null } = {
  twice: null,
  failAt: null,
};

beforeAll(async () => {
  server = await startTestServer({
    database: await withDatabase(),
    driver,
    work: {
      ...fastWork,
      stopPoint: async (kind, step, moment) => {
        const { failAt } = mode;
        if (failAt?.kind === kind && failAt.step === step && failAt.moment === moment) {
          throw new BerthError('conflict', `It was made to fail at ${step}.`);
        }
      },
      wrapRun: (kind, run) => {
        if (mode.twice !== kind) return run;
        // As after kill -9 between effect and record: the work is done, its answer lost, it is done again.
        const twice = async <T>(work: () => Promise<T>): Promise<T> => {
          await work();
          return work();
        };
        return { id: run.id, step: (name, work) => run.step(name, () => twice(work)) };
      },
    },
  });
  people = await server.setUp();
  await people.owner.call(api.quotaUpdate, {
    params: { project: people.project },
    body: { instances: 200, cpus: 400, memoryBytes: 400 * GIB, diskBytes: 4000 * GIB },
  });
  const call: World['call'] = (route, params, body, query) =>
    people.owner.call(route, {
      params,
      ...(body === undefined ? {} : { body }),
      ...(query === undefined ? {} : { query }),
    });
  world = {
    project: people.project,
    other: await otherProject(call, people.organization),
    call,
    settled: (operation) => settled(people.owner, operation),
    guests: () => driver.behind.guests(),
    repositories: () => driver.behind.repositories(),
  };
});
afterAll(() => server?.stop());
beforeEach(() => {
  mode.twice = null;
  mode.failAt = null;
});

/** The watchers may have something to put right first. */
async function agreed(): Promise<void> {
  let last: string[] = [];
  await until(async () => {
    last = await disagreements(world);
    return last.length === 0;
  }, 20_000).catch(() => expect(last).toEqual([]));
}

/** What was made stays for a while: everything at once must agree too, and clearing away takes time. */
const CLEAR_EVERY = 12;
async function sometimesClear(): Promise<void> {
  if (counter % CLEAR_EVERY === 0) await clearAll(world);
}
afterAll(() => clearAll(world));

const kinds = Object.keys(scenarios) as InstanceKindOfWork[];
const points = kinds.flatMap((kind) =>
  workflows[kind].steps.flatMap((step) =>
    (['before', 'effect'] as const).map((moment) => ({ kind, step: step.name, moment })),
  ),
);

describe('every step twice', () => {
  it.each(kinds)('D1: %s ends well and nothing is doubled', async (kind) => {
    const scenario = scenarios[kind];
    const prepared = await scenario.prepare(world, `twice-${counter++}`);
    mode.twice = kind;
    const { operation } = await scenario.act(world, prepared as never);
    const ended = await world.settled(operation.id);
    expect(ended).toMatchObject({ state: 'succeeded', error: null });
    expect(ended.steps.every((step) => step.attempts >= 2)).toBe(true);
    await agreed();
    mode.twice = null;
    await sometimesClear();
  });
});

describe('failing at each step, every undo twice', () => {
  it.each(points.map((point) => [point.kind, point.moment, point.step, point] as const))(
    'D1: %s, %s the effect of %s',
    async (kind, _moment, _step, point) => {
      const scenario = scenarios[kind];
      const prepared = await scenario.prepare(world, `fail-${counter++}`);
      mode.failAt = point;
      mode.twice = kind;
      const { operation } = await scenario.act(world, prepared as never);
      const ended = await world.settled(operation.id);
      expect(ended).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
      expect(ended.steps.find((step) => step.name === point.step)?.state).toBe('failed');
      expect(ended.steps.filter((step) => step.message?.startsWith('Not undone'))).toEqual([]);
      mode.failAt = null;
      mode.twice = null;
      // A purge only goes forward: the purger ends it.
      if (kind === 'instance.purge') server.app.services.nudge('archive-purger');
      await agreed();
      await sometimesClear();
    },
  );
});

describe('images', () => {
  const images = async () => (await people.owner.call(api.imagesList)).items;
  const image = async (name: string) => (await images()).find((item) => item.name === name);
  const build = async () => {
    const { operation } = await people.owner.call(api.imagesBuild, {
      params: { image: (await image('server'))?.id ?? '' },
      body: { force: true },
    });
    return world.settled(operation.id);
  };
  const importOne = async (name: string) => {
    const { operation } = await people.owner.call(api.imagesImport, {
      body: { type: 'file', path: `${name}.tar.xz`, name, kind: 'server', title: 'Brought along' },
    });
    return world.settled(operation.id);
  };
  const remove = async (name: string) => {
    const { operation } = await people.owner.call(api.imagesDelete, {
      params: { image: (await image(name))?.id ?? '' },
    });
    return world.settled(operation.id);
  };
  const inEngine = async (fingerprint: string | null | undefined) =>
    (await driver.images()).some((entry) => entry.fingerprint === fingerprint);

  it('A5: building with every step twice ends with a usable image', async () => {
    mode.twice = 'image.build';
    expect(await build()).toMatchObject({ state: 'succeeded' });
    expect(await image('server')).toMatchObject({ state: 'ready', error: null, outdated: false, operation: null });
  });

  it.each(
    workflows['image.build'].steps.flatMap((step) => [[step.name, 'before'] as const, [step.name, 'effect'] as const]),
  )('A5: a rebuild that fails at %s (%s) leaves the image that was there usable', async (step, moment) => {
    mode.failAt = { kind: 'image.build', step, moment };
    expect(await build()).toMatchObject({ state: 'failed' });
    expect(await image('server')).toMatchObject({ state: 'ready', error: `It was made to fail at ${step}.` });
    mode.failAt = null;
    expect(await build()).toMatchObject({ state: 'succeeded' });
    expect(await image('server')).toMatchObject({ state: 'ready', error: null });
  });

  it('A5: import and delete with every step twice', async () => {
    mode.twice = 'image.import';
    expect(await importOne('mine')).toMatchObject({ state: 'succeeded' });
    const { fingerprint } = (await image('mine'))!;
    expect(await inEngine(fingerprint)).toBe(true);
    mode.twice = 'image.delete';
    expect(await remove('mine')).toMatchObject({ state: 'succeeded' });
    expect(await image('mine')).toBeUndefined();
    expect(await inEngine(fingerprint)).toBe(false);
  });

  it('A5: an import that fails says so and can be deleted', async () => {
    mode.failAt = { kind: 'image.import', step: 'import', moment: 'before' };
    expect(await importOne('broken')).toMatchObject({ state: 'failed' });
    mode.failAt = null;
    expect(await image('broken')).toMatchObject({ state: 'failed', fingerprint: null });
    expect(await remove('broken')).toMatchObject({ state: 'succeeded' });
    expect(await image('broken')).toBeUndefined();
  });

  it.each([
    ['disallow', 'before', 'ready'],
    ['disallow', 'effect', 'ready'],
    ['remove', 'before', 'ready'],
    ['remove', 'effect', 'absent'],
  ] as const)('A5: a delete that fails at %s (%s) leaves the image %s', async (step, moment, state) => {
    const name = `kept-${step}-${moment}`;
    await importOne(name);
    mode.failAt = { kind: 'image.delete', step, moment };
    mode.twice = 'image.delete';
    expect(await remove(name)).toMatchObject({ state: 'failed' });
    mode.failAt = null;
    mode.twice = null;
    const kept = await image(name);
    expect(kept?.state).toBe(state);
    if (state === 'ready') expect(await inEngine(kept?.fingerprint)).toBe(true);
    expect(await remove(name)).toMatchObject({ state: 'succeeded' });
  });
});
