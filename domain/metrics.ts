/**
 * What is measured of hosts and instances: how often, how finely and how long it is kept, and the arithmetic from the
 * engine's counters to rates. Bytes are bytes, rates are per second, CPU is in cores.
 */

/** How often a host's agent looks, on whole multiples of the clock. */
export const SAMPLE_SECONDS = 10;
/** What was last seen longer ago is shown as stale, and not shown to Prometheus. */
export const METRIC_STALE_SECONDS = 35;
/** Between two samples further apart nothing is said about the time between them. */
export const RATE_GAP_SECONDS_MAX = 35;
/** Values of one series that are ever answered at once. */
export const METRIC_POINTS_MAX = 400;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Each tier is made from the one before it. `seconds` is the width of one value. */
export const metricTiers = [
  { name: 'raw', seconds: SAMPLE_SECONDS, keptSeconds: 2 * HOUR },
  { name: 'minute', seconds: MINUTE, keptSeconds: 24 * HOUR },
  { name: 'hour', seconds: HOUR, keptSeconds: 7 * DAY },
  { name: 'day', seconds: DAY, keptSeconds: 90 * DAY },
] as const;
export type TierSeconds = (typeof metricTiers)[number]['seconds'];

/** What can be asked for: from which tier it comes, and how wide one value of the answer is. */
export const metricRanges = {
  '1h': { seconds: HOUR, tier: SAMPLE_SECONDS, step: SAMPLE_SECONDS },
  '6h': { seconds: 6 * HOUR, tier: MINUTE, step: MINUTE },
  '24h': { seconds: DAY, tier: MINUTE, step: 5 * MINUTE },
  '7d': { seconds: 7 * DAY, tier: HOUR, step: HOUR },
  '90d': { seconds: 90 * DAY, tier: DAY, step: DAY },
} as const satisfies Record<string, { seconds: number; tier: TierSeconds; step: number }>;
export type MetricRange = keyof typeof metricRanges;
export const metricRangeNames = Object.keys(metricRanges) as MetricRange[];

/** The moments of an answer, in seconds since 1970: `count` values, each `step` wide, the last one holding `now`. */
export function metricGrid(range: MetricRange, now: number): { first: number; step: number; count: number } {
  const { seconds, step } = metricRanges[range];
  const count = seconds / step;
  return { first: Math.floor(now / 1000 / step) * step - (count - 1) * step, step, count };
}

/** Series with an average and a highest value. */
export const measuredSeries = ['cpu', 'memory', 'read', 'written', 'received', 'sent', 'processes'] as const;
export type MeasuredSeries = (typeof measuredSeries)[number];

/** Counted since the guest (or the host) started. Null: this kernel does not say. */
export type Counters = {
  cpuSeconds: number;
  readBytes: number | null;
  writtenBytes: number | null;
  receivedBytes: number;
  sentBytes: number;
};

/** One look at a guest or a host. */
export type Reading = Counters & {
  /** What it may use at most; null: unknown. */
  cpuLimit: number | null;
  memoryLimitBytes: number | null;
  /** Held by programs; what the kernel would give back for the asking is not in it. */
  memoryBytes: number;
  processes: number | null;
};

export type Rates = {
  cpu: number | null;
  read: number | null;
  written: number | null;
  received: number | null;
  sent: number | null;
};

export const noRates: Rates = { cpu: null, read: null, written: null, received: null, sent: null };

/**
 * What happened per second between two looks (`at` in milliseconds). Null where nothing can be said: the first look,
 * looks too far apart, a counter that fell on its own. When the processor's counter fell, the guest started anew in
 * between, and everything is counted from zero.
 */
export function ratesBetween(before: (Counters & { at: number }) | null, after: Counters & { at: number }): Rates {
  if (before === null) return noRates;
  const seconds = (after.at - before.at) / 1000;
  if (seconds <= 0 || seconds > RATE_GAP_SECONDS_MAX) return noRates;
  const restarted = after.cpuSeconds < before.cpuSeconds;
  const rate = (was: number | null, is: number | null): number | null => {
    if (is === null) return null;
    if (restarted) return is / seconds;
    return was === null || is < was ? null : (is - was) / seconds;
  };
  return {
    cpu: rate(before.cpuSeconds, after.cpuSeconds),
    read: rate(before.readBytes, after.readBytes),
    written: rate(before.writtenBytes, after.writtenBytes),
    received: rate(before.receivedBytes, after.receivedBytes),
    sent: rate(before.sentBytes, after.sentBytes),
  };
}
