/** Delete a backup; with the last one its whole repository goes. */
import { BerthError } from '#domain/errors.ts';
import { findRepository } from '../store/backup-repositories.ts';
import { findBackup, setBackupState } from '../store/backups.ts';
import { type Trx, transact } from '../store/database.ts';
import { type BackupInput, dropBackup, LONG_ATTEMPTS } from './backup-create.ts';
import { backupRef, removeIfLast, repositoryOf, repositoryRef, settle } from './backup-steps.ts';
import type { Step, StepContext, Workflow } from './engine.ts';

const deleteStep: Step<BackupInput> = {
  name: 'delete',
  title: 'Delete the backup and what only it needs',
  attempts: LONG_ATTEMPTS,
  async do(context) {
    const { services } = context;
    const ref = await backupRef(context);
    const { state } = await repositoryOf(context);
    try {
      // The last one: no need to take it apart, and it must work with damaged ones.
      const last = (await removeIfLast(services, ref, null)) === 0;
      if (last) return await settle(services, ref.repository, 0);
      await settle(services, ref.repository, await services.driver.deleteBackup(ref, null));
    } catch (error) {
      // Nothing can be taken out of what is damaged: it counts until its last backup, and then goes as a whole.
      if (state !== 'damaged' || !(error instanceof BerthError) || error.code !== 'conflict') throw error;
    }
  },
  /** Gone is gone: when the host has it no more, the row goes too; else `failed` makes it usable again. */
  async undo(context) {
    const { services, operation } = context;
    const { backup } = operation.input;
    const repository = await findRepository(services.db, operation.input.repository);
    if (repository === null) return;
    if (await services.driver.hasBackup({ ...repositoryRef(services, repository), backup })) return;
    const kept = (await services.driver.repositories()).find((each) => each.repository === repository.id);
    await settle(services, repository.id, kept?.storedBytes ?? 0);
    await transact(services.db, (tx) => dropBackup(tx, context));
  },
};

async function failed(tx: Trx, { services, operation }: StepContext<BackupInput>): Promise<void> {
  const backup = await findBackup(tx, operation.input.backup);
  if (backup !== null) await setBackupState(tx, backup, 'ready', services.now());
}

export const backupDelete: Workflow<BackupInput> = { steps: [deleteStep], succeeded: dropBackup, failed };
