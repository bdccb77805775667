/** Forgets the step records of runs that ended long ago, so that they do not grow for ever; operations stay. */
import type { DurableRuns } from '../runtime/workflows.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 600_000;
const KEPT_MS = 7 * 86_400_000;

export function runSweeper(services: Services, runs: DurableRuns, keptMs: number = KEPT_MS): Reconciler {
  return {
    name: 'run-sweeper',
    everyMs: EVERY_MS,
    async run() {
      const forgotten = await runs.forget(new Date(services.now() - keptMs));
      return forgotten === 0 ? null : `forgot ${forgotten} runs that ended long ago`;
    },
  };
}
