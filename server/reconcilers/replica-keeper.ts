/**
 * Says that this replica lives, and takes up the runs of replicas that do not. DBOS leaves a dead replica's runs alone
 * until the same one comes back; here any living one goes on with them after REPLICA_DEAD_MS.
 */
import type { DurableRuns } from '../runtime/workflows.ts';
import { beat, forgetReplicas, livingReplicas } from '../store/replicas.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

export const REPLICA_BEAT_MS = 2_000;
/** Silent for this long is dead. Longer than any pause of a living event loop; steps stay safe even if it was not dead. */
export const REPLICA_DEAD_MS = 10_000;
const FORGET_AFTER_MS = 3600_000;

export function replicaKeeper(
  services: Services,
  runs: DurableRuns,
  replicaId: string,
  pace: { beatMs: number; deadMs: number } = { beatMs: REPLICA_BEAT_MS, deadMs: REPLICA_DEAD_MS },
): Reconciler {
  return {
    name: 'replica-keeper',
    everyMs: pace.beatMs,
    leaderOnly: false,
    async run() {
      await beat(services.db, replicaId);
      const living = await livingReplicas(services.db, pace.deadMs);
      const orphaned = await runs.orphaned(living);
      if (orphaned.length > 0) await runs.adopt(orphaned);
      await forgetReplicas(services.db, FORGET_AFTER_MS);
      return orphaned.length === 0 ? null : `took up ${orphaned.length} runs of replicas that are gone`;
    },
  };
}
