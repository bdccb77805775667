/** Which graphs there are of a host or an instance, and how their figures are written. Pure. */
import type { MetricSeries } from '#contract/metrics.ts';
import { formatBytes } from '../lib/format.ts';

export type Line = {
  label: string;
  values: readonly (number | null)[];
  /** Design token of its colour. */
  color: 'accent' | 'busy-dot' | 'warn-dot' | 'idle-dot';
  dashed?: boolean;
};
export type Graph = {
  id: string;
  title: string;
  lines: Line[];
  format: (value: number) => string;
  /** Ticks at whole KiB, MiB, GiB. */
  bytes?: true;
  /** Set when every line is empty because nobody counts it here. */
  missing?: string;
};

export const formatCores = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(1)}`;
export const formatRate = (value: number): string => `${formatBytes(value)}/s`;
const formatCount = (value: number): string => String(Math.round(value));

const known = (values: readonly (number | null)[]): boolean => values.some((value) => value !== null);

/** Beyond the raw samples an average hides peaks: then the highest gets a line of its own. */
function measured(
  label: string,
  series: MetricSeries['cpuCores'],
  stepSeconds: number,
  color: Line['color'] = 'accent',
): Line[] {
  const peaks: Line[] =
    stepSeconds > 10 ? [{ label: `${label}, highest`, values: series.highest, color: 'warn-dot' }] : [];
  return [{ label, values: series.average, color }, ...peaks];
}

function limit(values: readonly (number | null)[]): Line[] {
  return known(values) ? [{ label: 'Limit', values, color: 'idle-dot', dashed: true }] : [];
}

export function graphsOf(series: MetricSeries): Graph[] {
  const step = series.stepSeconds;
  const disk = [
    { label: 'Read', values: series.diskReadBytesPerSecond.average, color: 'accent' },
    { label: 'Written', values: series.diskWrittenBytesPerSecond.average, color: 'busy-dot' },
  ] satisfies Line[];
  const graphs: Graph[] = [
    {
      id: 'cpu',
      title: 'CPU, in cores',
      lines: [...measured('Used', series.cpuCores, step), ...limit(series.cpuLimitCores)],
      format: formatCores,
    },
    {
      id: 'memory',
      title: 'Memory',
      lines: [...measured('Used', series.memoryBytes, step), ...limit(series.memoryLimitBytes)],
      format: formatBytes,
      bytes: true,
    },
    {
      id: 'network',
      title: 'Network',
      lines: [
        { label: 'In', values: series.receivedBytesPerSecond.average, color: 'accent' },
        { label: 'Out', values: series.sentBytesPerSecond.average, color: 'busy-dot' },
      ],
      format: formatRate,
      bytes: true,
    },
    {
      id: 'disk-traffic',
      title: 'Disk traffic',
      lines: disk,
      format: formatRate,
      bytes: true,
      ...(known(disk[0]?.values ?? []) || known(disk[1]?.values ?? [])
        ? {}
        : { missing: 'The kernel of this host does not count the disk traffic of instances.' }),
    },
    {
      id: 'disk',
      title: 'Disk used',
      lines: [{ label: 'Used', values: series.diskBytes, color: 'accent' }, ...limit(series.diskLimitBytes)],
      format: formatBytes,
      bytes: true,
    },
    { id: 'processes', title: 'Processes', lines: measured('Running', series.processes, step), format: formatCount },
  ];
  return graphs.filter((graph) => graph.missing !== undefined || graph.lines.some((line) => known(line.values)));
}

/** Seconds since 1970 of every value. */
export function momentsOf(series: Pick<MetricSeries, 'from' | 'stepSeconds' | 'points'>): number[] {
  const first = Date.parse(series.from) / 1000;
  return Array.from({ length: series.points }, (_, index) => first + index * series.stepSeconds);
}

/** What a graph says in words: for whoever does not see it. */
export function summaryOf(graph: Graph): string {
  const parts = graph.lines.flatMap((line) => {
    const values = line.values.filter((value) => value !== null);
    const last = values.at(-1);
    if (last === undefined) return [];
    return [`${line.label}: last ${graph.format(last)}, highest ${graph.format(Math.max(...values))}`];
  });
  return `${graph.title}. ${parts.join('. ')}.`;
}
