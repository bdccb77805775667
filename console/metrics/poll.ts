/** How often figures are fetched again while somebody looks (milliseconds): about as often as there are new ones. */
import type { MetricRange } from '#domain/metrics.ts';

export const METRICS_POLL_MS: Record<MetricRange, number> = {
  '1h': 10_000,
  '6h': 30_000,
  '24h': 60_000,
  '7d': 300_000,
  '90d': 300_000,
};
