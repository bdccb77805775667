/** How long to wait before a process that ended is started again. */
export const BACKOFF_MIN_MS = 200;
export const BACKOFF_MAX_MS = 30_000;
/** A process that ran this long is healthy: its next failure starts at the beginning again. */
export const BACKOFF_RESET_AFTER_MS = 60_000;
/** A refused configuration does not become right by trying often. */
export const CONFIG_REFUSED_EXIT = 78;

/**
 * The next wait in milliseconds. `previousMs` is the wait before the run that just ended (0: none), `ranMs` how long
 * that run lasted.
 */
export function nextBackoff(previousMs: number, ranMs: number, exitCode: number | null): number {
  if (exitCode === CONFIG_REFUSED_EXIT) return BACKOFF_MAX_MS;
  if (previousMs === 0 || ranMs >= BACKOFF_RESET_AFTER_MS) return BACKOFF_MIN_MS;
  return Math.min(previousMs * 2, BACKOFF_MAX_MS);
}
