/** Take a snapshot. The row and its place in the quota were reserved when it was accepted. */
import type { SnapshotId } from '#domain/ids.ts';
import { noUse } from '#domain/quotas.ts';
import type { Trx } from '../store/database.ts';
import { releaseQuota } from '../store/quotas.ts';
import { deleteSnapshotRow, findSnapshot, setSnapshotState } from '../store/snapshots.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { instanceOf, look } from './guest-steps.ts';

export type SnapshotInput = { snapshot: SnapshotId };

const snapshotStep: Step<SnapshotInput> = {
  name: 'snapshot',
  title: 'Take the snapshot',
  async do(context) {
    const { services, operation } = context;
    const instance = await instanceOf(context);
    // Idempotent in the driver: a snapshot with this id is not taken twice.
    await services.driver.createSnapshot(instance.id, operation.input.snapshot, operation.id);
  },
  async undo({ services, operation }) {
    if (operation.instance === null) return;
    const seen = await services.driver.observe(operation.instance);
    if (!seen?.snapshots.some((entry) => entry.snapshot === operation.input.snapshot)) return;
    await services.driver.deleteSnapshot(operation.instance, operation.input.snapshot);
  },
};

/** The row of this operation's snapshot; null when it is gone. */
export async function snapshotOf(tx: Trx, { operation }: StepContext<SnapshotInput>) {
  return operation.instance === null ? null : findSnapshot(tx, operation.instance, operation.input.snapshot);
}

async function succeeded(tx: Trx, context: StepContext<SnapshotInput>): Promise<void> {
  const snapshot = await snapshotOf(tx, context);
  if (snapshot !== null) await setSnapshotState(tx, snapshot, 'ready');
}

/** Removes the row and gives its place in the quota back, once. */
export async function dropSnapshot(tx: Trx, context: StepContext<SnapshotInput>): Promise<void> {
  const snapshot = await snapshotOf(tx, context);
  if (snapshot !== null && (await deleteSnapshotRow(tx, snapshot))) {
    await releaseQuota(tx, snapshot.project, { ...noUse, snapshots: 1 });
  }
}

export const snapshotCreate: Workflow<SnapshotInput> = { steps: [snapshotStep], succeeded, failed: dropSnapshot };

/** For the others: looks at the guest so that the row shows what is there afterwards. */
export async function lookAgain(context: StepContext): Promise<void> {
  await look(context.services, await instanceOf(context));
}
