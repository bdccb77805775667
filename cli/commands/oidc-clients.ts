/** oidc-clients: apps that sign people in with Berth. */
import { type Command, Option } from 'commander';
import { type OidcAuthMethod, oidcAuthMethods } from '#domain/identity-providers.ts';
import type { OrganizationId } from '#domain/ids.ts';
import type { InputOf, OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { findInstance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type Client = OutputOf<'oidcClientsList'>['items'][number];
type Change = InputOf<'oidcClientsUpdate'>['body'];
type Options = { title?: string; redirect?: string[]; open?: string; instance?: string; ask?: boolean };

const gather = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

function withOptions(command: Command): Command {
  return command
    .option('--redirect <url>', 'where people are sent back to; repeat for more', gather)
    .option('--open <organization>', 'open to its members (without guests); "everybody" for every account')
    .option('--instance <instance>', 'open to whoever may open this instance')
    .option('--ask', 'ask people before the app knows who they are')
    .option('--no-ask', 'do not ask: it is our own');
}

async function changeOf(berth: Runtime, options: Options): Promise<Change> {
  const { title, redirect, open, instance, ask } = options;
  return {
    ...(title === undefined ? {} : { title }),
    ...(redirect === undefined ? {} : { redirectUris: redirect }),
    ...(ask === undefined ? {} : { firstParty: !ask }),
    ...(open === undefined ? {} : { organization: await organizationOf(berth, open), app: null }),
    ...(instance === undefined ? {} : await placeOf(berth, instance)),
  };
}

async function organizationOf(berth: Runtime, ref: string): Promise<OrganizationId | null> {
  if (ref === 'everybody') return null;
  const { memberships } = await berth.whoami();
  const found = memberships.find(({ organization }) => organization.name === ref || organization.id === ref);
  if (found === undefined && !ref.startsWith('org_')) throw usageError(`You belong to no organization "${ref}".`);
  return found?.organization.id ?? (ref as OrganizationId);
}

async function placeOf(berth: Runtime, ref: string): Promise<Pick<Change, 'organization' | 'app'>> {
  const [instance, project] = [await findInstance(berth, ref), await berth.project()];
  return { organization: project.organization, app: instance.id };
}

async function find(berth: Runtime, ref: string): Promise<Client> {
  const { items } = await (await berth.client()).call('oidcClientsList', {});
  const found = items.filter((item) => item.id === ref || item.title === ref);
  const [first] = found;
  if (first === undefined) throw usageError(`There is no app "${ref}".`, 'See: berth oidc-clients list');
  if (found.length > 1) throw usageError(`Several apps are called "${ref}".`, 'Use the client id.');
  return first;
}

const told = ({ id, issuer, secret }: { id: string; issuer: string; secret: string | null }): string =>
  `Issuer:        ${issuer}\nClient id:     ${id}\n${secret === null ? '' : `Client secret: ${secret}  (shown this once)\n`}`;

export function addOidcClientCommands(program: Command, io: Io): void {
  const clients = program
    .command('oidc-clients')
    .alias('oidc-client')
    .description('Apps that sign people in with Berth (platform administrators)');
  clients
    .command('list')
    .alias('ls')
    .description('List apps')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('oidcClientsList', {});
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Title', value: (row) => row.title },
              { title: 'Client id', value: (row) => row.id },
              { title: 'Open to', value: (row) => row.app ?? row.organization ?? 'everybody' },
              { title: 'Asks', value: (row) => (row.firstParty ? 'no' : 'yes') },
              { title: 'Redirect addresses', value: (row) => row.redirectUris.join(' ') },
            ],
            { paint: berth.paint, empty: 'No apps.' },
          ),
        );
      }),
    );
  withOptions(
    clients.command('create <title>').alias('new').description('Register an app; prints what it has to be told, once'),
  )
    .addOption(
      new Option('--auth <method>', 'how it proves itself')
        .choices([...oidcAuthMethods])
        .default('client_secret_basic'),
    )
    .addHelpText(
      'after',
      examples(['berth oidc-clients create Wiki --redirect https://wiki.example.com/callback --open main']),
    )
    .action(
      run<Options & { auth: OidcAuthMethod }>(io, async (berth, [title = ''], options) => {
        const { redirectUris, ...change } = await changeOf(berth, options);
        if (redirectUris === undefined) throw usageError('--redirect is missing.');
        const made = await (await berth.client()).call('oidcClientsCreate', {
          body: { ...change, title, redirectUris, authMethod: options.auth },
        });
        berth.print(made, () => told(made));
      }),
    );
  withOptions(clients.command('update <client>').description('Change an app (title or client id)'))
    .option('--title <text>', 'its name')
    .action(
      run<Options>(io, async (berth, [ref = ''], options) => {
        const body = await changeOf(berth, options);
        if (Object.keys(body).length === 0) {
          throw usageError('Change what?', 'Add one or more of the options of: berth oidc-clients update --help');
        }
        const { id } = await find(berth, ref);
        const after = await (await berth.client()).call('oidcClientsUpdate', { params: { client: id }, body });
        berth.print(after, () => `${plain(after.title)} is changed.\n`);
      }),
    );
  clients
    .command('new-secret <client>')
    .description('Make a new secret; the old one ends now')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const { id, title } = await find(berth, ref);
        await berth.confirm(`End the secret of ${plain(title)} and make a new one?`, options.yes);
        const made = await (await berth.client()).call('oidcClientsSecret', { params: { client: id } });
        berth.print(made, () => told(made));
      }),
    );
  clients
    .command('delete <client>')
    .aliases(['remove', 'rm'])
    .description('Remove an app; what it was told ends')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const { id, title } = await find(berth, ref);
        await berth.confirm(`Remove ${plain(title)}? Nobody can sign in to it with Berth any more.`, options.yes);
        await (await berth.client()).call('oidcClientsDelete', { params: { client: id } });
        berth.print({ deleted: id }, () => `${plain(title)} is removed.\n`);
      }),
    );
}
