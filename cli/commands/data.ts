/** data: tables as they are stored, for administrators of the installation. Every look is recorded. */
import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { collect } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

const ROWS_MAX = 1000;

export function addDataCommands(program: Command, io: Io): void {
  const data = program
    .command('data')
    .description('Look at tables as they are stored; every look is recorded (platform administrators)');
  data
    .command('tables')
    .description('List the tables and their columns')
    .action(
      run(io, async (berth) => {
        const answer = await (await berth.client()).call('dataTables', {});
        berth.print(answer, () =>
          renderTable(
            answer.items,
            [
              { title: 'Table', value: (row) => row.table },
              { title: 'Columns', value: (row) => row.columns.join(' ') },
            ],
            { paint: berth.paint, empty: 'None.' },
          ),
        );
      }),
    );
  data
    .command('show <table>')
    .description('Show rows, newest first')
    .option('--where <column=text>', 'only rows with this text in this column')
    .option('-n, --limit <n>', 'how many rows', '50')
    .addHelpText('after', examples(['berth data show instance --where name=web', 'berth data show operation --json']))
    .action(
      run<{ where?: string; limit: string }>(io, async (berth, [table = ''], options) => {
        const limit = Number(options.limit);
        if (!Number.isInteger(limit) || limit < 1 || limit > ROWS_MAX) {
          throw usageError(`--limit takes a number from 1 to ${ROWS_MAX}.`);
        }
        const [, column = '', value = ''] = /^([a-z0-9_]+)=(.*)$/.exec(options.where ?? '') ?? [];
        if (options.where !== undefined && column === '') throw usageError('--where takes column=text.');
        const client = await berth.client();
        let columns: string[] = [];
        const page = await collect(limit, async (query) => {
          const answer = await client.call('dataRows', {
            params: { table },
            query: { ...query, ...(column === '' ? {} : { column, value }) },
          });
          columns = answer.columns;
          return answer;
        });
        berth.print({ table, columns, ...page }, () =>
          renderTable(
            page.items,
            columns.map((title, index) => ({ title, value: (row) => row[index] ?? '-' })),
            { paint: berth.paint, empty: 'No rows.' },
          ),
        );
      }),
    );
}
