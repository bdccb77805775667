/** Delete a snapshot. */
import type { Trx } from '../store/database.ts';
import { setSnapshotState } from '../store/snapshots.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { dropSnapshot, type SnapshotInput, snapshotOf } from './snapshot-create.ts';

/** No undo: gone is gone; a failure leaves it usable. */
const deleteStep: Step<SnapshotInput> = {
  name: 'delete',
  title: 'Delete the snapshot',
  async do({ services, operation }) {
    if (operation.instance === null) return;
    const seen = await services.driver.observe(operation.instance);
    if (!seen?.snapshots.some((entry) => entry.snapshot === operation.input.snapshot)) return;
    await services.driver.deleteSnapshot(operation.instance, operation.input.snapshot);
  },
};

async function failed(tx: Trx, context: StepContext<SnapshotInput>): Promise<void> {
  const snapshot = await snapshotOf(tx, context);
  if (snapshot !== null) await setSnapshotState(tx, snapshot, 'ready');
}

export const snapshotDelete: Workflow<SnapshotInput> = { steps: [deleteStep], succeeded: dropSnapshot, failed };
