/** The backups that the mock begins with, and how one looks. */
import type { Backup } from '#contract/backups.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import { type InstanceRow, iso, type MockState, newId } from './state.ts';

const FIRST_BYTES = 1433 * MIB;
const MORE_BYTES = 38 * MIB;
const HOUR = 3_600_000;

export function backupOf(
  state: MockState,
  row: Pick<InstanceRow, 'id' | 'project' | 'name' | 'kind' | 'size'>,
  more: Partial<Backup> = {},
): Backup {
  const last = state.backups.find((each) => each.instance === row.id);
  const addedBytes = last === undefined ? FIRST_BYTES : MORE_BYTES;
  return {
    id: newId('cpy'),
    project: row.project,
    instance: row.id,
    instanceName: row.name,
    kind: row.kind,
    state: 'ready',
    note: '',
    size: row.size,
    dataBytes: 3 * GIB,
    files: 48_213,
    addedBytes,
    createdAt: iso(),
    createdBy: state.user.name,
    finishedAt: iso(),
    repository: last?.repository ?? {
      id: newId('vlt'),
      storedBytes: FIRST_BYTES,
      state: 'unverified',
      problem: null,
      checkedAt: null,
    },
    busyWith: null,
    can: { restore: true, recover: true, verify: true, delete: true },
    ...more,
  };
}

/** Two of an instance that is there, and one, damaged, of one that is gone. */
export function seedBackups(state: MockState, row: InstanceRow): void {
  const now = Date.now();
  const old = backupOf(state, row, { createdAt: iso(now - 50 * HOUR), finishedAt: iso(now - 50 * HOUR) });
  old.repository.state = 'sound';
  old.repository.checkedAt = iso(now - 20 * HOUR);
  old.repository.storedBytes = FIRST_BYTES + MORE_BYTES;
  state.backups.push(old);
  state.backups.unshift(backupOf(state, row, { note: 'before the upgrade', createdAt: iso(now - 26 * HOUR) }));
  const gone = { ...row, id: newId('ins') as InstanceRow['id'], name: 'lighthouse' };
  const lost = backupOf(state, gone, {
    instance: null,
    createdAt: iso(now - 900 * HOUR),
    can: { restore: 'Its instance is gone. Restore it as a new one.', recover: true, verify: true, delete: true },
  });
  lost.repository = {
    ...lost.repository,
    state: 'damaged',
    problem: 'pack 6f1c03aa: hash does not match',
    checkedAt: iso(now - 3 * HOUR),
  };
  state.backups.push(lost);
}
