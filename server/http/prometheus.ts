/**
 * The text that Prometheus reads, in its own format (0.0.4) or as OpenMetrics 1.0. Written by hand: the figures are rows
 * of a table, and client libraries are made for counters that live in the process.
 */
import { isStale, type Scrape } from '#server/app/metrics.ts';

type NamedMetrics = Scrape['metrics'][number];

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export function asksForOpenMetrics(accept: string | undefined): boolean {
  return accept?.includes('application/openmetrics-text') ?? false;
}

type Family = {
  /** Without `_total`. */
  name: string;
  type: 'counter' | 'gauge';
  unit?: 'seconds' | 'bytes';
  help: string;
  value(metrics: NamedMetrics): number | null;
};

/** `berth_instance_...` and `berth_host_...` alike. */
const families: readonly Family[] = [
  {
    name: 'cpu_seconds',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time used since it started.',
    value: (one) => one.cpuSeconds,
  },
  { name: 'cpu_limit_cores', type: 'gauge', help: 'Processors it may use.', value: (one) => one.cpuLimit },
  {
    name: 'memory_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory held by programs, without what can be given back.',
    value: (one) => one.memoryBytes,
  },
  {
    name: 'memory_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory it may use.',
    value: (one) => one.memoryLimitBytes,
  },
  { name: 'disk_used_bytes', type: 'gauge', unit: 'bytes', help: 'Storage it uses.', value: (one) => one.diskBytes },
  {
    name: 'disk_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Storage it may use.',
    value: (one) => one.diskLimitBytes,
  },
  {
    name: 'disk_read_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes read from disks since it started.',
    value: (one) => one.readBytes,
  },
  {
    name: 'disk_written_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes written to disks since it started.',
    value: (one) => one.writtenBytes,
  },
  {
    name: 'network_receive_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes that came in over the network since it started.',
    value: (one) => one.receivedBytes,
  },
  {
    name: 'network_transmit_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes that went out over the network since it started.',
    value: (one) => one.sentBytes,
  },
  { name: 'processes', type: 'gauge', help: 'Processes in it.', value: (one) => one.processes },
];

type CacheStatus = Scrape['caches'][number]['status'];
/** `berth_registry_...`, for hosts whose image cache is on. */
const cacheFamilies: readonly (Omit<Family, 'value'> & { value(status: CacheStatus): number | null })[] = [
  {
    name: 'up',
    type: 'gauge',
    help: 'Whether the image cache runs.',
    value: (one) => (one.state === 'running' ? 1 : 0),
  },
  {
    name: 'upstream_up',
    type: 'gauge',
    help: 'Whether upstream answered the last time it was asked.',
    value: (one) => (one.upstreamProblem === null ? 1 : 0),
  },
  {
    name: 'used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Storage of cached images.',
    value: (one) => one.usedBytes,
  },
  { name: 'hits', type: 'counter', help: 'Blobs that were here already.', value: (one) => one.hits },
  { name: 'misses', type: 'counter', help: 'Blobs that upstream was asked for.', value: (one) => one.misses },
  {
    name: 'served_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes that servers got.',
    value: (one) => one.servedBytes,
  },
  {
    name: 'fetched_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes that came from upstream.',
    value: (one) => one.fetchedBytes,
  },
  {
    name: 'evicted_bytes',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes removed to make room.',
    value: (one) => one.evictedBytes,
  },
  {
    name: 'upstream_limit',
    type: 'gauge',
    help: 'Pulls that upstream lets through in its window.',
    value: (one) => one.limit?.limit ?? null,
  },
  {
    name: 'upstream_remaining',
    type: 'gauge',
    help: 'Pulls that upstream still lets through.',
    value: (one) => one.limit?.remaining ?? null,
  },
];

/** Figures that are stale are left out, as Prometheus wants it; `berth_host_up` says why. */
export function prometheusText({ now, metrics, caches }: Scrape, openMetrics: boolean): string {
  const fresh = metrics.filter((one) => !isStale(one, now.getTime()));
  const lines: string[] = [];
  const family = ({ name, type, unit, help }: Omit<Family, 'value'>, samples: readonly [string, number][]): void => {
    if (samples.length === 0) return;
    const sample = type === 'counter' ? `${name}_total` : name;
    const title = openMetrics ? name : sample;
    lines.push(`# HELP ${title} ${help}`, `# TYPE ${title} ${type}`);
    if (openMetrics && unit !== undefined) lines.push(`# UNIT ${title} ${unit}`);
    for (const [labels, value] of samples) lines.push(`${sample}{${labels}} ${value}`);
  };
  const hosts = metrics.filter((one) => one.host !== null);
  family(
    { name: 'berth_host_up', type: 'gauge', help: 'Whether the host was heard of in the last half minute.' },
    hosts.map((one) => [labelsOf(one), isStale(one, now.getTime()) ? 0 : 1]),
  );
  for (const kind of ['host', 'instance'] as const) {
    const those = fresh.filter((one) => (one.host !== null) === (kind === 'host'));
    for (const { value, ...head } of families) {
      const samples = those.flatMap((one): [string, number][] => {
        const figure = value(one);
        return figure === null ? [] : [[labelsOf(one), figure]];
      });
      family({ ...head, name: `berth_${kind}_${head.name}` }, samples);
    }
  }
  for (const { value, ...head } of cacheFamilies) {
    const samples = caches.flatMap(({ hostName, status }): [string, number][] => {
      const figure = value(status);
      return status.state === 'off' || figure === null ? [] : [[`host="${escapeLabel(hostName)}"`, figure]];
    });
    family({ ...head, name: `berth_registry_${head.name}` }, samples);
  }
  if (openMetrics) lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function labelsOf(one: NamedMetrics): string {
  const labels =
    one.host !== null
      ? { host: one.host }
      : { name: one.name, id: one.subject, kind: one.kind, project: one.project, organization: one.organization };
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value ?? '')}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
