/** Makes minutes of samples, hours of minutes and days of hours, and forgets what is old enough. */
import { forgetMetrics, rollUp } from '../store/metric-history.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 30_000;
/** Hours and days change slowly. */
const COARSE_EVERY_MS = 5 * 60_000;
/** Deletions of one run; the rest is left to the next. */
const ROUNDS_MAX = 10;

export function metricKeeper(services: Services): Reconciler {
  let coarseAt = 0;
  return {
    name: 'metric-keeper',
    everyMs: EVERY_MS,
    async run(signal) {
      const now = services.now();
      await rollUp(services.db, 60);
      if (now - coarseAt < COARSE_EVERY_MS) return null;
      await rollUp(services.db, 3600);
      await rollUp(services.db, 86_400);
      coarseAt = now;
      // Only after everything was rolled up: what breaks above forgets nothing.
      for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round++) {
        if (!(await forgetMetrics(services.db, now))) break;
      }
      return null;
    },
  };
}
