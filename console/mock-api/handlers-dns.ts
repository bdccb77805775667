/** DNS providers of the mock: one of the organization with something to complain about, one of the installation. */
import type { DnsProvider, DnsProviderInput } from '#contract/dns-providers.ts';
import type { PlatformCertificate } from '#contract/platform-certificate.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';
import { DOMAIN, hint, iso, type MockState, newId, record } from './state.ts';

type Verb = 'List' | 'Create' | 'Update' | 'Check' | 'Delete';
type Name = `dnsProviders${Verb}` | `platformDnsProviders${Verb}` | `platformCertificate${'Get' | 'Update'}`;

export function makeDnsProvider(
  organization: DnsProvider['organization'],
  more: Partial<DnsProvider> = {},
): DnsProvider {
  return {
    id: newId('dnp'),
    organization,
    title: 'Cloudflare',
    kind: 'cloudflare',
    server: null,
    zones: ['harbour.example'],
    shared: false,
    available: ['harbour.example'],
    warnings: [],
    problem: null,
    checkedAt: iso(),
    createdAt: iso(),
    records: 0,
    troubled: 0,
    ...more,
  };
}

function listed(state: MockState, owner: DnsProvider['organization']) {
  return { items: state.dnsProviders.filter((each) => each.organization === owner) };
}

function create(state: MockState, owner: DnsProvider['organization'], input: DnsProviderInput): DnsProvider {
  if (input.secret.startsWith('fail-')) {
    const message = 'The secret is not accepted.';
    throw new BerthError('invalid_input', message, { fields: [{ field: 'secret', message }] });
  }
  const server =
    input.kind === 'rfc2136'
      ? { host: input.host, port: input.port, keyName: input.keyName, algorithm: input.algorithm }
      : null;
  const { title, kind, zones } = input;
  const shared = 'shared' in input && input.shared;
  const made = makeDnsProvider(owner, { title, kind, zones, server, available: zones, shared });
  state.dnsProviders.push(made);
  record(state, 'dns-providers.create', 'dns-provider', made.id, made.title);
  hint('dns', made.id, null);
  return made;
}

function find(state: MockState, id: string): DnsProvider {
  const found = state.dnsProviders.find((each) => each.id === id);
  if (found === undefined) throw notFound('DNS provider');
  return found;
}

function update(
  state: MockState,
  id: string,
  change: { title?: string | undefined; zones?: string[] | undefined; shared?: boolean | undefined },
) {
  const provider = find(state, id);
  if (change.title !== undefined) provider.title = change.title;
  if (change.zones !== undefined) provider.zones = change.zones;
  if (change.shared !== undefined) provider.shared = change.shared;
  hint('dns', id, null);
  return provider;
}

function check(state: MockState, id: string): DnsProvider {
  const provider = find(state, id);
  Object.assign(provider, { checkedAt: iso(), problem: null });
  hint('dns', id, null);
  return provider;
}

function remove(state: MockState, id: string): undefined {
  state.dnsProviders = state.dnsProviders.filter((each) => each.id !== id);
  hint('dns', id, null);
}

function platformCertificate(state: MockState): PlatformCertificate {
  const provider = state.dnsProviders.find((each) => each.organization === null && each.zones.includes(DOMAIN));
  const able = provider === undefined ? 'Connect a DNS provider that keeps the domain.' : true;
  return {
    domain: DOMAIN,
    dns: provider === undefined ? null : { zone: DOMAIN, provider: provider.title },
    wildcard: state.platformWildcard,
    can: { wildcard: state.platformWildcard === null ? able : true },
  };
}

export const dnsHandlers: Pick<Handlers, Name> = {
  dnsProvidersList: (state, { params }) => listed(state, params.organization),
  dnsProvidersCreate: (state, { params, body }) => create(state, params.organization, body),
  dnsProvidersUpdate: (state, { params, body }) => update(state, params.provider, body),
  dnsProvidersCheck: (state, { params }) => check(state, params.provider),
  dnsProvidersDelete: (state, { params }) => remove(state, params.provider),
  platformDnsProvidersList: (state) => listed(state, null),
  platformDnsProvidersCreate: (state, { body }) => create(state, null, body),
  platformDnsProvidersUpdate: (state, { params, body }) => update(state, params.provider, body),
  platformDnsProvidersCheck: (state, { params }) => check(state, params.provider),
  platformDnsProvidersDelete: (state, { params }) => remove(state, params.provider),
  platformCertificateGet: platformCertificate,
  platformCertificateUpdate: (state, { body }) => {
    const expiresAt = iso(Date.now() + 90 * 86_400_000);
    state.platformWildcard = body.wildcard
      ? { state: 'valid', issuer: "Let's Encrypt", expiresAt, problem: null }
      : null;
    hint('setting', 'certificates', null);
    return platformCertificate(state);
  },
};
