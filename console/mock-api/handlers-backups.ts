/** Backups of the mock. */
import type { Backup } from '#contract/backups.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';
import { accepted, find } from './instance-parts.ts';
import { makeInstance, makeOperation } from './make.ts';
import { backupOf } from './seed-backups.ts';
import { run } from './simulate.ts';
import { hint, iso, type MockState } from './state.ts';

type BackupHandlers = Pick<
  Handlers,
  | 'backupsListProject'
  | 'backupsList'
  | 'backupsCreate'
  | 'backupsGet'
  | 'backupsRestore'
  | 'backupsRecover'
  | 'backupsVerify'
  | 'backupsDelete'
>;

function backup(state: MockState, id: string): Backup {
  const found = state.backups.find((each) => each.id === id);
  if (found === undefined) throw notFound('backup');
  return found;
}

function tell(each: Backup): void {
  hint('backup', each.id, each.project, each.instance);
}

export const backupHandlers: BackupHandlers = {
  backupsListProject: (state, { params }) => ({
    items: state.backups.filter((each) => each.project === params.project),
    nextCursor: null,
  }),
  backupsList: (state, { params }) => ({ items: state.backups.filter((each) => each.instance === params.instance) }),
  backupsGet: (state, { params }) => backup(state, params.backup),
  backupsCreate: (state, { params, body }) => {
    const row = find(state, params.instance);
    const made = backupOf(state, row, {
      state: 'creating',
      note: body.note ?? '',
      finishedAt: null,
      can: {
        restore: 'It is still being made.',
        recover: 'It is still being made.',
        verify: 'It is still being made.',
        delete: 'It is still being made.',
      },
    });
    const { dataBytes, files, addedBytes } = made;
    Object.assign(made, { dataBytes: null, files: null, addedBytes: null });
    state.backups.unshift(made);
    const operation = makeOperation(state, 'backup.create', `Back up ${row.name}`, row, ['Copy what is on the disk']);
    run(state, operation, null, [{ at: 0, percent: true, ms: 3000 }], () => {
      Object.assign(made, {
        state: 'ready',
        dataBytes,
        files,
        addedBytes,
        finishedAt: iso(),
        can: { restore: true, recover: true, verify: true, delete: true },
      });
      tell(made);
    });
    tell(made);
    return accepted(state, operation, row);
  },
  backupsRestore: (state, { params, body }) => {
    const from = backup(state, params.backup);
    const row = find(state, from.instance ?? '');
    if (body.confirmName !== row.name) throw new BerthError('invalid_input', `Type its name, ${row.name}, to confirm.`);
    const operation = makeOperation(state, 'backup.restore', `Restore ${row.name}`, row, [
      'Shut it down',
      'Take a snapshot of how it is now',
      'Put the backup in its place',
      'Start it',
      'Wait until it answers',
    ]);
    run(state, operation, row, [{ at: 2, percent: true, ms: 2000 }], () => {});
    return accepted(state, operation, row);
  },
  backupsRecover: (state, { params, body }) => {
    const from = backup(state, params.backup);
    if (state.instances.some((each) => each.name === body.name && each.phase !== 'archived')) {
      throw new BerthError('name_taken', `There is an instance called "${body.name}" already.`, {
        fields: [{ field: 'name', message: 'This name is taken.' }],
      });
    }
    const row = makeInstance(state, from.kind, body.name, { project: from.project as never, phase: 'creating' });
    const operation = makeOperation(state, 'backup.recover', `Restore a backup as ${body.name}`, row, [
      'Prepare the network',
      'Make the machine out of the backup',
      'Give it an address',
      'Start it',
      'Wait until it answers',
    ]);
    run(state, operation, row, [{ at: 1, percent: true, ms: 2000 }], () => {
      Object.assign(row, { phase: 'ready', observed: 'running', health: 'healthy' });
    });
    return accepted(state, operation, row);
  },
  backupsVerify: (state, { params }) => {
    const from = backup(state, params.backup);
    const operation = makeOperation(state, 'backup.verify', `Verify the backups of ${from.instanceName}`, null, [
      'Read and check everything',
    ]);
    run(state, operation, null, [], () => {
      if (from.repository.state !== 'damaged') from.repository.state = 'sound';
      from.repository.checkedAt = iso();
      tell(from);
    });
    return accepted(state, operation, null);
  },
  backupsDelete: (state, { params }) => {
    const from = backup(state, params.backup);
    from.state = 'deleting';
    const operation = makeOperation(state, 'backup.delete', `Delete a backup of ${from.instanceName}`, null, [
      'Delete the backup and what only it needs',
    ]);
    run(state, operation, null, [], () => {
      state.backups = state.backups.filter((each) => each !== from);
      tell(from);
    });
    return accepted(state, operation, null);
  },
};
