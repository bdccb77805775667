/** Makes what a believable installation has: an instance with its route, an operation with its steps. */
import type { Operation } from '#contract/operations.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { isStoppable } from '#domain/operations.ts';
import { GIB } from '#domain/sizes.ts';
import { plainRoute } from './handlers-domains.ts';
import type { InstanceRow, MockState } from './state.ts';
import { DOMAIN, iso, newId } from './state.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export function makeInstance(
  state: MockState,
  kind: InstanceKind,
  name: string,
  more: Partial<InstanceRow> = {},
): InstanceRow {
  const number = 10 + state.instances.length;
  const createdAt = more.createdAt ?? iso(Date.now() - 3 * DAY);
  const size =
    more.size ??
    (kind === 'desktop'
      ? { cpus: 2, memoryBytes: 2 * GIB, diskBytes: 20 * GIB }
      : { cpus: 1, memoryBytes: 1 * GIB, diskBytes: 10 * GIB });
  const row: InstanceRow = {
    id: newId('ins', Date.parse(createdAt)),
    project: state.projects[0]!.id,
    kind,
    name,
    description: '',
    phase: 'ready',
    desired: 'running',
    observed: 'running',
    observedAt: iso(),
    health: 'healthy',
    healthChecks:
      kind === 'desktop'
        ? [
            { name: 'rfb', state: 'healthy', message: 'Screen answers (RFB 3.8)', optional: false },
            { name: 'systemd', state: 'healthy', message: 'running', optional: false },
            { name: 'openclaw', state: 'healthy', message: 'Ready', optional: true },
          ]
        : [
            { name: 'systemd', state: 'healthy', message: 'running', optional: false },
            { name: 'sshd', state: 'healthy', message: 'SSH-2.0-OpenSSH_9.2p1 Debian', optional: false },
          ],
    drift: null,
    size,
    usage: {
      memoryBytes: Math.round(size.memoryBytes * 0.37),
      diskBytes: Math.round(size.diskBytes * 0.21),
      processes: 84,
    },
    image: { name: kind, fingerprint: `${'4be1c07a99d2'.repeat(5)}f3a1` },
    url: `https://${name}.${DOMAIN}`,
    address4: `10.64.0.${number}`,
    address6: `fd42:7a10:93c4:1::${number.toString(16)}`,
    host: state.hosts[0] === undefined ? null : { id: state.hosts[0].id, name: state.hosts[0].name },
    protected: false,
    createdBy: state.user.name,
    createdAt,
    startedAt: iso(Date.now() - 5 * HOUR),
    archivedAt: null,
    purgeAt: null,
    operation: null,
    version: 1,
    ...more,
  };
  state.instances.push(row);
  state.routes.push({
    id: newId('rte'),
    project: row.project,
    instance: row.id,
    instanceName: name,
    hostname: `${name}.${DOMAIN}`,
    ...plainRoute,
    target: kind === 'desktop' ? 'screen' : 'port',
    port: kind === 'desktop' ? null : 80,
    visibility: 'private',
    primary: true,
    url: `https://${name}.${DOMAIN}`,
    createdAt,
  });
  return row;
}

export function makeOperation(
  state: MockState,
  kind: Operation['kind'],
  title: string,
  row: InstanceRow | null,
  steps: readonly string[],
  more: Partial<Operation> = {},
): Operation {
  const createdAt = more.createdAt ?? iso();
  const operation: Operation = {
    id: newId('opr', Date.parse(createdAt)),
    kind,
    title,
    state: 'pending',
    project: row?.project ?? null,
    instance: row?.id ?? null,
    target: row?.name ?? more.target ?? '',
    actor: state.user.name,
    createdAt,
    startedAt: null,
    finishedAt: null,
    steps: steps.map((each) => ({
      name: each.toLowerCase().replace(/[^a-z]+/g, '-'),
      title: each,
      state: 'pending',
      startedAt: null,
      finishedAt: null,
      attempts: 0,
      percent: null,
      message: null,
    })),
    error: null,
    stop: null,
    stoppable: isStoppable(kind),
    usualSeconds: null,
    ...more,
  };
  state.operations.unshift(operation);
  return operation;
}

export const createSteps = [
  'Reserve name and quota',
  'Wait for the image',
  'Prepare the network',
  'Make the guest',
  'Publish its address',
  'Start it',
  'Wait until it is healthy',
] as const;

/** Marks all steps as done, one after another ending `agoMs` ago, taking `tookMs` together. */
export function finished(operation: Operation, agoMs: number, tookMs: number): void {
  const start = Date.now() - agoMs - tookMs;
  const share = tookMs / operation.steps.length;
  operation.state = 'succeeded';
  operation.createdAt = operation.startedAt = iso(start);
  operation.finishedAt = iso(start + tookMs);
  operation.usualSeconds = Math.round(tookMs / 1000);
  operation.steps.forEach((step, index) => {
    Object.assign(step, {
      state: 'succeeded',
      attempts: 1,
      startedAt: iso(start + share * index),
      finishedAt: iso(start + share * (index + 1)),
    });
  });
}
