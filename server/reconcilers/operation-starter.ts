/**
 * Starts what was accepted but has no run (the process died between the commit and the start), goes on with runs that
 * broke off because the database was away, and ends operations whose run ended without them (a bug, or a run that was
 * given up after too many restarts).
 */

import type { DurableRuns } from '../runtime/workflows.ts';
import { transact } from '../store/database.ts';
import * as operations from '../store/operations.ts';
import { auditFailure } from '../workflows/engine.ts';
import { workflows } from '../workflows/registry.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 2_000;
/** Younger ones are about to be started by whoever accepted them. */
const GRACE_MS = 1_500;
const AT_ONCE_MAX = 200;

export function operationStarter(services: Services, runs: DurableRuns): Reconciler {
  /** Looked strayed at the last run; strayed twice is strayed. */
  let suspects = new Set<string>();
  return {
    name: 'operation-starter',
    everyMs: EVERY_MS,
    leaderOnly: false,
    async run() {
      const open = await operations.open(services.db, new Date(services.now() - GRACE_MS), AT_ONCE_MAX);
      if (open.length === 0) return null;
      const strays = await runs.strays();
      const lost = strays.filter((id) => suspects.has(id));
      suspects = new Set(strays.filter((id) => !lost.includes(id)));
      await runs.adopt(lost);
      const ids = open.map((operation) => operation.id);
      const known = await runs.known(ids);
      const ended = await runs.ended(ids);
      let started = 0;
      let broken = 0;
      for (const operation of open) {
        if (!known.has(operation.id)) {
          await runs.start(operation.id);
          started++;
        } else if (ended.has(operation.id)) {
          if (await endBroken(services, operation)) broken++;
        }
      }
      if (started + broken + lost.length === 0) return null;
      return `started ${started}, went on with ${lost.length}, ended ${broken} broken operations`;
    },
  };
}

/** The operation fails, what it reserved is given back; what it left in the engine is the watcher's. */
async function endBroken(services: Services, operation: operations.OperationRecord): Promise<boolean> {
  const error = { code: 'internal' as const, message: 'The work broke off inside Berth. The log says more.' };
  return transact(services.db, async (tx) => {
    if (!(await operations.finish(tx, operation, error, services.now()))) return false;
    await workflows[operation.kind].failed?.(tx, { services, operation, report: () => {} }, error);
    await operations.releaseInstances(tx, operation.id);
    await auditFailure(tx, operation, error);
    return true;
  });
}
