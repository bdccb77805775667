/** metrics: what instances and hosts use, now and over a time, as small pictures of letters. */
import { type Command, Option } from 'commander';
import { type MetricRange, metricRangeNames } from '#domain/metrics.ts';
import type { OutputOf } from '../client.ts';
import { formatBytes, formatRelative, plain } from '../format.ts';
import { collect, findHost, findInstance, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type Series = OutputOf<'instanceMetrics'>;
type Current = NonNullable<Series['current']>;
type MetricsOptions = { range: MetricRange };

const SPARK_WIDTH = 40;
const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** A line of bars from zero to the highest (or to `limit`): averages of equal parts, a blank where nothing is known. */
export function sparkline(values: readonly (number | null)[], limit: number | null, width = SPARK_WIDTH): string {
  const parts = Array.from(
    { length: Math.min(width, values.length) },
    (_, index, all = Math.min(width, values.length)) => {
      const known = values
        .slice(Math.floor((index * values.length) / all), Math.floor(((index + 1) * values.length) / all))
        .filter((value) => value !== null);
      return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
    },
  );
  const top = Math.max(limit ?? 0, ...parts.map((part) => part ?? 0));
  return parts
    .map((part) => {
      if (part === null) return ' ';
      return bars[top === 0 ? 0 : Math.min(bars.length - 1, Math.floor((part / top) * bars.length))] ?? ' ';
    })
    .join('');
}

const cores = (value: number | null): string => (value === null ? '-' : value.toFixed(2));
const rate = (value: number | null): string => (value === null ? '-' : `${formatBytes(Math.round(value))}/s`);
const percent = (value: number | null, limit: number | null): string =>
  value === null || limit === null || limit === 0 ? '' : ` (${Math.round((value / limit) * 100)} %)`;
const share = (value: number | null, limit: number | null): string =>
  value === null ? '-' : `${formatBytes(Math.round(value))}${limit === null ? '' : ` of ${formatBytes(limit)}`}`;
const cpu = (now: Current): string =>
  `${cores(now.cpuCores)}${now.cpuLimitCores === null ? '' : ` of ${now.cpuLimitCores} cores`}${percent(now.cpuCores, now.cpuLimitCores)}`;

const highest = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
};

function describe(berth: Runtime, name: string, series: Series): string {
  const { current } = series;
  if (current === null) return `Nothing was measured of ${plain(name)} yet.\n`;
  const rows = [
    ['CPU', cpu(current), series.cpuCores, series.cpuLimitCores, cores],
    [
      'Memory',
      share(current.memoryBytes, current.memoryLimitBytes),
      series.memoryBytes,
      series.memoryLimitBytes,
      share1,
    ],
    [
      'Disk used',
      share(current.diskBytes, current.diskLimitBytes),
      { average: series.diskBytes, highest: series.diskBytes },
      null,
      share1,
    ],
    ['Disk read', rate(current.diskReadBytesPerSecond), series.diskReadBytesPerSecond, null, rate],
    ['Disk written', rate(current.diskWrittenBytesPerSecond), series.diskWrittenBytesPerSecond, null, rate],
    ['Network in', rate(current.receivedBytesPerSecond), series.receivedBytesPerSecond, null, rate],
    ['Network out', rate(current.sentBytesPerSecond), series.sentBytesPerSecond, null, rate],
    ['Processes', count(current.processes), series.processes, null, count],
  ] as const;
  const age = `${current.stale ? 'stale, of' : 'as of'} ${formatRelative(current.at, berth.io.now())}`;
  const table = renderTable(
    rows,
    [
      { title: 'What', value: ([what]) => what },
      { title: 'Now', value: ([, now]) => now },
      {
        title: `Last ${series.range}`,
        value: ([, , values, limits]) => sparkline(values.average, limits === null ? null : highest(limits)) || '-',
        paint: (text) => berth.paint.cyan(text),
      },
      { title: 'Highest', value: ([, , values, , format]) => format(highest(values.highest)), align: 'right' },
    ],
    { paint: berth.paint, empty: '' },
  );
  return `${table}${current.stale ? berth.paint.yellow(age) : berth.paint.dim(age)}\n`;
}

const share1 = (value: number | null): string => formatBytes(value === null ? null : Math.round(value));
const count = (value: number | null): string => (value === null ? '-' : String(Math.round(value)));

async function all(berth: Runtime): Promise<void> {
  const client = await berth.client();
  const project = await berth.project();
  const [{ items }, instances] = await Promise.all([
    client.call('projectMetrics', { params: { project: project.id } }),
    collect(LIST_ROWS_MAX, (query) => client.call('instancesList', { params: { project: project.id }, query })),
  ]);
  const names = new Map(instances.items.map(({ id, name }) => [id as string, name]));
  const rows = items
    .map((item) => ({ ...item, name: names.get(item.instance) ?? item.instance }))
    .sort((one, two) => (two.cpuCores ?? -1) - (one.cpuCores ?? -1));
  berth.print({ items }, () =>
    renderTable(
      rows,
      [
        { title: 'Name', value: (row) => row.name },
        { title: 'CPU', value: (row) => (row.stale ? 'stale' : cpu(row)) },
        { title: 'Memory', value: (row) => share(row.memoryBytes, row.memoryLimitBytes) },
        { title: 'Disk', value: (row) => share(row.diskBytes, row.diskLimitBytes) },
        { title: 'In', value: (row) => (row.stale ? '-' : rate(row.receivedBytesPerSecond)), align: 'right' },
        { title: 'Out', value: (row) => (row.stale ? '-' : rate(row.sentBytesPerSecond)), align: 'right' },
      ],
      { paint: berth.paint, empty: 'Nothing was measured in this project yet.' },
    ),
  );
}

const rangeOption = (): Option =>
  new Option('--range <range>', 'how far back').choices(metricRangeNames).default('1h' satisfies MetricRange);

export function addMetricCommands(program: Command, io: Io): void {
  program
    .command('metrics [instance]')
    .description('Show what an instance uses, or all of the project')
    .addOption(rangeOption())
    .addHelpText('after', examples(['berth metrics', 'berth metrics web --range 24h', 'berth metrics web --json']))
    .action(
      run<MetricsOptions>(io, async (berth, [ref], { range }) => {
        if (ref === undefined) return all(berth);
        const instance = await findInstance(berth, ref);
        const series = await (await berth.client()).call('instanceMetrics', {
          params: { instance: instance.id },
          query: { range },
        });
        berth.print(series, () => describe(berth, instance.name, series));
      }),
    );
}

export function addHostMetrics(hosts: Command, io: Io): void {
  hosts
    .command('metrics <host>')
    .description('Show what a host uses')
    .addOption(rangeOption())
    .action(
      run<MetricsOptions>(io, async (berth, [ref = ''], { range }) => {
        const host = await findHost(berth, ref);
        const series = await (await berth.client()).call('hostMetrics', {
          params: { host: host.id },
          query: { range },
        });
        berth.print(series, () => describe(berth, host.name, series));
      }),
    );
}
