/** hosts: the machines that run instances. */
import type { Command } from 'commander';
import { formatBytes, formatDuration, formatRelative, paintState, plain } from '../format.ts';
import { findHost, type Host } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties, renderTable } from '../table.ts';
import { addHostMetrics } from './metrics.ts';

function share(used: number | null, total: number | null): string {
  return total === null ? '-' : `${formatBytes(used)} of ${formatBytes(total)}`;
}

function describe(berth: Runtime, host: Host): string {
  return renderProperties(
    [
      ['Name', plain(host.name)],
      ['Id', host.id],
      ['State', paintState(host.state, berth.paint)],
      ['Problem', host.error === null ? null : berth.paint.red(plain(host.error))],
      ['Last seen', formatRelative(host.lastSeenAt, berth.io.now())],
      ['Engine', host.engine === null ? null : `${plain(host.engine)} ${plain(host.engineVersion ?? '')}`.trim()],
      ['System', host.os === null ? null : `${plain(host.os)}, kernel ${plain(host.kernel ?? '?')}`],
      [
        'CPUs',
        host.cpus === null ? null : `${host.cpus}${host.load1 === null ? '' : `, load ${host.load1.toFixed(2)}`}`,
      ],
      ['Memory used', share(host.memoryUsedBytes, host.memoryBytes)],
      ['Disk used', `${share(host.poolUsedBytes, host.poolBytes)} (${plain(host.poolDriver ?? '?')})`],
      ['Up for', host.uptimeSeconds === null ? null : formatDuration(host.uptimeSeconds * 1000)],
      ['Instances', `${host.instances.running} running of ${host.instances.total}`],
      ...host.missing.map((text) => ['Cannot', berth.paint.yellow(plain(text))] as const),
    ],
    berth.paint,
  );
}

export function addHostCommands(program: Command, io: Io): void {
  const hosts = program
    .command('hosts')
    .alias('host')
    .description('Machines that run instances (platform administrators)');
  hosts
    .command('list')
    .alias('ls')
    .description('List hosts with their capacity')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('hostsList', {});
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'State', value: (row) => row.state, paint: (_text, row) => paintState(row.state, berth.paint) },
              { title: 'Engine', value: (row) => `${row.engine ?? '-'} ${row.engineVersion ?? ''}`.trim() },
              { title: 'CPUs', value: (row) => (row.cpus === null ? '-' : String(row.cpus)), align: 'right' },
              { title: 'Memory used', value: (row) => share(row.memoryUsedBytes, row.memoryBytes) },
              { title: 'Disk used', value: (row) => share(row.poolUsedBytes, row.poolBytes) },
              { title: 'Instances', value: (row) => `${row.instances.running}/${row.instances.total}`, align: 'right' },
            ],
            { paint: berth.paint, empty: 'No hosts.' },
          ),
        );
      }),
    );
  hosts
    .command('get <host>')
    .alias('show')
    .description('Show one host')
    .action(
      run(io, async (berth, [ref = '']) => {
        const host = await findHost(berth, ref);
        berth.print(host, () => describe(berth, host));
      }),
    );
  addHostMetrics(hosts, io);
}
