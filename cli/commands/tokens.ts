/** tokens: API tokens of the own account. */
import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

export function addTokenCommands(program: Command, io: Io): void {
  const tokens = program.command('tokens').alias('token').description('API tokens of your account');
  tokens
    .command('list')
    .alias('ls')
    .description('List your API tokens')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('tokensList', {});
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'May', value: (row) => (row.scopes === null ? 'everything' : row.scopes.join(' ')) },
              { title: 'Begins with', value: (row) => row.prefix },
              { title: 'Created', value: (row) => formatRelative(row.createdAt, now) },
              {
                title: 'Ends',
                value: (row) => (row.expiresAt === null ? 'never' : formatRelative(row.expiresAt, now)),
              },
              {
                title: 'Last used',
                value: (row) => (row.lastUsedAt === null ? 'never' : formatRelative(row.lastUsedAt, now)),
              },
              { title: 'From', value: (row) => row.lastUsedAddress ?? '-' },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No tokens.' },
          ),
        );
      }),
    );
  tokens
    .command('create <name>')
    .alias('new')
    .description('Create a token; it is printed this once, alone on stdout')
    .option('--expires-in-days <days>', 'its life, or "never"', '90')
    .option('--scope <scope...>', 'only this: an action, "instance.*", or "*.read" (default: all you may)')
    .addHelpText(
      'after',
      examples([
        'TOKEN=$(berth tokens create ci --expires-in-days 30)',
        'berth tokens create status-page --scope "*.read"',
        'berth tokens create deploy --scope instance.read instance.power',
      ]),
    )
    .action(
      run<{ expiresInDays: string; scope?: string[] }>(io, async (berth, [name = ''], options) => {
        const days = options.expiresInDays === 'never' ? null : Number(options.expiresInDays);
        if (days !== null && (!Number.isInteger(days) || days < 1)) {
          throw usageError('--expires-in-days takes a whole number of days, or "never".');
        }
        const token = await (await berth.client()).call('tokensCreate', {
          body: { name, expiresInDays: days, scopes: options.scope ?? null },
        });
        if (!berth.json) {
          const end =
            token.expiresAt === null ? 'never ends' : `ends ${formatRelative(token.expiresAt, berth.io.now())}`;
          berth.note(`Token ${plain(token.name)} (${end}); it is not shown again:\n`);
        }
        berth.print(token, () => `${token.secret}\n`);
      }),
    );
  tokens
    .command('revoke <token>')
    .aliases(['delete', 'rm'])
    .description('Revoke a token (name or id)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const client = await berth.client();
        const { items } = await client.call('tokensList', {});
        const found = items.filter((token) => token.id === ref || token.name === ref);
        if (found.length > 1) {
          throw usageError(
            `Several tokens are called "${ref}".`,
            `Use an id: ${found.map((token) => token.id).join(', ')}.`,
          );
        }
        const token = found[0];
        if (token === undefined) throw usageError(`There is no token "${ref}".`, 'See: berth tokens list');
        await client.call('tokensRevoke', { params: { token: token.id } });
        berth.print({ revoked: token.id }, () => `Token ${plain(token.name)} is revoked.\n`);
      }),
    );
}
