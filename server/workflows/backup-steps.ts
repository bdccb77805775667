/** What workflows of backups share: the rows they work on, and what opens a repository. */
import { BerthError } from '#domain/errors.ts';
import type { BackupId, BackupRepositoryId } from '#domain/ids.ts';
import type { BackupProgress, BackupRef, RepositoryRef } from '#drivers/interface.ts';
import {
  findRepository,
  lockRepository,
  type RepositoryRecord,
  repositoryPasswordPlace,
  settleBytes,
} from '../store/backup-repositories.ts';
import { countBackups } from '../store/backups.ts';
import { transact } from '../store/database.ts';
import type { StepContext } from './engine.ts';
import type { Services } from './services.ts';

/** Where every repository is until there are other places. */
const PLACE = { type: 'local' } as const;

export function repositoryRef(services: Services, repository: RepositoryRecord): RepositoryRef {
  const password = services.secrets.open(repositoryPasswordPlace(repository.id), repository.passwordSealed);
  return { repository: repository.id, place: PLACE, password };
}

/** The repository of an operation. Errors: gone. */
export async function repositoryOf(
  context: Pick<StepContext<{ repository: BackupRepositoryId }>, 'services' | 'operation'>,
): Promise<RepositoryRecord> {
  const found = await findRepository(context.services.db, context.operation.input.repository);
  if (found === null) throw new BerthError('gone', 'These backups are no longer there.');
  return found;
}

/** A backup of an operation, for the driver. Errors: gone. */
export async function backupRef(
  context: Pick<StepContext<{ repository: BackupRepositoryId; backup: BackupId }>, 'services' | 'operation'>,
): Promise<BackupRef> {
  const ref = repositoryRef(context.services, await repositoryOf(context));
  return { ...ref, backup: context.operation.input.backup };
}

/** Writes down what the repository takes now; what was reserved for it is given back. */
export async function settle(services: Services, id: BackupRepositoryId, storedBytes: number): Promise<void> {
  await transact(services.db, async (tx) => {
    const repository = await lockRepository(tx, id);
    if (repository !== null) await settleBytes(tx, repository, storedBytes);
  });
}

/** Removes the whole repository when it holds no other backup; answers what it takes then, `left` when it stays. */
export async function removeIfLast<L>(services: Services, ref: BackupRef, left: L): Promise<L | 0> {
  if ((await countBackups(services.db, ref.repository, ref.backup)) > 0) return left;
  await services.driver.removeRepository(ref);
  return 0;
}

/** Shows on a step how far the driver is. */
export function shownOn(context: Pick<StepContext, 'report'>): (progress: BackupProgress) => void {
  return ({ percent, line }) => context.report(percent, line);
}
