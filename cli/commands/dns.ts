/** dns: providers that keep the records of domains and routes, of an organization or of the installation. */
import { type Command, Option } from 'commander';
import { DNS_PORT, type DnsProviderKind, dnsProviderKinds, type TsigAlgorithm, tsigAlgorithms } from '#domain/dns.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { wildcardWords } from './domains.ts';
import { examples } from './session.ts';

type Provider = OutputOf<'dnsProvidersList'>['items'][number];
type Scope = { installation?: boolean };
type NewOptions = Scope & {
  title?: string;
  secretStdin?: boolean;
  zone?: string[];
  server?: string;
  port?: string;
  key?: string;
  algorithm?: TsigAlgorithm;
  shared?: boolean;
};
type ChangeOptions = Scope & { title?: string; secretStdin?: boolean; zone?: string[]; share?: 'yes' | 'no' };

const gather = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
const scoped = (command: Command): Command =>
  command.option('--installation', 'one of the installation (platform administrators) instead of the organization');

async function list(berth: Runtime, { installation }: Scope): Promise<Provider[]> {
  const client = await berth.client();
  if (installation === true) return (await client.call('platformDnsProvidersList', {})).items;
  const organization = await berth.organization();
  return (await client.call('dnsProvidersList', { params: { organization: organization.id } })).items;
}

async function find(berth: Runtime, ref: string, scope: Scope): Promise<Provider> {
  const found = (await list(berth, scope)).filter((each) => each.id === ref || each.title === ref);
  const [first] = found;
  if (first === undefined || found.length > 1) {
    throw usageError(
      found.length > 1 ? `Several DNS providers are called "${ref}".` : `There is no DNS provider "${ref}".`,
      'See: berth dns list',
    );
  }
  return first;
}

function table(berth: Runtime, rows: readonly Provider[]): string {
  return renderTable(
    rows,
    [
      { title: 'Name', value: (row) => row.title },
      { title: 'Kind', value: (row) => row.kind },
      { title: 'Zones', value: (row) => row.zones.join(' ') },
      { title: 'Records', value: (row) => String(row.records), align: 'right' },
      { title: 'Troubled', value: (row) => String(row.troubled), align: 'right' },
      { title: 'Note', value: (row) => row.problem ?? row.warnings.join(' ') },
    ],
    { paint: berth.paint, empty: 'No DNS providers. Connect one with: berth dns connect cloudflare' },
  );
}

export function addDnsCommands(program: Command, io: Io): void {
  const dns = program.command('dns').description('DNS providers that keep the records of domains and routes');
  scoped(dns.command('list').alias('ls').description('List DNS providers')).action(
    run<Scope>(io, async (berth, _args, options) => {
      const items = await list(berth, options);
      berth.print({ items }, () => table(berth, items));
    }),
  );
  scoped(dns.command('connect <kind>').description(`Connect one (${dnsProviderKinds.join(', ')})`))
    .option('--title <text>', 'what you call it')
    .option('--secret-stdin', 'read the API token, or the TSIG key in base64, from stdin')
    .option('--zone <zone>', 'keep records in this zone; repeat for more', gather)
    .option('--server <host>', 'rfc2136: the primary of the zones')
    .option('--port <port>', `rfc2136: where it listens (default: ${DNS_PORT})`)
    .option('--key <name>', 'rfc2136: name of the TSIG key')
    .addOption(new Option('--algorithm <algorithm>', 'rfc2136: of the TSIG key').choices([...tsigAlgorithms]))
    .option('--shared', 'with --installation: every organization may use names below the zones')
    .addHelpText(
      'after',
      examples([
        'berth dns connect cloudflare --zone example.com --secret-stdin < token',
        'berth dns connect rfc2136 --server ns1.example.com --key berth --zone example.com --secret-stdin < key',
      ]),
    )
    .action(
      run<NewOptions>(io, async (berth, [wanted = ''], options) => {
        const kind = dnsProviderKinds.find((each): each is DnsProviderKind => each === wanted);
        if (kind === undefined)
          throw usageError(`"${wanted}" is not a kind.`, `One of: ${dnsProviderKinds.join(', ')}.`);
        if (options.secretStdin !== true) throw usageError('--secret-stdin is missing: secrets are read from stdin.');
        const body = await newProvider(berth, kind, options);
        const client = await berth.client();
        const made =
          options.installation === true
            ? await client.call('platformDnsProvidersCreate', { body: { ...body, shared: options.shared === true } })
            : await client.call('dnsProvidersCreate', {
                params: { organization: (await berth.organization()).id },
                body,
              });
        berth.print(made, () => `${plain(made.title)} is connected.\n${table(berth, [made])}`);
      }),
    );
  scoped(dns.command('update <provider>').description('Change one (name or id)'))
    .option('--title <text>', 'what you call it')
    .option('--secret-stdin', 'read another secret from stdin')
    .option('--zone <zone>', 'all zones from now on; repeat for more. Records in others are removed', gather)
    .addOption(new Option('--share <yes|no>', 'of the installation: for every organization').choices(['yes', 'no']))
    .action(
      run<ChangeOptions>(io, async (berth, [ref = ''], options) => {
        const { title, zone, share } = options;
        const found = await find(berth, ref, options);
        const body = {
          ...(title === undefined ? {} : { title }),
          ...(zone === undefined ? {} : { zones: zone }),
          ...(options.secretStdin === true ? { secret: (await berth.readStdin()).trim() } : {}),
        };
        const client = await berth.client();
        const changed =
          found.organization === null
            ? await client.call('platformDnsProvidersUpdate', {
                params: { provider: found.id },
                body: { ...body, ...(share === undefined ? {} : { shared: share === 'yes' }) },
              })
            : await client.call('dnsProvidersUpdate', {
                params: { organization: found.organization, provider: found.id },
                body,
              });
        berth.print(changed, () => table(berth, [changed]));
      }),
    );
  scoped(dns.command('check <provider>').description('Try its secret now (name or id)')).action(
    run<Scope>(io, async (berth, [ref = ''], options) => {
      const found = await find(berth, ref, options);
      const client = await berth.client();
      const seen =
        found.organization === null
          ? await client.call('platformDnsProvidersCheck', { params: { provider: found.id } })
          : await client.call('dnsProvidersCheck', {
              params: { organization: found.organization, provider: found.id },
            });
      berth.print(seen, () => table(berth, [seen]));
    }),
  );
  scoped(dns.command('disconnect <provider>').alias('delete').description('Disconnect one (name or id)'))
    .option('--leave-records', 'although Berth keeps records there: they stay in DNS')
    .action(
      run<Scope & { leaveRecords?: boolean }>(io, async (berth, [ref = ''], options) => {
        const found = await find(berth, ref, options);
        const query = { leaveRecords: options.leaveRecords === true ? ('true' as const) : ('false' as const) };
        const client = await berth.client();
        if (found.organization === null) {
          await client.call('platformDnsProvidersDelete', { params: { provider: found.id }, query });
        } else {
          const params = { organization: found.organization, provider: found.id };
          await client.call('dnsProvidersDelete', { params, query });
        }
        berth.print({ deleted: found.id }, () => `${plain(found.title)} is disconnected.\n`);
      }),
    );
  addWildcard(dns, io);
}

function addWildcard(dns: Command, io: Io): void {
  dns
    .command('wildcard')
    .description(
      'Show the wildcard certificate of the platform domain, or switch it on or off (platform administrators)',
    )
    .addOption(new Option('--on', 'have one made for every name directly below the platform domain').conflicts('off'))
    .option('--off', 'no longer: each name gets its own again')
    .addHelpText('after', examples(['berth dns wildcard', 'berth dns wildcard --on']))
    .action(
      run<{ on?: boolean; off?: boolean }>(io, async (berth, _args, { on, off }) => {
        const client = await berth.client();
        const seen =
          on === true || off === true
            ? await client.call('platformCertificateUpdate', { body: { wildcard: on === true } })
            : await client.call('platformCertificateGet', {});
        const hint = seen.wildcard === null && seen.can.wildcard !== true ? ` ${plain(seen.can.wildcard)}` : '';
        berth.print(seen, () => `${wildcardWords(seen.domain, seen.wildcard)}${hint}\n`);
      }),
    );
}

async function newProvider(berth: Runtime, kind: DnsProviderKind, options: NewOptions) {
  const { title, zone, server, port, key, algorithm } = options;
  const zones = zone ?? [];
  if (kind === 'cloudflare') {
    return { kind, title: title ?? 'Cloudflare', zones, secret: (await berth.readStdin()).trim() };
  }
  if (server === undefined || key === undefined || zones.length === 0) {
    throw usageError('--server, --key and --zone are needed for a name server.');
  }
  const number = port === undefined ? DNS_PORT : Number(port);
  if (!Number.isInteger(number)) throw usageError('--port takes a whole number.');
  return {
    kind,
    title: title ?? server,
    host: server,
    port: number,
    keyName: key,
    algorithm: algorithm ?? ('hmac-sha256' as const),
    zones,
    secret: (await berth.readStdin()).trim(),
  };
}
