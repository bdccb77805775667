/**
 * Reconcilers keep something true for ever. Each runs on a timer and on a nudge; a nudge says "look now" and never what
 * changed. A run takes no input, does the same work whatever woke it, never overlaps itself and does not retry inside:
 * the next run is the retry. Their names are actors. What each last did is kept for whoever asks.
 */
import type { ServiceLog } from '../workflows/services.ts';

export type Reconciler = {
  name: string;
  everyMs: number;
  /** False: runs on every replica. True (default): only on the replica that leads. */
  leaderOnly?: boolean;
  /** A short account of what was done; null when there was nothing to do. */
  run(signal: AbortSignal): Promise<string | null>;
};

export type ReconcilerStatus = {
  name: string;
  runs: number;
  failures: number;
  lastRunAt: Date | null;
  lastMs: number | null;
  /** The last account that was not null. */
  lastAccount: string | null;
  lastError: string | null;
};

export type ReconcilerRunner = {
  /** "Look now". Unknown names are ignored: who nudges need not know what is running here. */
  nudge(name: string): void;
  status(): ReconcilerStatus[];
  /** Waits for the runs under way (bounded by the caller). */
  stop(): Promise<void>;
};

type Entry = { reconciler: Reconciler; status: ReconcilerStatus; nudged: boolean; wake: (() => void) | null };

/** Starts them all; each runs at once and then every `everyMs`. */
export function startReconcilers(
  reconcilers: readonly Reconciler[],
  options: { log: ServiceLog; isLeader(): boolean; now(): number },
): ReconcilerRunner {
  const abort = new AbortController();
  const entries: Entry[] = reconcilers.map((reconciler) => ({
    reconciler,
    nudged: false,
    wake: null,
    status: {
      name: reconciler.name,
      runs: 0,
      failures: 0,
      lastRunAt: null,
      lastMs: null,
      lastAccount: null,
      lastError: null,
    },
  }));
  const loops = entries.map((entry) => loop(entry, options, abort.signal));
  return {
    nudge(name) {
      const entry = entries.find((candidate) => candidate.reconciler.name === name);
      if (entry === undefined) return;
      entry.nudged = true;
      entry.wake?.();
    },
    status: () => entries.map((entry) => ({ ...entry.status })),
    async stop() {
      abort.abort();
      for (const entry of entries) entry.wake?.();
      await Promise.all(loops);
    },
  };
}

/** How soon a replica that does not lead looks whether it does now. */
const NOT_LEADING_MS = 1_000;

/** After a run that failed (the agent or the database is away) the next one comes sooner. */
const AFTER_FAILURE_MS = 2_000;

async function loop(
  entry: Entry,
  options: { log: ServiceLog; isLeader(): boolean; now(): number },
  signal: AbortSignal,
): Promise<void> {
  const { reconciler } = entry;
  while (!signal.aborted) {
    const leads = reconciler.leaderOnly === false || options.isLeader();
    entry.nudged = false;
    if (leads) await runOnce(entry, options, signal);
    if (signal.aborted) return;
    if (entry.nudged && leads) continue;
    await new Promise<void>((resolve) => {
      const pause =
        entry.status.lastError === null ? reconciler.everyMs : Math.min(reconciler.everyMs, AFTER_FAILURE_MS);
      const timer = setTimeout(done, leads ? pause : NOT_LEADING_MS);
      entry.wake = done;
      function done(): void {
        clearTimeout(timer);
        entry.wake = null;
        resolve();
      }
    });
  }
}

async function runOnce(
  { reconciler, status }: Entry,
  options: { log: ServiceLog; now(): number },
  signal: AbortSignal,
): Promise<void> {
  const started = options.now();
  status.runs++;
  status.lastRunAt = new Date(started);
  try {
    const account = await reconciler.run(signal);
    status.lastError = null;
    if (account !== null) {
      status.lastAccount = account;
      options.log.info({ reconciler: reconciler.name, account }, 'reconciled');
    }
  } catch (error) {
    if (signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    // The same trouble again is said once: a host that is away would fill the log.
    if (status.lastError !== message) {
      options.log.warn({ reconciler: reconciler.name, err: error }, 'a reconciler run failed');
    }
    status.failures++;
    status.lastError = message;
  } finally {
    status.lastMs = options.now() - started;
  }
}
