/** orgs: organizations themselves, and entering one as an administrator of the installation. */
import { type Command, InvalidArgumentError } from 'commander';
import { ENTRY_MINUTES_MAX } from '#contract/entries.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { collect, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

function minutes(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 5 || value > ENTRY_MINUTES_MAX) {
    throw new InvalidArgumentError(`A whole number from 5 to ${ENTRY_MINUTES_MAX}.`);
  }
  return value;
}

/** Any organization of the installation, by name or id. */
async function anyOrganization(berth: Runtime, ref: string) {
  const client = await berth.client();
  const { items } = await collect(LIST_ROWS_MAX, (query) => client.call('organizationsList', { query }));
  const found = items.find((each) => each.id === ref || each.name === ref);
  if (found === undefined) throw usageError(`There is no organization "${ref}".`, 'See: berth orgs list --all');
  return found;
}

export function addOrganizationsCommands(program: Command, io: Io): void {
  const orgs = program.command('orgs').alias('org').description('Organizations');
  orgs
    .command('list')
    .alias('ls')
    .description('List your organizations')
    .option('-a, --all', 'all of this installation (its administrators)')
    .action(
      run<{ all?: boolean }>(io, async (berth, _, options) => {
        if (options.all === true) {
          const client = await berth.client();
          const page = await collect(LIST_ROWS_MAX, (query) => client.call('organizationsList', { query }));
          berth.print(page, () =>
            renderTable(
              page.items,
              [
                { title: 'Name', value: (row) => row.name },
                { title: 'Title', value: (row) => row.title },
                { title: 'Members', value: (row) => String(row.members), align: 'right' },
                { title: 'Projects', value: (row) => String(row.projects), align: 'right' },
                { title: 'Instances', value: (row) => String(row.instances), align: 'right' },
              ],
              { paint: berth.paint, empty: 'No organizations.' },
            ),
          );
          return;
        }
        const { memberships } = await berth.whoami();
        berth.print({ items: memberships }, () =>
          renderTable(
            memberships,
            [
              { title: 'Name', value: (row) => row.organization.name },
              { title: 'Title', value: (row) => row.organization.title },
              { title: 'Role', value: (row) => row.role },
              {
                title: 'Entered',
                value: (row) =>
                  row.entry === null ? '' : `ends ${formatRelative(row.entry.expiresAt, berth.io.now())}`,
              },
            ],
            { paint: berth.paint, empty: 'You belong to no organization.' },
          ),
        );
      }),
    );
  orgs
    .command('create <name>')
    .alias('new')
    .description('Create an organization with a first project; you become its owner')
    .option('--title <text>', 'name for people')
    .action(
      run<{ title?: string }>(io, async (berth, [name = ''], options) => {
        const made = await (await berth.client()).call('organizationsCreate', {
          body: { name, title: options.title ?? name },
        });
        berth.print(made, () => `Organization ${plain(made.name)} is created.\n`);
      }),
    );
  orgs
    .command('rename')
    .description('Change name or title of the organization in use')
    .option('--name <name>', 'new name')
    .option('--title <text>', 'new name for people')
    .action(
      run<{ name?: string; title?: string }>(io, async (berth, _, { name, title }) => {
        const organization = await berth.organization();
        const after = await (await berth.client()).call('organizationsUpdate', {
          params: { organization: organization.id },
          body: { ...(name === undefined ? {} : { name }), ...(title === undefined ? {} : { title }) },
        });
        berth.print(after, () => `It is now ${plain(after.name)} (${plain(after.title)}).\n`);
      }),
    );
  orgs
    .command('delete <organization>')
    .alias('rm')
    .description('Delete an organization without projects; its audit log stays')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const { memberships } = await berth.whoami();
        const found = memberships.find(({ organization }) => organization.id === ref || organization.name === ref);
        if (found === undefined) throw usageError(`You belong to no organization "${ref}".`, 'See: berth orgs list');
        const { id, name } = found.organization;
        await berth.confirm(`Delete ${plain(name)}? Every member loses it.`, options.yes);
        await (await berth.client()).call('organizationsDelete', { params: { organization: id } });
        berth.print({ deleted: id }, () => `${plain(name)} is deleted.\n`);
      }),
    );
  orgs
    .command('enter <organization>')
    .description('Enter an organization as an administrator of the installation; its owners read why')
    .requiredOption('--reason <text>', 'why, for the owners to read')
    .option('--minutes <number>', 'how long', minutes, 60)
    .addHelpText('after', examples(['berth orgs enter lab --reason "Ada asked about her desktop" --minutes 30']))
    .action(
      run<{ reason: string; minutes: number }>(io, async (berth, [ref = ''], options) => {
        const { id } = await anyOrganization(berth, ref);
        const entry = await (await berth.client()).call('entriesCreate', {
          params: { organization: id },
          body: { reason: options.reason, minutes: options.minutes },
        });
        const end = formatRelative(entry.expiresAt, berth.io.now());
        berth.print(entry, () => `You are an operator of ${plain(entry.organization.name)}; it ends ${end}.\n`);
      }),
    );
  orgs
    .command('leave <organization>')
    .description('End your entry into an organization')
    .action(
      run(io, async (berth, [ref = '']) => {
        const { memberships } = await berth.whoami();
        const found = memberships.find(({ organization }) => organization.id === ref || organization.name === ref);
        const entry = found?.entry;
        if (entry === undefined || entry === null)
          throw usageError(`You have not entered "${ref}".`, 'See: berth orgs list');
        await (await berth.client()).call('ownEntriesEnd', { params: { entry: entry.id } });
        berth.print({ ended: entry.id }, () => 'You are out.\n');
      }),
    );
  orgs
    .command('entries')
    .description("List administrators' entries into the organization in use")
    .action(
      run(io, async (berth) => {
        const organization = await berth.organization();
        const page = await (await berth.client()).call('entriesList', { params: { organization: organization.id } });
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Who', value: (row) => row.user.email },
              { title: 'Why', value: (row) => row.reason },
              { title: 'Began', value: (row) => formatRelative(row.createdAt, now) },
              { title: 'Ends', value: (row) => formatRelative(row.endedAt ?? row.expiresAt, now) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'Nobody has entered.' },
          ),
        );
      }),
    );
  orgs
    .command('end-entry <entry>')
    .description("End an administrator's entry at once (id)")
    .action(
      run(io, async (berth, [entry = '']) => {
        const organization = await berth.organization();
        await (await berth.client()).call('entriesEnd', { params: { organization: organization.id, entry } });
        berth.print({ ended: entry }, () => 'It is ended.\n');
      }),
    );
}
