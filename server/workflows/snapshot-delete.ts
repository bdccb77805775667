/** Delete a snapshot. */
import { type Trx, transact } from '../store/database.ts';
import { setSnapshotState } from '../store/snapshots.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { dropSnapshot, type SnapshotInput, snapshotOf } from './snapshot-create.ts';

const deleteStep: Step<SnapshotInput> = {
  name: 'delete',
  title: 'Delete the snapshot',
  async do({ services, operation }) {
    if (operation.instance === null) return;
    const seen = await services.driver.observe(operation.instance);
    if (!seen?.snapshots.some((entry) => entry.snapshot === operation.input.snapshot)) return;
    await services.driver.deleteSnapshot(operation.instance, operation.input.snapshot);
  },
  /** Gone is gone: when the engine has it no more, the row goes too; else `failed` makes it usable again. */
  async undo(context) {
    const { services, operation } = context;
    if (operation.instance === null) return;
    const seen = await services.driver.observe(operation.instance);
    if (seen?.snapshots.some((entry) => entry.snapshot === operation.input.snapshot)) return;
    await transact(services.db, (tx) => dropSnapshot(tx, context));
  },
};

async function failed(tx: Trx, context: StepContext<SnapshotInput>): Promise<void> {
  const snapshot = await snapshotOf(tx, context);
  if (snapshot !== null) await setSnapshotState(tx, snapshot, 'ready');
}

export const snapshotDelete: Workflow<SnapshotInput> = { steps: [deleteStep], succeeded: dropSnapshot, failed };
