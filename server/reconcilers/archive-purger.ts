/** Removes for good what was archived for long enough, failed creations nobody looked after, and purges that stuck. */
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { instancesToPurge, lockInstance } from '../store/instances.ts';
import { acceptPurge } from '../workflows/instance-purge.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 60_000;
const FAILED_KEPT_MS = 7 * 86_400_000;
const AT_ONCE_MAX = 20;

export function archivePurger(services: Services): Reconciler {
  return {
    name: 'archive-purger',
    everyMs: EVERY_MS,
    async run() {
      const now = services.now();
      const due = await instancesToPurge(services.db, new Date(now), new Date(now - FAILED_KEPT_MS), AT_ONCE_MAX);
      let started = 0;
      for (const candidate of due) {
        const operation = await transact(services.db, async (tx) => {
          const instance = await lockInstance(tx, candidate.id);
          if (instance === null || instance.operation !== null || instance.phase !== candidate.phase) return null;
          // Protected after it was archived: it stays until somebody switches that off.
          if (instance.protected && instance.phase !== 'purging') return null;
          return acceptPurge(services, tx, asSystem('archive-purger'), instance);
        });
        if (operation === null) continue;
        services.startRun(operation);
        started++;
      }
      return started === 0 ? null : `removing ${started} instances for good`;
    },
  };
}
