/** DNS providers: whoever serves the zones in which Berth keeps records for domains. Of organizations and of the installation. */
import { z } from 'zod';
import { DNS_PORT, DNS_ZONES_MAX, dnsProviderKinds, tsigAlgorithms, zoneProblem } from '#domain/dns.ts';
import { API_PREFIX, idSchema, timestamp, titleSchema } from './common.ts';
import { defineRoute } from './route.ts';

const zoneSchema = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .transform((text) => text.replace(/\.$/, ''))
  .superRefine((zone, context) => {
    const problem = zoneProblem(zone);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });
const zones = z.array(zoneSchema).max(DNS_ZONES_MAX);
const tsigSecret = z
  .string()
  .trim()
  .min(8)
  .max(1000)
  .regex(
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    'The key in base64, as tsig-keygen writes it.',
  )
  .meta({ description: 'In base64. Never answered.' });
const token = z
  .string()
  .trim()
  .min(8)
  .max(500)
  .regex(/^[\x21-\x7e]+$/, 'An API token.')
  .meta({ description: 'May edit DNS of the zones and nothing else. Never answered.' });
const keyName = z
  .string()
  .regex(/^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/, 'The name of the key as the server knows it.');
const host = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45})$/, 'A host name or an address.');

export const dnsProviderSchema = z.object({
  id: idSchema('dnp'),
  organization: idSchema('org').nullable().meta({ description: 'Null: of the installation' }),
  title: z.string(),
  kind: z.enum(dnsProviderKinds),
  server: z
    .object({ host: z.string(), port: z.number().int(), keyName: z.string(), algorithm: z.enum(tsigAlgorithms) })
    .nullable()
    .meta({ description: 'Of rfc2136 only' }),
  zones: z.array(z.string()).meta({ description: 'In which Berth keeps records' }),
  shared: z.boolean().meta({ description: 'Every organization may use names below the zones' }),
  available: z.array(z.string()).meta({ description: 'Zones that the secret may change, as of the last look' }),
  warnings: z.array(z.string()).meta({ description: 'What the secret may do beyond what is needed' }),
  problem: z.string().nullable().meta({ description: 'Why nothing can be written there now' }),
  checkedAt: timestamp.nullable(),
  createdAt: timestamp,
  records: z.number().int().meta({ description: 'Records that Berth keeps there' }),
  troubled: z.number().int().meta({ description: 'Those that are not as they should be' }),
});
export type DnsProvider = z.output<typeof dnsProviderSchema>;

const shared = z.boolean();
const common = { title: titleSchema };
const rfc2136 = {
  kind: z.literal('rfc2136'),
  host,
  port: z.number().int().min(1).max(65_535).default(DNS_PORT),
  keyName,
  algorithm: z.enum(tsigAlgorithms).default('hmac-sha256'),
  secret: tsigSecret,
  zones: zones.min(1),
};
const cloudflare = { kind: z.literal('cloudflare'), secret: token, zones: zones.default([]) };
const ofOrganization = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, ...rfc2136 }),
  z.strictObject({ ...common, ...cloudflare }),
]);
const ofInstallation = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, ...rfc2136, shared: shared.default(false) }),
  z.strictObject({ ...common, ...cloudflare, shared: shared.default(false) }),
]);
export type DnsProviderInput = z.output<typeof ofInstallation> | z.output<typeof ofOrganization>;
const change = {
  title: titleSchema.optional(),
  secret: z.union([tsigSecret, token]).optional(),
  zones: zones.optional().meta({ description: 'Records in zones that are taken away are removed there' }),
};

const organizationPath = `${API_PREFIX}/organizations/:organization/dns-providers` as const;
const installationPath = `${API_PREFIX}/platform/dns-providers` as const;
const organizationParams = z.object({ organization: idSchema('org') });
const params = z.object({ provider: idSchema('dnp') });
const bothParams = organizationParams.extend(params.shape);
const leaveRecords = z.object({
  leaveRecords: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Forget the records that are there instead of refusing; they stay in DNS' }),
});
const list = z.object({ items: z.array(dnsProviderSchema) });
const words = {
  create: 'Connect a DNS provider; its secret is tried at once',
  check: 'Try the secret now, and see which zones it may change',
  delete: 'Disconnect a DNS provider; not while it holds records, unless they are to be left',
} as const;

export const dnsProviderRoutes = {
  dnsProvidersList: defineRoute({
    id: 'dns-providers.list',
    method: 'GET',
    path: organizationPath,
    tag: 'dns',
    access: 'dns.read',
    rateClass: 'api',
    status: 200,
    summary: 'DNS providers of an organization',
    params: organizationParams,
    response: list,
  }),
  dnsProvidersCreate: defineRoute({
    id: 'dns-providers.create',
    method: 'POST',
    path: organizationPath,
    tag: 'dns',
    access: 'dns.update',
    rateClass: 'provisioning',
    status: 201,
    summary: words.create,
    description:
      'From then on Berth proves domains of this organization in its zones by itself, and lets names of routes lead here. What Berth did not make there is never touched.',
    params: organizationParams,
    body: ofOrganization,
    response: dnsProviderSchema,
  }),
  dnsProvidersUpdate: defineRoute({
    id: 'dns-providers.update',
    method: 'PATCH',
    path: `${organizationPath}/:provider`,
    tag: 'dns',
    access: 'dns.update',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Change title, secret or zones of a DNS provider',
    params: bothParams,
    body: z.strictObject(change),
    response: dnsProviderSchema,
  }),
  dnsProvidersCheck: defineRoute({
    id: 'dns-providers.check',
    method: 'POST',
    path: `${organizationPath}/:provider/check`,
    tag: 'dns',
    access: 'dns.update',
    rateClass: 'provisioning',
    status: 200,
    summary: words.check,
    params: bothParams,
    response: dnsProviderSchema,
  }),
  dnsProvidersDelete: defineRoute({
    id: 'dns-providers.delete',
    method: 'DELETE',
    path: `${organizationPath}/:provider`,
    tag: 'dns',
    access: 'dns.update',
    rateClass: 'api',
    status: 204,
    summary: words.delete,
    params: bothParams,
    query: leaveRecords,
  }),
  platformDnsProvidersList: defineRoute({
    id: 'platform.dns-providers.list',
    method: 'GET',
    path: installationPath,
    tag: 'platform',
    access: 'platform.dns.read',
    rateClass: 'api',
    status: 200,
    summary: 'DNS providers of the installation',
    response: list,
  }),
  platformDnsProvidersCreate: defineRoute({
    id: 'platform.dns-providers.create',
    method: 'POST',
    path: installationPath,
    tag: 'platform',
    access: 'platform.dns.update',
    rateClass: 'provisioning',
    status: 201,
    summary: words.create,
    body: ofInstallation,
    response: dnsProviderSchema,
  }),
  platformDnsProvidersUpdate: defineRoute({
    id: 'platform.dns-providers.update',
    method: 'PATCH',
    path: `${installationPath}/:provider`,
    tag: 'platform',
    access: 'platform.dns.update',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Change title, secret, zones or sharing of a DNS provider',
    params,
    body: z.strictObject({ ...change, shared: shared.optional() }),
    response: dnsProviderSchema,
  }),
  platformDnsProvidersCheck: defineRoute({
    id: 'platform.dns-providers.check',
    method: 'POST',
    path: `${installationPath}/:provider/check`,
    tag: 'platform',
    access: 'platform.dns.update',
    rateClass: 'provisioning',
    status: 200,
    summary: words.check,
    params,
    response: dnsProviderSchema,
  }),
  platformDnsProvidersDelete: defineRoute({
    id: 'platform.dns-providers.delete',
    method: 'DELETE',
    path: `${installationPath}/:provider`,
    tag: 'platform',
    access: 'platform.dns.update',
    rateClass: 'api',
    status: 204,
    summary: words.delete,
    params,
    query: leaveRecords,
  }),
} as const;
