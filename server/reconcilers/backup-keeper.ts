/**
 * Compares repositories of backups with what the host has: what they take counts as it is, one whose folder is gone is
 * reported, one without backups is removed. A folder that belongs to no row is left alone: with an older database than
 * the host's it would be somebody's backups.
 */

import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import {
  allRepositories,
  deleteRepositoryRow,
  lockRepository,
  type RepositoryRecord,
  recordCheck,
  settleBytes,
} from '../store/backup-repositories.ts';
import { countBackups } from '../store/backups.ts';
import { type Trx, transact } from '../store/database.ts';
import { repositoryRef } from '../workflows/backup-steps.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 10 * 60_000;
const GONE = 'Its folder is no longer on the host.';

export function backupKeeper(services: Services): Reconciler {
  return {
    name: 'backup-keeper',
    everyMs: EVERY_MS,
    async run(signal) {
      const rows = await allRepositories(services.db);
      if (rows.length === 0) return null;
      // Rows first: what is on the host and not among them is younger than this look, or not ours to judge.
      const kept = new Map((await services.driver.repositories()).map((each) => [each.repository, each.storedBytes]));
      let changed = 0;
      for (const row of rows) {
        if (signal.aborted) break;
        if (row.operation !== null) continue;
        const done = await transact(services.db, async (tx) => {
          const repository = await lockRepository(tx, row.id);
          if (repository === null || repository.operation !== null) return false;
          return mend(services, tx, repository, kept.get(row.id) ?? null);
        });
        if (done) changed++;
      }
      return changed === 0 ? null : `set ${changed} repositories of backups right`;
    },
  };
}

/** The caller has it locked, and nothing works on it. */
async function mend(services: Services, tx: Trx, repository: RepositoryRecord, storedBytes: number | null) {
  if ((await countBackups(tx, repository.id)) === 0) {
    await services.driver.removeRepository(repositoryRef(services, repository));
    await settleBytes(tx, repository, 0);
    await deleteRepositoryRow(tx, repository.id);
    return true;
  }
  if (storedBytes === null) {
    if (repository.problem === GONE) return false;
    services.log.error({ repositoryId: repository.id, instanceId: repository.instance }, 'backups are gone');
    await recordCheck(tx, repository, GONE, services.now());
    await settleBytes(tx, repository, 0);
    await record(tx, asSystem('backup-keeper'), {
      action: 'backup.lost',
      targetKind: 'backup',
      targetId: repository.id,
      target: repository.instanceName,
      organizationId: repository.organization,
      projectId: repository.project,
      result: 'failed',
      after: { problem: GONE, instanceId: repository.instance },
    });
    return true;
  }
  if (storedBytes === repository.storedBytes && repository.reservedBytes === 0) return false;
  await settleBytes(tx, repository, storedBytes);
  return true;
}
