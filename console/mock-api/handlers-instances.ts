/** Instances of the mock. */
import type { Instance } from '#contract/instances.ts';
import type { Operation } from '#contract/operations.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { nameProblem } from '#domain/names.ts';
import { instanceUse } from '#domain/quotas.ts';
import type { Size } from '#domain/sizes.ts';
import { defaultPreset, sizePresets } from '#domain/sizes.ts';
import type { Handlers } from './handlers.ts';
import { accepted, find, need, reserve } from './instance-parts.ts';
import { createSteps, makeInstance, makeOperation } from './make.ts';
import { runLines } from './run-lines.ts';
import { sampleLog } from './sample-log.ts';
import { run } from './simulate.ts';
import type { InstanceRow, MockState } from './state.ts';
import { DOMAIN, grantedTo, hint, iso, newId, present, record, touch } from './state.ts';

function sizeOf(kind: 'desktop' | 'server', choice: string | Size | undefined): Size {
  if (typeof choice === 'object') return choice;
  const preset = sizePresets.find((each) => each.name === (choice ?? defaultPreset[kind]))!;
  return { cpus: preset.cpus, memoryBytes: preset.memoryBytes, diskBytes: preset.diskBytes };
}

function takenBy(state: MockState, name: string): boolean {
  return (
    state.instances.some((each) => each.name === name && each.phase !== 'archived') ||
    state.routes.some((each) => each.hostname === `${name}.${DOMAIN}`)
  );
}

export function create(state: MockState, row: InstanceRow): { operation: Operation; instance: Instance | null } {
  const operation = makeOperation(state, 'instance.create', `Create ${row.name}`, row, createSteps, {
    usualSeconds: 8,
  });
  const image = state.images.find((each) => each.name === row.image.name);
  const waits = image !== undefined && image.state !== 'ready';
  const fail = row.name.startsWith('fail-') ? 'The engine has no room left on its storage pool.' : undefined;
  record(state, 'instance.create', 'instance', row.id, row.name);
  run(
    state,
    operation,
    row,
    [
      { at: 0, ms: 250 },
      { at: 1, ms: waits ? 6000 : 150, percent: waits },
      { at: 3, ms: 1600, percent: true, fail },
      { at: 5, after: () => Object.assign(row, { observed: 'starting', observedAt: iso() }) },
      {
        at: 6,
        ms: 1800,
        before: () => Object.assign(row, { observed: 'running', health: 'starting', startedAt: iso() }),
      },
    ],
    (ok) => {
      if (ok) {
        const sample = makeSample(state, row.kind);
        Object.assign(row, {
          phase: 'ready',
          observed: 'running',
          health: 'healthy',
          observedAt: iso(),
          healthChecks: sample.healthChecks,
          usage: sample.usage,
          address4: `10.64.0.${20 + state.instances.length}`,
          address6: 'fd42:7a10:93c4:1::2a',
          url: `https://${row.name}.${DOMAIN}`,
        });
      } else Object.assign(row, { phase: 'failed', observed: 'absent' });
      hint('quota', row.project, row.project);
    },
  );
  return accepted(state, operation, row);
}
function makeSample(state: MockState, kind: 'desktop' | 'server'): InstanceRow {
  const sample = makeInstance({ ...state, instances: [], routes: [] }, kind, 'sample');
  return sample;
}

const powerWords = { start: 'Start', stop: 'Stop', restart: 'Restart', pause: 'Pause', resume: 'Resume' } as const;

export const instanceHandlers: Pick<
  Handlers,
  | 'instancesList'
  | 'instancesCreate'
  | 'instanceNamesCheck'
  | 'instancesGet'
  | 'instancesUpdate'
  | 'instancesRename'
  | 'instancesResize'
  | 'instancesPower'
  | 'instancesClone'
  | 'instancesTransfer'
  | 'instancesArchive'
  | 'instancesRestore'
  | 'instancesPurge'
  | 'instancesLogs'
> = {
  instancesList: (state, { params, query }) => ({
    items: state.instances
      .filter((each) => each.project === params.project && (each.phase === 'archived') === (query.archived === 'true'))
      .filter(
        (each) =>
          (query.kind === undefined || each.kind === query.kind) &&
          (query.search === undefined || each.name.includes(query.search)),
      )
      .filter((each) => state.role !== 'guest' || grantedTo(state, each.id).length > 0)
      .map((each) => present(state, each)),
    nextCursor: null,
  }),
  instancesCreate: (state, { params, body }) => {
    if (takenBy(state, body.name))
      throw new BerthError('name_taken', `"${body.name}" is taken.`, {
        fields: [{ field: 'name', message: 'Somebody uses this name already.' }],
      });
    const size = sizeOf(body.kind, body.size);
    reserve(state, { project: params.project }, instanceUse({ kind: body.kind, size }));
    const row = makeInstance(state, body.kind, body.name, {
      project: params.project,
      description: body.description,
      size,
      phase: 'creating',
      observed: 'absent',
      health: 'unknown',
      healthChecks: [],
      url: null,
      address4: null,
      address6: null,
      startedAt: null,
      createdAt: iso(),
      usage: { memoryBytes: null, diskBytes: null, processes: null },
      image: { name: body.image ?? body.kind, fingerprint: null },
    });
    return create(state, row);
  },
  instanceNamesCheck: (state, { params }) => {
    const problem =
      nameProblem(params.name) ?? (takenBy(state, params.name) ? 'Somebody uses this name already.' : null);
    let suggestion: string | null = null;
    for (let number = 2; problem !== null && nameProblem(params.name) === null && suggestion === null; number++)
      if (!takenBy(state, `${params.name}-${number}`)) suggestion = `${params.name}-${number}`;
    return {
      available: problem === null,
      problem,
      hostname: problem === null ? `${params.name}.${DOMAIN}` : null,
      url: problem === null ? `https://${params.name}.${DOMAIN}` : null,
      suggestion,
    };
  },
  instancesGet: (state, { params }) => present(state, find(state, params.instance)),
  instancesUpdate: (state, { params, body }) => {
    const row = find(state, params.instance);
    if (body.description !== undefined) row.description = body.description;
    if (body.protected !== undefined) row.protected = body.protected;
    touch(state, row);
    return present(state, row);
  },
  instancesRename: (state, { params, body }) => {
    const row = find(state, params.instance);
    if (takenBy(state, body.name))
      throw new BerthError('name_taken', `"${body.name}" is taken.`, {
        fields: [{ field: 'name', message: 'Somebody uses this name already.' }],
      });
    const operation = makeOperation(
      state,
      'instance.rename',
      `Rename ${row.name} to ${body.name}`,
      row,
      ['Change the name', 'Publish the new address'],
      { usualSeconds: 1 },
    );
    row.name = body.name;
    row.url = `https://${body.name}.${DOMAIN}`;
    record(state, 'instance.rename', 'instance', row.id, row.name);
    run(state, operation, row, [], () => {});
    return accepted(state, operation, row);
  },
  instancesResize: (state, { params, body }) => {
    const row = find(state, params.instance);
    need(state, row, 'resize');
    const size = sizeOf(row.kind, body.size);
    const operation = makeOperation(
      state,
      'instance.resize',
      `Resize ${row.name}`,
      row,
      ['Check the quota', 'Change limits', 'Look at the result'],
      { usualSeconds: 2 },
    );
    record(state, 'instance.resize', 'instance', row.id, row.name);
    run(state, operation, row, [{ at: 1, after: () => Object.assign(row, { size }) }], () =>
      hint('quota', row.project, row.project),
    );
    return accepted(state, operation, row);
  },
  instancesPower: (state, { params }) => {
    const row = find(state, params.instance);
    need(state, row, params.action);
    const operation = makeOperation(
      state,
      `instance.${params.action}`,
      `${powerWords[params.action]} ${row.name}`,
      row,
      params.action === 'restart'
        ? ['Stop the guest', 'Start the guest', 'Wait until it is healthy']
        : [`${powerWords[params.action]} the guest`, 'Look at the result'],
      { usualSeconds: 4 },
    );
    record(state, `instance.${params.action}`, 'instance', row.id, row.name);
    if (params.action === 'stop') Object.assign(row, { desired: 'stopped', observed: 'stopping' });
    else if (params.action === 'pause') row.desired = 'paused';
    else
      Object.assign(row, {
        desired: 'running',
        observed: params.action === 'resume' ? 'paused' : 'starting',
        drift: null,
      });
    run(state, operation, row, [], () => {
      row.observed = row.desired;
      const runs = row.desired === 'running';
      const sample = makeSample(state, row.kind);
      Object.assign(row, {
        health: runs ? 'healthy' : 'unknown',
        healthChecks: runs ? sample.healthChecks : [],
        startedAt: runs ? iso() : null,
        observedAt: iso(),
      });
      row.usage = { ...row.usage, memoryBytes: runs ? sample.usage.memoryBytes : null, processes: runs ? 80 : null };
    });
    return accepted(state, operation, row);
  },
  instancesClone: (state, { params, body }) => {
    const row = find(state, params.instance);
    reserve(state, row, instanceUse(row));
    if (takenBy(state, body.name))
      throw new BerthError('name_taken', `"${body.name}" is taken.`, {
        fields: [{ field: 'name', message: 'Somebody uses this name already.' }],
      });
    const copy = makeInstance(state, row.kind, body.name, {
      ...row,
      id: newId('ins'),
      name: body.name,
      phase: 'creating',
      observed: 'absent',
      health: 'unknown',
      url: null,
      protected: false,
      createdAt: iso(),
    });
    return create(state, copy);
  },
  instancesTransfer: (state, { params, body }) => {
    const row = find(state, params.instance);
    need(state, row, 'transfer');
    const target = state.projects.find((each) => each.id === body.project);
    if (target === undefined) throw notFound('project');
    const from = row.project;
    const taken = state.instances.some(
      (each) => each.project === target.id && each.name === row.name && each.phase !== 'archived',
    );
    if (taken) throw new BerthError('name_taken', `The project ${target.name} has an instance called "${row.name}".`);
    reserve(state, { project: target.id }, instanceUse(row));
    const leaves = target.organization !== state.projects.find((each) => each.id === from)?.organization;
    const grants = state.grants.filter((each) => each.app === row.id);
    const operation = makeOperation(
      state,
      'instance.transfer',
      `Move ${row.name} to ${target.name}`,
      row,
      [
        'Prepare the network of the other project',
        'Shut it down',
        'Move the machine, its disk and its snapshots',
        'Start it',
        'Wait until it answers',
      ],
      { usualSeconds: 4 },
    );
    record(state, 'instance.transfer', 'instance', row.id, row.name);
    const desired = row.observed;
    Object.assign(row, { observed: desired === 'running' ? 'stopping' : desired });
    run(
      state,
      operation,
      row,
      [
        { at: 1, after: () => Object.assign(row, { observed: 'stopped' }) },
        { at: 3, after: () => Object.assign(row, { observed: desired }) },
      ],
      () => {
        row.project = target.id;
        for (const route of state.routes) if (route.instance === row.id) route.project = target.id;
        if (leaves) state.grants = state.grants.filter((each) => each.app !== row.id);
        hint('instance', row.id, from);
        hint('quota', from, from);
        hint('quota', target.id, target.id);
      },
    );
    return { ...accepted(state, operation, row), grantsEnding: leaves ? grants.length : 0 };
  },
  instancesArchive: (state, { params }) => {
    const row = find(state, params.instance);
    need(state, row, 'archive');
    const operation = makeOperation(
      state,
      'instance.archive',
      `Delete ${row.name}`,
      row,
      ['Stop the guest', 'Withdraw its address', 'Archive it'],
      { usualSeconds: 3 },
    );
    record(state, 'instance.archive', 'instance', row.id, row.name);
    Object.assign(row, { desired: 'stopped', observed: row.observed === 'running' ? 'stopping' : row.observed });
    run(state, operation, row, [], () => {
      Object.assign(row, {
        phase: 'archived',
        observed: 'stopped',
        archivedAt: iso(),
        purgeAt: iso(Date.now() + 7 * 86_400_000),
        url: null,
      });
      state.routes = state.routes.filter((each) => each.instance !== row.id);
    });
    return accepted(state, operation, row);
  },
  instancesRestore: (state, { params }) => {
    const row = find(state, params.instance);
    const operation = makeOperation(state, 'instance.restore', `Restore ${row.name}`, row, [
      'Reserve its name',
      'Publish its address',
    ]);
    run(state, operation, row, [], () =>
      Object.assign(row, {
        phase: 'ready',
        desired: 'stopped',
        observed: 'stopped',
        archivedAt: null,
        purgeAt: null,
        url: `https://${row.name}.${DOMAIN}`,
      }),
    );
    return accepted(state, operation, row);
  },
  instancesPurge: (state, { params, body }) => {
    const row = find(state, params.instance);
    if (body.confirmName !== row.name)
      throw new BerthError('invalid_input', 'The name does not match.', {
        fields: [{ field: 'confirmName', message: 'The name does not match.' }],
      });
    const operation = makeOperation(state, 'instance.purge', `Remove ${row.name}`, row, [
      'Delete snapshots',
      'Delete the guest',
      'Give back the quota',
    ]);
    row.phase = 'purging';
    run(state, operation, row, [], () => {
      state.instances = state.instances.filter((each) => each !== row);
      hint('quota', row.project, row.project);
    });
    return accepted(state, operation, row);
  },
  instancesLogs: (_state, { query }) => ({
    items: (query.of?.startsWith('run:') === true ? runLines() : sampleLog(query.lines)).filter(
      (each) => query.search === undefined || each.message.includes(query.search),
    ),
  }),
};
