/** forwards: TCP and UDP ports of the host that lead to a port of an instance. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { forwardProtocols } from '#domain/forwards.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { collect, type Forward, findForward, findInstance, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { parsePort } from './routes.ts';
import { examples } from './session.ts';

const stateWords: Record<Forward['state'], string> = {
  pending: 'opening',
  active: 'open',
  taken: 'port taken',
  outside: 'not in the pool',
  absent: 'no instance',
};

function table(berth: Runtime, rows: readonly Forward[], empty: string): string {
  return renderTable(
    rows,
    [
      { title: 'Address', value: (row) => row.address },
      { title: 'Protocol', value: (row) => row.protocol },
      { title: 'Instance', value: (row) => row.instanceName },
      { title: 'To', value: (row) => `port ${row.port}` },
      {
        title: 'State',
        value: (row) => stateWords[row.state],
        paint: (text, row) => (row.problem === null ? text : berth.paint.red(text)),
      },
      { title: 'For', value: (row) => plain(row.description) },
      { title: 'Id', value: (row) => row.id },
    ],
    { paint: berth.paint, empty },
  );
}

export function addForwardCommands(program: Command, io: Io): void {
  const forwards = program
    .command('forwards')
    .alias('forward')
    .description('TCP and UDP ports of the host that lead to instances');
  forwards
    .command('list [instance]')
    .alias('ls')
    .description('List the port forwards of the project, or of one instance')
    .action(
      run(io, async (berth, [ref]) => {
        const client = await berth.client();
        if (typeof ref === 'string') {
          const instance = await findInstance(berth, ref);
          const page = await client.call('forwardsList', { params: { instance: instance.id } });
          berth.print(page, () => table(berth, page.items, `No ports lead to ${plain(instance.name)}.`));
          return;
        }
        const project = await berth.project();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('forwardsListProject', { params: { project: project.id }, query }),
        );
        berth.print(page, () =>
          table(berth, page.items, 'No port forwards yet. Add one with: berth forwards add INSTANCE 25565'),
        );
      }),
    );
  forwards
    .command('add <instance> <port>')
    .aliases(['create', 'new', 'open'])
    .description('Lead a port of the host to a port of an instance; the host port is chosen unless you name one')
    .addOption(new Option('--protocol <protocol>', 'tcp or udp').choices([...forwardProtocols]).default('tcp'))
    .option('--host-port <port>', "this port of the host's pool")
    .option('--description <text>', 'what it is for')
    .addHelpText(
      'after',
      examples(['berth forwards add game 25565', 'berth forwards add game 19132 --protocol udp --host-port 20132']),
    )
    .action(
      run<{ protocol: 'tcp' | 'udp'; hostPort?: string; description?: string }>(
        io,
        async (berth, [ref = '', text = ''], options) => {
          const port = parsePort(text);
          const hostPort = options.hostPort === undefined ? undefined : parsePort(options.hostPort);
          const instance = await findInstance(berth, ref);
          const forward = await (await berth.client()).call('forwardsCreate', {
            params: { instance: instance.id },
            body: {
              protocol: options.protocol,
              port,
              ...(hostPort === undefined ? {} : { hostPort }),
              description: options.description ?? '',
            },
          });
          berth.print(
            forward,
            () =>
              `${forward.address} (${forward.protocol}) leads to port ${forward.port} of ${plain(instance.name)}.\n`,
          );
        },
      ),
    );
  forwards
    .command('update <forward>')
    .description('Change the port inside or the description (udp/20132 or id)')
    .option('--port <port>', 'port inside the instance')
    .option('--description <text>', 'what it is for')
    .action(
      run<{ port?: string; description?: string }>(io, async (berth, [ref = ''], options) => {
        const { description } = options;
        if (options.port === undefined && description === undefined) {
          throw usageError('Change what?', 'Add --port or --description.');
        }
        const port = options.port === undefined ? undefined : parsePort(options.port);
        const found = await findForward(berth, ref);
        const forward = await (await berth.client()).call('forwardsUpdate', {
          params: { forward: found.id },
          body: { ...(port === undefined ? {} : { port }), ...(description === undefined ? {} : { description }) },
        });
        berth.print(forward, () => table(berth, [forward], ''));
      }),
    );
  forwards
    .command('delete <forward>')
    .aliases(['rm', 'close'])
    .description('Close a port forward (udp/20132 or id); its port becomes free')
    .action(
      run(io, async (berth, [ref = '']) => {
        const forward = await findForward(berth, ref);
        await (await berth.client()).call('forwardsDelete', { params: { forward: forward.id } });
        berth.print({ deleted: forward.id }, () => `${forward.address} (${forward.protocol}) is closed.\n`);
      }),
    );
}
