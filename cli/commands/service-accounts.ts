/** service-accounts: programs with rights of their own in an organization, and their tokens. */
import { type Command, Option } from 'commander';
import {
  SERVICE_TOKEN_DAYS_DEFAULT,
  SERVICE_TOKEN_DAYS_MAX,
  type ServiceRole,
  serviceRoles,
} from '#domain/service-accounts.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { findServiceAccount } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

const roleOption = () =>
  new Option('-r, --role <role>', 'what it may do in the whole organization').choices([...serviceRoles]);

function addAccounts(accounts: Command, io: Io): void {
  accounts
    .command('list')
    .alias('ls')
    .description('List the service accounts of the organization')
    .action(
      run(io, async (berth) => {
        const { id: organization } = await berth.organization();
        const page = await (await berth.client()).call('serviceAccountsList', { params: { organization } });
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'Role', value: (row) => row.role },
              {
                title: 'Also in',
                value: (row) =>
                  [
                    ...row.groups.map((group) => group.name),
                    ...row.projects.map((project) => `${project.name} (${project.role})`),
                  ].join(', ') || '-',
              },
              { title: 'Tokens', value: (row) => String(row.tokens), align: 'right' },
              {
                title: 'Last used',
                value: (row) => (row.lastUsedAt === null ? 'never' : formatRelative(row.lastUsedAt, now)),
              },
              { title: 'State', value: (row) => (row.disabled ? 'disabled' : 'enabled') },
              { title: 'Description', value: (row) => row.description },
            ],
            { paint: berth.paint, empty: 'No service accounts.' },
          ),
        );
      }),
    );
  accounts
    .command('create <name>')
    .alias('new')
    .description('Create a service account')
    .option('--description <text>', 'what it is for')
    .addOption(roleOption().default('guest'))
    .addHelpText(
      'after',
      examples(['berth service-accounts create deploy --role member --description "CI of the shop"']),
    )
    .action(
      run<{ description?: string; role: ServiceRole }>(io, async (berth, [name = ''], options) => {
        const { id: organization } = await berth.organization();
        const account = await (await berth.client()).call('serviceAccountsCreate', {
          params: { organization },
          body: { name, role: options.role, description: options.description ?? '' },
        });
        berth.print(
          account,
          () =>
            `Service account ${plain(account.name)} is created. It acts by tokens: berth service-accounts tokens create ${plain(account.name)} <token>\n`,
        );
      }),
    );
  accounts
    .command('update <account>')
    .description('Rename it, change its role, disable or enable it')
    .option('--name <name>', 'new name')
    .option('--description <text>', 'what it is for')
    .addOption(roleOption())
    .option('--disable', 'refuse its tokens from now on')
    .option('--enable', 'take its tokens again')
    .action(
      run<{ name?: string; description?: string; role?: ServiceRole; disable?: true; enable?: true }>(
        io,
        async (berth, [ref = ''], { name, description, role, disable, enable }) => {
          if (disable && enable) throw usageError('Either --disable or --enable.');
          const { id: organization } = await berth.organization();
          const { id: account } = await findServiceAccount(berth, organization, ref);
          const after = await (await berth.client()).call('serviceAccountsUpdate', {
            params: { organization, account },
            body: {
              ...(name === undefined ? {} : { name }),
              ...(description === undefined ? {} : { description }),
              ...(role === undefined ? {} : { role }),
              ...(disable || enable ? { disabled: disable === true } : {}),
            },
          });
          berth.print(
            after,
            () => `Service account ${plain(after.name)} is changed${after.disabled ? '; it is disabled' : ''}.\n`,
          );
        },
      ),
    );
  accounts
    .command('delete <account>')
    .alias('rm')
    .description('Delete a service account; its tokens end at once, what it made stays')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const { id: organization } = await berth.organization();
        const account = await findServiceAccount(berth, organization, ref);
        await berth.confirm(`Delete ${plain(account.name)}? ${account.tokens} tokens of it end at once.`, options.yes);
        await (await berth.client()).call('serviceAccountsDelete', { params: { organization, account: account.id } });
        berth.print({ deleted: account.id }, () => `Service account ${plain(account.name)} is deleted.\n`);
      }),
    );
}

function addTokens(accounts: Command, io: Io): void {
  const tokens = accounts.command('tokens').alias('token').description('Tokens of a service account');
  tokens
    .command('list <account>')
    .alias('ls')
    .description('List its tokens')
    .action(
      run(io, async (berth, [ref = '']) => {
        const { id: organization } = await berth.organization();
        const { id: account } = await findServiceAccount(berth, organization, ref);
        const page = await (await berth.client()).call('serviceTokensList', { params: { organization, account } });
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'May', value: (row) => (row.scopes === null ? 'all the account may' : row.scopes.join(' ')) },
              { title: 'Begins with', value: (row) => row.prefix },
              { title: 'Ends', value: (row) => formatRelative(row.expiresAt, now) },
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
    .command('create <account> <name>')
    .alias('new')
    .description('Create a token of it; it is printed this once, alone on stdout')
    .option(
      '--expires-in-days <days>',
      `its life, at most ${SERVICE_TOKEN_DAYS_MAX}`,
      String(SERVICE_TOKEN_DAYS_DEFAULT),
    )
    .option('--scope <scope...>', 'only this: an action, "instance.*", or "*.read" (default: all the account may)')
    .addHelpText(
      'after',
      examples([
        'TOKEN=$(berth service-accounts tokens create deploy pipeline --expires-in-days 30)',
        'berth service-accounts tokens create deploy nightly --scope instance.read instance.power',
      ]),
    )
    .action(
      run<{ expiresInDays: string; scope?: string[] }>(io, async (berth, [ref = '', name = ''], options) => {
        const days = Number(options.expiresInDays);
        if (!Number.isInteger(days) || days < 1 || days > SERVICE_TOKEN_DAYS_MAX) {
          throw usageError(`--expires-in-days takes 1 to ${SERVICE_TOKEN_DAYS_MAX}.`);
        }
        const { id: organization } = await berth.organization();
        const { id: account } = await findServiceAccount(berth, organization, ref);
        const token = await (await berth.client()).call('serviceTokensCreate', {
          params: { organization, account },
          body: { name, expiresInDays: days, scopes: options.scope ?? null },
        });
        if (!berth.json) {
          const end = formatRelative(token.expiresAt, berth.io.now());
          berth.note(`Token ${plain(token.name)} (ends ${end}); it is not shown again:\n`);
        }
        berth.print(token, () => `${token.secret}\n`);
      }),
    );
  tokens
    .command('revoke <account> <token>')
    .aliases(['delete', 'rm'])
    .description('Revoke one of its tokens (name or id)')
    .action(
      run(io, async (berth, [ref = '', wanted = '']) => {
        const { id: organization } = await berth.organization();
        const { id: account } = await findServiceAccount(berth, organization, ref);
        const client = await berth.client();
        const { items } = await client.call('serviceTokensList', { params: { organization, account } });
        const found = items.filter((token) => token.id === wanted || token.name === wanted);
        const [token] = found;
        if (token === undefined) {
          throw usageError(`There is no token "${wanted}".`, 'See: berth service-accounts tokens list');
        }
        if (found.length > 1) {
          throw usageError(
            `Several tokens are called "${wanted}".`,
            `Use an id: ${found.map((each) => each.id).join(', ')}.`,
          );
        }
        await client.call('serviceTokensRevoke', { params: { organization, account, token: token.id } });
        berth.print({ revoked: token.id }, () => `Token ${plain(token.name)} is revoked.\n`);
      }),
    );
}

export function addServiceAccountCommands(program: Command, io: Io): void {
  const accounts = program
    .command('service-accounts')
    .alias('service-account')
    .description('Programs with rights of their own, and their tokens');
  addAccounts(accounts, io);
  addTokens(accounts, io);
  for (const nested of accounts.commands) nested.helpCommand(false);
}
