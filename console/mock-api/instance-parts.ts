/** What the handlers of instances and of what belongs to them share: look-up, quota, answers. */
import type { Instance } from '#contract/instances.ts';
import type { Operation } from '#contract/operations.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { Quota } from '#domain/quotas.ts';
import { overrun } from '#domain/quotas.ts';
import type { InstanceRow, MockState } from './state.ts';
import { present, usedQuota } from './state.ts';

const words: Record<keyof Quota, string> = {
  instances: 'instances',
  desktops: 'desktops',
  servers: 'servers',
  cpus: 'CPUs',
  memoryBytes: 'memory',
  diskBytes: 'disk',
  routes: 'routes',
  snapshots: 'snapshots',
  portForwards: 'port forwards',
  backups: 'backups',
  backupBytes: 'backup storage',
};

export function find(state: MockState, id: string): InstanceRow {
  const row = state.instances.find((each) => each.id === id);
  if (row === undefined) throw notFound('instance');
  return row;
}
export function reserve(state: MockState, row: Pick<InstanceRow, 'project'>, more: Quota): void {
  const over = overrun(state.limit, usedQuota(state, row.project), more);
  if (over.length > 0)
    throw new BerthError(
      'quota_exceeded',
      `The quota of this project has not enough ${over.map((each) => words[each]).join(' and ')} left.`,
    );
}
export function accepted(
  state: MockState,
  operation: Operation,
  row: InstanceRow | null,
): { operation: Operation; instance: Instance | null } {
  return { operation, instance: row === null ? null : present(state, row) };
}
export function need(state: MockState, row: InstanceRow, verb: keyof Instance['can']): void {
  const ability = present(state, row).can[verb];
  if (ability !== true) throw new BerthError('state_conflict', ability);
}
