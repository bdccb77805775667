/** What hosts and instances use, for people and for Prometheus. */
import type { CurrentMetrics, MetricSeries } from '#contract/metrics.ts';
import type { Caller } from '#domain/caller.ts';
import type { HostId, InstanceId, ProjectId } from '#domain/ids.ts';
import { METRIC_STALE_SECONDS, type MetricRange, metricGrid } from '#domain/metrics.ts';
import { type HistoryRow, metricHistory } from '#server/store/metric-history.ts';
import {
  everyMetric,
  type LatestMetrics,
  latestMetrics,
  type NamedMetrics,
  projectMetrics,
  projectMetricsNamed,
} from '#server/store/metrics.ts';
import { registryStatuses, type SeenRegistry } from '#server/store/registry.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

function presentCurrent(latest: LatestMetrics, now: number): CurrentMetrics {
  const { rates } = latest;
  return {
    at: latest.at.toISOString(),
    stale: isStale(latest, now),
    cpuCores: rates.cpu,
    cpuLimitCores: latest.cpuLimit,
    memoryBytes: latest.memoryBytes,
    memoryLimitBytes: latest.memoryLimitBytes,
    diskBytes: latest.diskBytes,
    diskLimitBytes: latest.diskLimitBytes,
    diskReadBytesPerSecond: rates.read,
    diskWrittenBytesPerSecond: rates.written,
    receivedBytesPerSecond: rates.received,
    sentBytesPerSecond: rates.sent,
    processes: latest.processes,
  };
}

export function isStale(latest: Pick<LatestMetrics, 'at'>, now: number): boolean {
  return now - latest.at.getTime() > METRIC_STALE_SECONDS * 1000;
}

function presentSeries(
  range: MetricRange,
  rows: readonly HistoryRow[],
  latest: LatestMetrics | null,
  now: number,
): MetricSeries {
  const { first, step, count } = metricGrid(range, now);
  const known = new Map(rows.map((row) => [row.slot, row]));
  const values = (column: keyof HistoryRow): (number | null)[] =>
    Array.from({ length: count }, (_, slot) => known.get(slot)?.[column] ?? null);
  const averaged = (column: 'cpu' | 'memory' | 'read' | 'written' | 'received' | 'sent' | 'processes') => ({
    average: values(column),
    highest: values(`${column}_max`),
  });
  return {
    range,
    from: new Date(first * 1000).toISOString(),
    stepSeconds: step,
    points: count,
    cpuCores: averaged('cpu'),
    memoryBytes: averaged('memory'),
    diskReadBytesPerSecond: averaged('read'),
    diskWrittenBytesPerSecond: averaged('written'),
    receivedBytesPerSecond: averaged('received'),
    sentBytesPerSecond: averaged('sent'),
    processes: averaged('processes'),
    diskBytes: values('disk'),
    cpuLimitCores: values('cpu_limit'),
    memoryLimitBytes: values('memory_limit'),
    diskLimitBytes: values('disk_limit'),
    current: latest === null ? null : presentCurrent(latest, now),
  };
}

export async function instanceMetrics(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  range: MetricRange,
): Promise<MetricSeries> {
  const proof = await authorize(app, caller, 'instance.inspect', { kind: 'instance', id });
  const now = app.clock.now().getTime();
  const [rows, latest] = await Promise.all([metricHistory(app.db, proof, range, now), latestMetrics(app.db, proof)]);
  return presentSeries(range, rows, latest, now);
}

export async function hostMetrics(
  app: AppContext,
  caller: Caller,
  id: HostId,
  range: MetricRange,
): Promise<MetricSeries> {
  const proof = await authorize(app, caller, 'platform.host.read', { kind: 'host', id });
  const now = app.clock.now().getTime();
  const [rows, latest] = await Promise.all([metricHistory(app.db, proof, range, now), latestMetrics(app.db, proof)]);
  return presentSeries(range, rows, latest, now);
}

export async function currentMetrics(
  app: AppContext,
  caller: Caller,
  id: ProjectId,
): Promise<(CurrentMetrics & { instance: InstanceId })[]> {
  const proof = await authorize(app, caller, 'instance.inspect', { kind: 'project', id });
  const now = app.clock.now().getTime();
  const found = await projectMetrics(app.db, proof);
  return found.map((latest) => ({ instance: latest.subject as InstanceId, ...presentCurrent(latest, now) }));
}

/** What Prometheus is told: everything that is not stale, and of every host whether it is there. */
/** `caches`: the image caches of hosts; none in what a project sees. */
export type Scrape = { now: Date; metrics: NamedMetrics[]; caches: SeenRegistry[] };

export async function scrapeAll(app: AppContext, caller: Caller): Promise<Scrape> {
  const proof = await authorizePlatform(app, caller, 'platform.metric.read');
  const [metrics, caches] = await Promise.all([everyMetric(app.db, proof), registryStatuses(app.db)]);
  return { now: app.clock.now(), metrics, caches };
}

export async function scrapeProject(app: AppContext, caller: Caller, id: ProjectId): Promise<Scrape> {
  const proof = await authorize(app, caller, 'instance.inspect', { kind: 'project', id });
  return { now: app.clock.now(), metrics: await projectMetricsNamed(app.db, proof), caches: [] };
}
