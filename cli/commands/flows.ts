/** flows: what left the instances of a project. */
import { type Command, Option } from 'commander';
import { flowProtocols, flowVerdicts } from '#domain/flows.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatRelative, plain } from '../format.ts';
import { collect, findInstance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { times } from './audit-scope.ts';
import { examples } from './session.ts';

const LIMIT_MAX = 10_000;

type Row = OutputOf<'flowsList'>['items'][number];
type Filter = {
  instance?: string;
  address?: string;
  name?: string;
  port?: string;
  protocol?: Row['protocol'];
  verdict?: Row['verdict'];
  since?: string;
  until?: string;
};

function filtered(command: Command): Command {
  return command
    .option('--instance <instance>', 'only what left this one')
    .option('--address <address>', 'only to this address or range')
    .option('--name <part>', 'only to names with this in it')
    .option('--port <port>', 'only to this port')
    .addOption(new Option('--protocol <protocol>', 'only by this one').choices([...flowProtocols]))
    .addOption(new Option('--verdict <verdict>', 'only what was').choices([...flowVerdicts]))
    .option('--since <time>', 'after this time (2h, 7d or RFC 3339)')
    .option('--until <time>', 'before this time');
}

async function filterOf(berth: Runtime, { instance, port, since, until, ...rest }: Filter) {
  if (port !== undefined && !/^\d{1,5}$/.test(port)) throw usageError(`"${port}" is not a port.`, 'A number.');
  return {
    ...(rest.address === undefined ? {} : { address: rest.address }),
    ...(rest.name === undefined ? {} : { name: rest.name }),
    ...(rest.protocol === undefined ? {} : { protocol: rest.protocol }),
    ...(rest.verdict === undefined ? {} : { verdict: rest.verdict }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(instance === undefined ? {} : { instance: (await findInstance(berth, instance)).id }),
    ...times(berth, { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) }),
  };
}

function where(row: Row): string {
  if (row.address === null) return 'many more';
  return row.name === null ? row.address : `${plain(row.name)} (${row.address})`;
}

export function addFlowCommands(program: Command, io: Io): void {
  const flows = program.command('flows').description('What left the instances of a project');
  filtered(
    flows
      .command('list')
      .alias('ls')
      .description('List destinations, latest first: one row for each instance, destination, port, verdict and hour')
      .option('--limit <n>', 'rows at most', '50'),
  )
    .addHelpText(
      'after',
      examples(['berth flows list --verdict denied --since 1d', 'berth flows list --instance web --name example.org']),
    )
    .action(
      run<Filter & { limit: string }>(io, async (berth, _args, { limit, ...filter }) => {
        const rows = Number(limit);
        if (!Number.isInteger(rows) || rows < 1 || rows > LIMIT_MAX)
          throw usageError(`--limit takes a number from 1 to ${LIMIT_MAX}.`);
        const client = await berth.client();
        const project = await berth.project();
        const wanted = await filterOf(berth, filter);
        const page = await collect(rows, (query) =>
          client.call('flowsList', { params: { project: project.id }, query: { ...query, ...wanted } }),
        );
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Last', value: (row) => formatRelative(row.lastAt, now) },
              { title: 'Instance', value: (row) => row.instance.name },
              { title: 'To', value: where },
              { title: 'Port', value: (row) => (row.port === null ? row.protocol : `${row.protocol} ${row.port}`) },
              { title: 'Verdict', value: (row) => row.verdict },
              { title: 'Connections', value: (row) => String(row.connections), align: 'right' },
              { title: 'Sent', value: (row) => formatBytes(row.sentBytes), align: 'right' },
              { title: 'Received', value: (row) => formatBytes(row.receivedBytes), align: 'right' },
            ],
            { paint: berth.paint, empty: 'Nothing matches.' },
          ),
        );
      }),
    );
  filtered(flows.command('top').description('Show the destinations with the most bytes'))
    .addHelpText('after', examples(['berth flows top --since 1d --instance web']))
    .action(
      run<Filter>(io, async (berth, _args, filter) => {
        const client = await berth.client();
        const project = await berth.project();
        const query = await filterOf(berth, filter);
        const top = await client.call('flowsTop', { params: { project: project.id }, query });
        berth.print(top, () =>
          renderTable(
            top.items,
            [
              { title: 'To', value: (row) => plain(row.destination) },
              { title: 'Connections', value: (row) => String(row.connections), align: 'right' },
              { title: 'Denied', value: (row) => String(row.denied), align: 'right' },
              { title: 'Sent', value: (row) => formatBytes(row.sentBytes), align: 'right' },
              { title: 'Received', value: (row) => formatBytes(row.receivedBytes), align: 'right' },
            ],
            { paint: berth.paint, empty: 'Nothing left yet.' },
          ),
        );
      }),
    );
  filtered(flows.command('export').description('Print everything that matches as JSON lines'))
    .addHelpText('after', examples(['berth flows export --since 7d > flows.jsonl']))
    .action(
      run<Filter>(io, async (berth, _args, filter) => {
        const client = await berth.client();
        const project = await berth.project();
        const query = await filterOf(berth, filter);
        for await (const piece of client.bytes(
          'flowsExport',
          { params: { project: project.id }, query },
          berth.io.signal,
        ))
          berth.io.stdout.write(piece);
      }),
    );
}
