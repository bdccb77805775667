/** Read and check everything in a repository. Finding damage is a failure of the operation: that is what people see first. */
import { BerthError } from '#domain/errors.ts';
import type { BackupRepositoryId } from '#domain/ids.ts';
import { lockRepository, recordCheck, settleBytes } from '../store/backup-repositories.ts';
import { transact } from '../store/database.ts';
import { LONG_ATTEMPTS } from './backup-create.ts';
import { repositoryOf, repositoryRef, shownOn } from './backup-steps.ts';
import type { Step, Workflow } from './engine.ts';

export type VerifyInput = { repository: BackupRepositoryId };

/** No undo: it only reads. */
const checkStep: Step<VerifyInput> = {
  name: 'check',
  title: 'Read and check everything',
  attempts: LONG_ATTEMPTS,
  async do(context) {
    const { services } = context;
    const ref = repositoryRef(services, await repositoryOf(context));
    const { problem, storedBytes } = await services.driver.verifyRepository(ref, shownOn(context));
    await transact(services.db, async (tx) => {
      const repository = await lockRepository(tx, ref.repository);
      if (repository === null) return;
      await recordCheck(tx, repository, problem, services.now());
      await settleBytes(tx, repository, storedBytes);
    });
    if (problem !== null) throw new BerthError('conflict', `These backups are damaged: ${problem}`);
  },
};

export const backupVerify: Workflow<VerifyInput> = { steps: [checkStep] };
