/** Metrics of the mock: waves with a gap in them, so that every state of the graphs can be seen. */
import type { CurrentMetrics, MetricSeries } from '#contract/metrics.ts';
import { notFound } from '#domain/errors.ts';
import { type MetricRange, metricGrid } from '#domain/metrics.ts';
import type { Handlers } from './handlers.ts';

type Size = { cpus: number; memoryBytes: number; diskBytes: number };

const GAP = { from: 0.55, to: 0.6 };

/** The same at every call for the same moment: 0 to 1. */
const wave = (at: number, seed: number): number =>
  (Math.sin(at / 700 + seed) + Math.sin(at / 173 + seed * 3) + Math.sin(at / 61) + 3) / 6;

function seedOf(id: string): number {
  return [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 100;
}

function current(id: string, size: Size, at: number, stale: boolean): CurrentMetrics {
  const seed = seedOf(id);
  return {
    at: new Date(at).toISOString(),
    stale,
    cpuCores: wave(at / 1000, seed) * size.cpus,
    cpuLimitCores: size.cpus,
    memoryBytes: (0.3 + 0.4 * wave(at / 1000, seed + 1)) * size.memoryBytes,
    memoryLimitBytes: size.memoryBytes,
    diskBytes: 0.42 * size.diskBytes,
    diskLimitBytes: size.diskBytes,
    diskReadBytesPerSecond: wave(at / 1000, seed + 2) * 3e6,
    diskWrittenBytesPerSecond: wave(at / 1000, seed + 3) * 8e6,
    receivedBytesPerSecond: wave(at / 1000, seed + 4) * 2e6,
    sentBytesPerSecond: wave(at / 1000, seed + 5) * 5e5,
    processes: 40 + Math.round(wave(at / 1000, seed) * 20),
  };
}

function series(id: string, size: Size, range: MetricRange, running: boolean): MetricSeries {
  const now = Date.now();
  const { first, step, count } = metricGrid(range, now);
  const all = Array.from({ length: count }, (_, index) => {
    const gap = index > count * GAP.from && index < count * GAP.to;
    return gap || (!running && index > count * 0.7) ? null : current(id, size, (first + index * step) * 1000, false);
  });
  const values = (name: Exclude<keyof CurrentMetrics, 'at' | 'stale'>) => all.map((one) => one?.[name] ?? null);
  const averaged = (name: Parameters<typeof values>[0]) => ({
    average: values(name),
    highest: values(name).map((value) => (value === null ? null : value * (step === 10 ? 1 : 1.2))),
  });
  return {
    range,
    from: new Date(first * 1000).toISOString(),
    stepSeconds: step,
    points: count,
    cpuCores: averaged('cpuCores'),
    memoryBytes: averaged('memoryBytes'),
    diskReadBytesPerSecond: averaged('diskReadBytesPerSecond'),
    diskWrittenBytesPerSecond: averaged('diskWrittenBytesPerSecond'),
    receivedBytesPerSecond: averaged('receivedBytesPerSecond'),
    sentBytesPerSecond: averaged('sentBytesPerSecond'),
    processes: averaged('processes'),
    diskBytes: values('diskBytes'),
    cpuLimitCores: values('cpuLimitCores'),
    memoryLimitBytes: values('memoryLimitBytes'),
    diskLimitBytes: values('diskLimitBytes'),
    current: current(id, size, running ? now - 4000 : now - 3 * 3600_000, !running),
  };
}

export const metricHandlers: Pick<
  Handlers,
  'instanceMetrics' | 'projectMetrics' | 'hostMetrics' | 'prometheus' | 'projectPrometheus'
> = {
  instanceMetrics: (state, { params, query }) => {
    const row = state.instances.find((each) => each.id === params.instance);
    if (row === undefined) throw notFound('instance');
    const answer = series(row.id, row.size, query.range, row.observed === 'running');
    // What never ran was never measured.
    return row.startedAt === null && row.observed !== 'running'
      ? { ...answer, ...emptied(answer), current: null }
      : answer;
  },
  projectMetrics: (state, { params }) => ({
    items: state.instances
      .filter((each) => each.project === params.project && each.phase === 'ready' && each.startedAt !== null)
      .map((each) => ({
        instance: each.id,
        ...current(each.id, each.size, Date.now() - 4000, each.observed !== 'running'),
      })),
  }),
  hostMetrics: (state, { params, query }) => {
    const host = state.hosts.find((each) => each.id === params.host);
    if (host === undefined) throw notFound('host');
    const size = { cpus: host.cpus ?? 1, memoryBytes: host.memoryBytes ?? 1, diskBytes: host.poolBytes ?? 1 };
    return series(host.id, size, query.range, host.state === 'online');
  },
  // Only programs read these.
  prometheus: () => undefined,
  projectPrometheus: () => undefined,
};

function emptied(series: MetricSeries): Partial<MetricSeries> {
  const nothing = Array.from({ length: series.points }, () => null);
  return Object.fromEntries(
    Object.entries(series)
      .filter(([, value]) => typeof value === 'object' && value !== null)
      .map(([name, value]) => [name, Array.isArray(value) ? nothing : { average: nothing, highest: nothing }]),
  );
}
