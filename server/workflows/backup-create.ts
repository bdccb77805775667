/**
 * Back an instance up. Its row, its place in the quota and the most it may add were reserved when it was accepted. The
 * instance is not held: people go on working with it, the copy is made from a snapshot that lives as long as the call.
 */
import type { BackupId, BackupRepositoryId } from '#domain/ids.ts';
import { noUse } from '#domain/quotas.ts';
import { deleteRepositoryRow, lockRepository, settleBytes } from '../store/backup-repositories.ts';
import { countBackups, deleteBackupRow, findBackup, recordContent, setBackupState } from '../store/backups.ts';
import { type Trx, transact } from '../store/database.ts';
import { releaseQuota } from '../store/quotas.ts';
import { backupRef, removeIfLast, settle, shownOn } from './backup-steps.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { instanceOf } from './guest-steps.ts';

export type BackupInput = { backup: BackupId; repository: BackupRepositoryId };
export type BackupCreateInput = BackupInput & { bytesMax: number };

/** Long work: a host that is away for longer than this is worth telling people about. */
export const LONG_ATTEMPTS = 4;

const copyStep: Step<BackupCreateInput> = {
  name: 'copy',
  title: 'Copy what is on the disk',
  attempts: LONG_ATTEMPTS,
  async do(context) {
    const { services, operation } = context;
    const instance = await instanceOf(context);
    const ref = await backupRef(context);
    // Idempotent in the driver: a backup with this id is not made twice.
    const made = await services.driver.backupGuest(instance.id, ref, operation.input.bytesMax, shownOn(context));
    await transact(services.db, async (tx) => {
      const repository = await lockRepository(tx, ref.repository);
      const backup = await findBackup(tx, ref.backup);
      if (repository === null || backup === null) return;
      // Known the first time only: afterwards the repository counts as it is.
      const addedBytes = backup.addedBytes ?? Math.max(0, made.storedBytes - repository.storedBytes);
      await settleBytes(tx, repository, made.storedBytes);
      await recordContent(tx, backup.id, { dataBytes: made.dataBytes, files: made.files, addedBytes });
    });
  },
  async undo(context) {
    const { services, operation } = context;
    const ref = await backupRef(context);
    const left = await services.driver.deleteBackup(ref, operation.instance);
    await settle(services, ref.repository, await removeIfLast(services, ref, left));
  },
};

async function succeeded(tx: Trx, { services, operation }: StepContext<BackupInput>): Promise<void> {
  const backup = await findBackup(tx, operation.input.backup);
  if (backup !== null) await setBackupState(tx, backup, 'ready', services.now());
}

/** Removes the row and gives its place in the quota back, once; a repository that is empty goes too. */
export async function dropBackup(tx: Trx, { operation }: StepContext<BackupInput>): Promise<void> {
  const repository = await lockRepository(tx, operation.input.repository);
  const backup = await findBackup(tx, operation.input.backup);
  if (repository === null || backup === null || !(await deleteBackupRow(tx, backup))) return;
  await releaseQuota(tx, repository.project, { ...noUse, backups: 1 });
  // An undo that could not be done has left the reservation: what is really there is seen by backup-keeper.
  await settleBytes(tx, repository, repository.storedBytes);
  const empty = (await countBackups(tx, repository.id)) === 0;
  if (empty && repository.storedBytes === 0) await deleteRepositoryRow(tx, repository.id);
}

export const backupCreate: Workflow<BackupCreateInput> = { steps: [copyStep], succeeded, failed: dropBackup };
