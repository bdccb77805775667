/** identity-providers: where people may sign in instead of here. */
import { type Command, Option } from 'commander';
import { type Role, roles } from '#domain/authz.ts';
import {
  type ProviderKind,
  type Provisioning,
  presets,
  providerKinds,
  provisionings,
  RECHECK_MINUTES,
} from '#domain/identity-providers.ts';
import type { InputOf, OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type Provider = OutputOf<'identityProvidersList'>['items'][number];
type Change = InputOf<'identityProvidersUpdate'>['body'];
type Options = {
  title?: string;
  issuer?: string;
  clientId?: string;
  clientSecretStdin?: boolean;
  scope?: string[];
  provisioning?: Provisioning;
  domain?: string[];
  groupsClaim?: string;
  mapping?: string[];
  recheckMinutes?: string;
};

const gather = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

function withOptions(command: Command): Command {
  return command
    .option('--title <text>', 'what the button says')
    .option('--issuer <url>', 'address of the provider (Google and GitHub have a fixed one)')
    .option('--client-id <id>', 'what the provider calls Berth')
    .option('--client-secret-stdin', 'read the client secret from stdin')
    .option('--scope <scope>', 'ask for this; repeat for more', gather)
    .addOption(new Option('--provisioning <who>', 'who gets an account by signing in').choices([...provisionings]))
    .option('--domain <domain>', 'believe addresses of this domain only; repeat for more', gather)
    .option('--groups-claim <claim>', 'where the provider lists groups; "none" for nowhere')
    .option('--mapping <group=organization:role>', 'role for a group, "*" for everybody; repeat for more', gather)
    .option('--recheck-minutes <minutes>', 'how often the provider is asked again');
}

async function changeOf(berth: Runtime, options: Options): Promise<Change> {
  const { title, issuer, clientId, scope, provisioning, domain, groupsClaim, mapping, recheckMinutes } = options;
  const minutes = recheckMinutes === undefined ? undefined : Number(recheckMinutes);
  if (minutes !== undefined && !Number.isInteger(minutes)) throw usageError('--recheck-minutes takes a whole number.');
  const whoami = mapping === undefined ? null : await berth.whoami();
  return {
    ...(title === undefined ? {} : { title }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(options.clientSecretStdin === true ? { clientSecret: await berth.readStdin() } : {}),
    ...(scope === undefined ? {} : { scopes: scope }),
    ...(provisioning === undefined ? {} : { provisioning }),
    ...(domain === undefined ? {} : { domains: domain }),
    ...(groupsClaim === undefined ? {} : { groupsClaim: groupsClaim === 'none' ? null : groupsClaim }),
    ...(mapping === undefined
      ? {}
      : { roleMappings: mapping.map((text) => mappingOf(text, whoami?.memberships ?? [])) }),
    ...(minutes === undefined ? {} : { recheckMinutes: minutes }),
  };
}

function mappingOf(text: string, memberships: OutputOf<'whoami'>['memberships']) {
  const [, value = '', name = '', wanted = ''] = /^(.+)=([^=:]+):([a-z]+)$/.exec(text) ?? [];
  const role = roles.find((each): each is Role => each === wanted);
  const found = memberships.find(({ organization }) => organization.name === name || organization.id === name);
  const organization = found?.organization.id ?? (name.startsWith('org_') ? name : undefined);
  if (role === undefined || organization === undefined) {
    throw usageError(`"${text}" is not group=organization:role.`, `Roles: ${roles.join(', ')}.`);
  }
  return { value, organization, role };
}

async function find(berth: Runtime, ref: string): Promise<Provider> {
  const { items } = await (await berth.client()).call('identityProvidersList', {});
  const found = items.find((item) => item.id === ref || item.name === ref);
  if (found === undefined) {
    throw usageError(`There is no identity provider "${ref}".`, 'See: berth identity-providers list');
  }
  return found;
}

export function addIdentityProviderCommands(program: Command, io: Io): void {
  const providers = program
    .command('identity-providers')
    .alias('identity-provider')
    .description('Where people may sign in instead of here (platform administrators)');
  providers
    .command('list')
    .alias('ls')
    .description('List identity providers')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('identityProvidersList', {});
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'Title', value: (row) => row.title },
              { title: 'Kind', value: (row) => row.kind },
              { title: 'Issuer', value: (row) => row.issuer },
              { title: 'On', value: (row) => (row.enabled ? 'yes' : 'no') },
              { title: 'Accounts', value: (row) => String(row.people), align: 'right' },
              { title: 'Redirect address', value: (row) => row.redirectUri },
            ],
            { paint: berth.paint, empty: 'No identity providers.' },
          ),
        );
      }),
    );
  withOptions(
    providers
      .command('create <kind> [name]')
      .alias('new')
      .description(`Set one up (${providerKinds.join(', ')}); prints the redirect address to register there`),
  )
    .addHelpText(
      'after',
      examples([
        'berth identity-providers create keycloak --issuer https://id.example.com/realms/main --client-id berth --client-secret-stdin < secret',
        "berth identity-providers create google --client-id 1234.apps.example --client-secret-stdin --domain example.com --mapping '*=main:viewer' < secret",
      ]),
    )
    .action(
      run<Options>(io, async (berth, [wanted = '', name], options) => {
        const kind = providerKinds.find((each): each is ProviderKind => each === wanted);
        if (kind === undefined) throw usageError(`"${wanted}" is not a kind.`, `One of: ${providerKinds.join(', ')}.`);
        const { clientId, ...change } = await changeOf(berth, options);
        if (clientId === undefined) throw usageError('--client-id is missing.');
        if (change.issuer === undefined && presets[kind].issuer === null) {
          throw usageError('--issuer is missing.', `Such as ${presets[kind].example}.`);
        }
        const made = await (await berth.client()).call('identityProvidersCreate', {
          body: { recheckMinutes: RECHECK_MINUTES, ...change, clientId, kind, name: name ?? kind },
        });
        berth.print(made, () => `${plain(made.title)} is set up. Register this address there:\n${made.redirectUri}\n`);
      }),
    );
  withOptions(providers.command('update <provider>').description('Change one (name or id)')).action(
    run<Options>(io, async (berth, [ref = ''], options) => {
      const body = await changeOf(berth, options);
      if (Object.keys(body).length === 0) {
        throw usageError('Change what?', 'Add one or more of the options of: berth identity-providers update --help');
      }
      const { id } = await find(berth, ref);
      const after = await (await berth.client()).call('identityProvidersUpdate', { params: { provider: id }, body });
      berth.print(after, () => `${plain(after.title)} is changed.\n`);
    }),
  );
  providers
    .command('test <provider>')
    .description('Ask it what a sign-in would ask')
    .action(
      run(io, async (berth, [ref = '']) => {
        const { id, title } = await find(berth, ref);
        const answer = await (await berth.client()).call('identityProvidersTest', { params: { provider: id } });
        const logout = answer.logout ? 'It tells of sign-outs.' : 'It does not tell of sign-outs; it is asked instead.';
        berth.print(answer, () => `${plain(title)} answers. ${logout}\n`);
      }),
    );
  for (const [verb, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    providers
      .command(`${verb} <provider>`)
      .description(enabled ? 'Switch it on' : 'Switch it off; whoever came through it is signed out')
      .action(
        run(io, async (berth, [ref = '']) => {
          const { id } = await find(berth, ref);
          const client = await berth.client();
          const after = await client.call('identityProvidersUpdate', { params: { provider: id }, body: { enabled } });
          berth.print(after, () => `${plain(after.title)} is ${enabled ? 'on' : 'off'}.\n`);
        }),
      );
  }
  providers
    .command('delete <provider>')
    .aliases(['remove', 'rm'])
    .description('Remove it, with its links, its sessions and the roles it gave')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const { id, title, people } = await find(berth, ref);
        await berth.confirm(
          `Remove ${plain(title)}? ${people} linked accounts can no longer sign in with it and are signed out.`,
          options.yes,
        );
        await (await berth.client()).call('identityProvidersDelete', { params: { provider: id } });
        berth.print({ deleted: id }, () => `${plain(title)} is removed.\n`);
      }),
    );
}
