/**
 * Put a backup in place of what is on the disk. A snapshot of how it is now is taken first and stays, whatever comes of
 * this: a failure goes back to it, and so may people afterwards. It ends in the power state it had.
 */
import type { BackupId, BackupRepositoryId, SnapshotId } from '#domain/ids.ts';
import type { DesiredState } from '#domain/instances.ts';
import { type Trx, transact } from '../store/database.ts';
import { recordObservation } from '../store/observations.ts';
import { stepState } from '../store/operations.ts';
import { setSnapshotState } from '../store/snapshots.ts';
import { LONG_ATTEMPTS } from './backup-create.ts';
import { backupRef, shownOn } from './backup-steps.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { instanceOf } from './guest-steps.ts';
import { stopStep } from './instance-archive.ts';
import { answersStep, wakeStep } from './instance-restore.ts';
import { dropSnapshot, snapshotOf } from './snapshot-create.ts';

export type BackupRestoreInput = {
  backup: BackupId;
  repository: BackupRepositoryId;
  /** Of how it is now. */
  snapshot: SnapshotId;
  desired: DesiredState;
};

async function hasSnapshot({ services, operation }: StepContext<BackupRestoreInput>): Promise<boolean> {
  const seen = operation.instance === null ? null : await services.driver.observe(operation.instance);
  return seen?.snapshots.some((entry) => entry.snapshot === operation.input.snapshot) ?? false;
}

const keepStep: Step<BackupRestoreInput> = {
  name: 'keep',
  title: 'Take a snapshot of how it is now',
  async do(context) {
    const instance = await instanceOf(context);
    const { services, operation } = context;
    await services.driver.createSnapshot(instance.id, operation.input.snapshot, operation.id);
  },
  /** Kept when it was taken: it is what the failure went back to. */
  async undo(context) {
    if (await hasSnapshot(context)) return;
    await transact(context.services.db, (tx) => dropSnapshot(tx, context));
  },
};

const replaceStep: Step<BackupRestoreInput> = {
  name: 'replace',
  title: 'Put the backup in its place',
  attempts: LONG_ATTEMPTS,
  async do(context) {
    const instance = await instanceOf(context);
    await context.services.driver.restoreBackup(instance.id, await backupRef(context), shownOn(context));
  },
  async undo(context) {
    const { services, operation } = context;
    const instance = await instanceOf(context);
    if (!(await hasSnapshot(context))) return;
    await services.driver.restoreSnapshot(instance.id, operation.input.snapshot);
    const at = services.now();
    await recordObservation(services.db, instance.id, await services.driver.observe(instance.id), at);
  },
};

async function keepSnapshot(tx: Trx, context: StepContext<BackupRestoreInput>): Promise<void> {
  const snapshot = await snapshotOf(tx, context);
  if (snapshot !== null) await setSnapshotState(tx, snapshot, 'ready');
}

/** It was never taken when that step was not reached. */
async function failed(tx: Trx, context: StepContext<BackupRestoreInput>): Promise<void> {
  const reached = (await stepState(tx, context.operation.id, keepStep.name)) !== 'skipped';
  await (reached ? keepSnapshot(tx, context) : dropSnapshot(tx, context));
}

export const backupRestore: Workflow<BackupRestoreInput> = {
  steps: [stopStep, keepStep, replaceStep, wakeStep, answersStep] as Step<BackupRestoreInput>[],
  succeeded: keepSnapshot,
  failed,
};
