/** The form of a DNS provider: flat texts on the screen, the contract's shapes on the wire. */
import { z } from 'zod';
import { type DnsProvider, type DnsProviderInput, dnsProviderRoutes } from '#contract/dns-providers.ts';
import { DNS_PORT, dnsProviderKinds, tsigAlgorithms } from '#domain/dns.ts';

export const dnsProviderForm = z
  .object({
    isNew: z.boolean(),
    kind: z.enum(dnsProviderKinds),
    title: z.string().trim().min(1, 'What do you call it?').max(120),
    host: z.string().trim(),
    port: z.coerce.number().int().min(1, 'At least 1.').max(65_535, 'At most 65535.'),
    keyName: z.string().trim(),
    algorithm: z.enum(tsigAlgorithms),
    secret: z.string().trim().max(1000),
    zones: z.string(),
    shared: z.boolean(),
  })
  .superRefine((value, context) => {
    const missing = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (value.isNew && value.secret === '') missing('secret', value.kind === 'cloudflare' ? 'The token.' : 'The key.');
    if (value.kind !== 'rfc2136') return;
    if (value.isNew && value.host === '') missing('host', 'Where it listens.');
    if (value.isNew && value.keyName === '') missing('keyName', 'What the server calls the key.');
    if (value.isNew && words(value.zones).length === 0) missing('zones', 'Name at least one.');
  });
export type DnsProviderFields = z.output<typeof dnsProviderForm>;

export const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

/** Null: a new one. */
export function fieldsOf(provider: DnsProvider | null): z.input<typeof dnsProviderForm> {
  return {
    isNew: provider === null,
    kind: provider?.kind ?? 'cloudflare',
    title: provider?.title ?? '',
    host: provider?.server?.host ?? '',
    port: provider?.server?.port ?? DNS_PORT,
    keyName: provider?.server?.keyName ?? '',
    algorithm: provider?.server?.algorithm ?? 'hmac-sha256',
    secret: '',
    zones: provider?.zones.join(' ') ?? '',
    shared: provider?.shared ?? false,
  };
}

/** `owner` null: of the installation. Errors: ZodError with what the contract has against it. */
export function newProviderOf(fields: DnsProviderFields, owner: string | null): DnsProviderInput {
  const { kind, title, secret, host, port, keyName, algorithm, shared } = fields;
  const common = { title, secret, zones: words(fields.zones), ...(owner === null ? { shared } : {}) };
  const body = kind === 'cloudflare' ? { kind, ...common } : { kind, ...common, host, port, keyName, algorithm };
  return owner === null
    ? dnsProviderRoutes.platformDnsProvidersCreate.body.parse(body)
    : dnsProviderRoutes.dnsProvidersCreate.body.parse(body);
}

/** An empty secret keeps the one that is stored. */
export function changeOf({ title, secret, zones }: DnsProviderFields) {
  return { title, zones: words(zones), ...(secret === '' ? {} : { secret }) };
}
