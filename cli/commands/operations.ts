/** operations: what long work is doing. */
import { type Command, Option } from 'commander';
import { isFinished, operationStates } from '#domain/operations.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatDuration, formatRelative, paintState, parseDuration, plain } from '../format.ts';
import { renderOperation } from '../progress.ts';
import { collect, findInstance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { followOperation, operationError, WAIT_TIMEOUT_DEFAULT } from '../wait.ts';

type Operation = OutputOf<'operationsGet'>;
type ListOptions = { state?: Operation['state']; instance?: string; platform?: boolean; limit: string };

function took(operation: Operation, now: number): string {
  if (operation.startedAt === null) return '-';
  const end = operation.finishedAt === null ? now : Date.parse(operation.finishedAt);
  return formatDuration(end - Date.parse(operation.startedAt));
}

async function list(berth: Runtime, options: ListOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw usageError('--limit takes a number from 1 to 1000.');
  const client = await berth.client();
  const fetchPage = async () => {
    if (options.platform === true) return collect(limit, (query) => client.call('platformOperationsList', { query }));
    const instance = options.instance === undefined ? undefined : await findInstance(berth, options.instance, 'both');
    const project = instance?.project ?? (await berth.project()).id;
    return collect(limit, (query) =>
      client.call('operationsList', {
        params: { project },
        query: {
          ...query,
          ...(options.state === undefined ? {} : { state: options.state }),
          ...(instance === undefined ? {} : { instance: instance.id }),
        },
      }),
    );
  };
  const page = await fetchPage();
  const now = berth.io.now();
  berth.print(page, () =>
    renderTable(
      page.items,
      [
        { title: 'Id', value: (row) => row.id },
        { title: 'What', value: (row) => row.title },
        {
          title: 'State',
          value: (row) => row.state,
          paint: (text, row) => text.replace(row.state, paintState(row.state, berth.paint)),
        },
        { title: 'Took', value: (row) => took(row, now), align: 'right' },
        { title: 'Began', value: (row) => formatRelative(row.createdAt, now) },
        { title: 'By', value: (row) => row.actor },
      ],
      { paint: berth.paint, empty: 'No operations yet.' },
    ),
  );
}

function describe(berth: Runtime, operation: Operation): string {
  const now = berth.io.now();
  const lines = renderOperation(operation, {
    now,
    paint: berth.paint,
    frame: 0,
    width: berth.io.stdout.columns ?? 120,
  });
  const error = operation.error === null ? '' : `${berth.paint.red(plain(operation.error.message))}\n`;
  const when = `${formatRelative(operation.createdAt, now)} by ${plain(operation.actor)}, ${operation.id}`;
  return `${lines.join('\n')}\n${error}${paintState(operation.state, berth.paint)}, ${when}\n`;
}

export function addOperationCommands(program: Command, io: Io): void {
  const operations = program.command('operations').alias('operation').description('What long work is doing');
  operations
    .command('list')
    .alias('ls')
    .description('List operations, newest first')
    .addOption(new Option('--state <state>', 'only this state').choices([...operationStates]))
    .option('--instance <instance>', 'only those of one instance')
    .option('--platform', 'those of no project: image builds')
    .option('--limit <n>', 'rows at most', '50')
    .action(run<ListOptions>(io, (berth, _args, options) => list(berth, options)));
  operations
    .command('get <operation>')
    .alias('show')
    .description('Show one operation with its steps')
    .action(
      run(io, async (berth, [id = '']) => {
        const operation = await (await berth.client()).call('operationsGet', { params: { operation: id } });
        berth.print(operation, () => describe(berth, operation));
      }),
    );
  operations
    .command('stop <operation>')
    .description('Stop a command that runs inside an instance; what it said by then stays')
    .action(
      run(io, async (berth, [id = '']) => {
        const operation = await (await berth.client()).call('operationsStop', { params: { operation: id } });
        const { title, state } = operation;
        berth.print(operation, () =>
          isFinished(state)
            ? `${plain(title)}: it had ended before, as ${state}.\n`
            : `${plain(title)}: it is being stopped. Follow it with: berth operations watch ${operation.id}\n`,
        );
      }),
    );
  operations
    .command('watch <operation>')
    .description('Follow an operation to its end')
    .option('--timeout <duration>', 'how long to watch', WAIT_TIMEOUT_DEFAULT)
    .action(
      run<{ timeout: string }>(io, async (berth, [id = ''], options) => {
        const operation = await followOperation(berth, id, parseDuration(options.timeout));
        if (berth.json) berth.print(operation, () => '');
        if (operation.state !== 'succeeded') throw operationError(operation);
      }),
    );
}
