/** users: all accounts of the installation, for its administrators. */
import type { Command } from 'commander';
import type { InputOf, OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { collect, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { collectOption, consequences, handOvers } from './account.ts';
import { examples } from './session.ts';

type User = OutputOf<'usersList'>['items'][number];

/** By id or address. Errors: usage. */
async function findUser(berth: Runtime, ref: string): Promise<User> {
  const client = await berth.client();
  const search = ref.startsWith('usr_') ? {} : { search: ref };
  const { items } = await collect(LIST_ROWS_MAX, (query) =>
    client.call('usersList', { query: { ...query, ...search } }),
  );
  const found = items.find((each) => each.id === ref || each.email === ref.toLowerCase());
  if (found === undefined) throw usageError(`There is no account "${ref}".`, 'See: berth users list');
  return found;
}

function addList(users: Command, io: Io): void {
  users
    .command('list')
    .alias('ls')
    .description('List accounts, newest first')
    .option('--search <text>', 'part of the name or address')
    .action(
      run<{ search?: string }>(io, async (berth, _args, options) => {
        const client = await berth.client();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('usersList', {
            query: { ...query, ...(options.search === undefined ? {} : { search: options.search }) },
          }),
        );
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'E-mail', value: (row) => row.email },
              { title: 'Name', value: (row) => row.name },
              {
                title: 'State',
                value: (row) =>
                  row.disabledAt !== null ? 'disabled' : row.platformAdmin ? 'administrator' : 'enabled',
              },
              { title: 'Organizations', value: (row) => row.organizations.map((each) => each.name).join(', ') || '-' },
              {
                title: 'Last seen',
                value: (row) => (row.lastSeenAt === null ? 'never' : formatRelative(row.lastSeenAt, now)),
              },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'Nobody matches.' },
          ),
        );
      }),
    );
}

function addChange(
  users: Command,
  io: Io,
  verb: { name: string; description: string; question?: string; done: string; body: InputOf<'usersUpdate'>['body'] },
): void {
  users
    .command(`${verb.name} <user>`)
    .description(verb.description)
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const user = await findUser(berth, ref);
        if (verb.question !== undefined) await berth.confirm(`${plain(user.email)}: ${verb.question}`, options.yes);
        const after = await (await berth.client()).call('usersUpdate', { params: { user: user.id }, body: verb.body });
        berth.print(after, () => `${plain(after.email)} ${verb.done}.\n`);
      }),
    );
}

function addEnd(users: Command, io: Io): void {
  users
    .command('sign-out <user>')
    .description('End every session of somebody and revoke their API tokens')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const user = await findUser(berth, ref);
        await berth.confirm(`Sign ${plain(user.email)} out everywhere?`, options.yes);
        await (await berth.client()).call('usersSignOut', { params: { user: user.id } });
        berth.print({ signedOut: user.id }, () => `${plain(user.email)} is signed out everywhere.\n`);
      }),
    );
  users
    .command('delete <user>')
    .description('Delete an account')
    .option('--hand-over <organization=address>', 'who owns what only they own from now on', collectOption, [])
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['berth users delete old@example.com --hand-over harbour=ada@example.com']))
    .action(
      run<{ handOver: string[]; yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const user = await findUser(berth, ref);
        const client = await berth.client();
        const deletion = await client.call('usersDeletion', { params: { user: user.id } });
        if (deletion.can !== true) throw usageError(deletion.can);
        berth.note(consequences(deletion));
        await berth.confirm(`Delete the account of ${plain(user.email)} for good?`, options.yes);
        await client.call('usersDelete', {
          params: { user: user.id },
          body: { handOver: handOvers(deletion, options.handOver) },
        });
        berth.print({ deleted: user.id }, () => `The account of ${plain(user.email)} is deleted.\n`);
      }),
    );
}

export function addUserCommands(program: Command, io: Io): void {
  const users = program.command('users').alias('user').description('All accounts (administrators of the installation)');
  addList(users, io);
  addChange(users, io, {
    name: 'disable',
    description: 'Sign somebody out and let them in no more',
    question: 'sign them out and let them in no more?',
    done: 'is disabled',
    body: { disabled: true },
  });
  addChange(users, io, {
    name: 'enable',
    description: 'Let somebody in again',
    done: 'may sign in again',
    body: { disabled: false },
  });
  addChange(users, io, {
    name: 'make-administrator',
    description: 'Make somebody an administrator of the installation',
    question: 'make them an administrator of the whole installation?',
    done: 'is an administrator',
    body: { platformAdmin: true },
  });
  addChange(users, io, {
    name: 'unmake-administrator',
    description: 'Take the administration of the installation from somebody',
    question: 'take the administration of the installation away?',
    done: 'is no administrator any more',
    body: { platformAdmin: false },
  });
  addEnd(users, io);
}
