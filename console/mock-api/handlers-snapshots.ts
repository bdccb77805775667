/** Snapshots of the mock. */
import type { Handlers } from './handlers.ts';
import { accepted, find } from './instance-parts.ts';
import { makeOperation } from './make.ts';
import { run } from './simulate.ts';
import { hint, iso, newId } from './state.ts';

export const snapshotHandlers: Pick<
  Handlers,
  'snapshotsList' | 'snapshotsCreate' | 'snapshotsRollback' | 'snapshotsDelete'
> = {
  snapshotsList: (state, { params }) => ({
    items: state.snapshots.filter((each) => each.instance === params.instance),
  }),
  snapshotsCreate: (state, { params, body }) => {
    const row = find(state, params.instance);
    const snapshot = {
      id: newId('snp'),
      instance: row.id,
      name: body.name,
      state: 'creating' as 'creating' | 'ready',
      createdAt: iso(),
      createdBy: state.user.name,
    };
    state.snapshots.unshift(snapshot);
    const operation = makeOperation(
      state,
      'snapshot.create',
      `Snapshot ${row.name}`,
      row,
      ['Take the snapshot', 'Record it'],
      { usualSeconds: 1 },
    );
    run(state, operation, row, [], () => {
      snapshot.state = 'ready';
      hint('snapshot', snapshot.id, row.project, row.id);
    });
    return accepted(state, operation, row);
  },
  snapshotsRollback: (state, { params }) => {
    const row = find(state, params.instance);
    const operation = makeOperation(
      state,
      'snapshot.restore',
      `Roll back ${row.name}`,
      row,
      ['Stop the guest', 'Put the snapshot back', 'Start the guest', 'Wait until it is healthy'],
      { usualSeconds: 6 },
    );
    run(state, operation, row, [], () => {});
    return accepted(state, operation, row);
  },
  snapshotsDelete: (state, { params }) => {
    const row = find(state, params.instance);
    const operation = makeOperation(state, 'snapshot.delete', `Delete a snapshot of ${row.name}`, row, [
      'Delete the snapshot',
    ]);
    run(state, operation, row, [], () => {
      state.snapshots = state.snapshots.filter((each) => each.id !== params.snapshot);
      hint('snapshot', params.snapshot, row.project, row.id);
    });
    return accepted(state, operation, row);
  },
};
