/** Domains of tenants' own: claimed by a project, proven by DNS, then good for routes. */
import { z } from 'zod';
import { dnsRecordStates, dnsTypes } from '#domain/dns.ts';
import { domainProofs, domainStates } from '#domain/domains.ts';
import { API_PREFIX, abilitySchema, idSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';
import { hostnameSchema } from './routes.ts';

const dnsRecordSchema = z.object({
  name: z.string(),
  type: z.enum(dnsTypes),
  values: z.array(z.string()),
  state: z.enum(dnsRecordStates).meta({
    description:
      'pending: to be written; present: seen as wanted; drifted: somebody changed or removed it; taken: somebody else made what is there; failed: the provider did not do it (yet)',
  }),
  seen: z.array(z.string()).nullable().meta({ description: 'What is there instead' }),
  problem: z.string().nullable(),
  mine: z.boolean().meta({ description: 'False: it was there as wanted already, and Berth leaves it alone' }),
});

export const wildcardSchema = z.object({
  state: z.enum(['waiting', 'valid', 'failing']).meta({
    description: 'failing: the last attempt did not work; an earlier certificate goes on until it ends',
  }),
  issuer: z.string().nullable(),
  expiresAt: timestamp.nullable(),
  problem: z.string().nullable(),
});

export const domainSchema = z.object({
  id: idSchema('dom'),
  project: idSchema('prj'),
  name: z.string(),
  state: z.enum(domainStates).meta({
    description:
      'pending: not proven yet; verified: good for routes; lost: was proven, the proof is gone, routes on it stop',
  }),
  proof: z.enum(domainProofs).nullable(),
  reason: z.string().nullable().meta({ description: 'What the last look at DNS lacked, for people' }),
  pointsHere: z
    .boolean()
    .nullable()
    .meta({ description: 'Whether the name leads to this installation; null: unknown' }),
  challenge: z
    .object({ name: z.string(), value: z.string() })
    .meta({ description: 'The TXT record that proves the claim' }),
  target: z.string().meta({ description: 'What the name (or an alias of it) should lead to' }),
  routes: z.number().int(),
  dns: z.object({ zone: z.string(), provider: z.string() }).nullable().meta({
    description: 'The connected DNS provider that keeps the records of this domain; null: you set them yourself',
  }),
  wildcard: wildcardSchema
    .nullable()
    .meta({ description: 'The certificate for everything directly below the domain; null: none is wanted' }),
  records: z.array(dnsRecordSchema).meta({ description: 'What Berth keeps there for the domain and its routes' }),
  createdAt: timestamp,
  createdBy: z.string(),
  verifiedAt: timestamp.nullable(),
  checkedAt: timestamp.nullable(),
  failingSince: timestamp.nullable().meta({ description: 'Since when a proven domain lacks its proof' }),
  expiresAt: timestamp.nullable().meta({ description: 'When a claim ends unless it is proven' }),
  can: z.object({ check: abilitySchema, repair: abilitySchema, wildcard: abilitySchema, delete: abilitySchema }),
});
export type Domain = z.output<typeof domainSchema>;

const shared = { tag: 'domains', rateClass: 'api' } as const;

export const domainRoutes = {
  domainsList: defineRoute({
    ...shared,
    id: 'domains.list',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/domains`,
    access: 'domain.read',
    status: 200,
    summary: 'Domains of a project',
    params: z.object({ project: idSchema('prj') }),
    response: z.object({ items: z.array(domainSchema) }),
  }),
  domainsCreate: defineRoute({
    ...shared,
    id: 'domains.create',
    method: 'POST',
    path: `${API_PREFIX}/projects/:project/domains`,
    access: 'domain.create',
    status: 201,
    summary: 'Claim a domain; it is good for routes once DNS has proven it',
    description:
      'Set the TXT record in `challenge`, or make the name an alias (CNAME) of an address of this project. Berth looks by itself every minute; a claim that is not proven ends after some days.',
    params: z.object({ project: idSchema('prj') }),
    body: z.strictObject({ name: hostnameSchema }),
    response: domainSchema,
  }),
  domainsCheck: defineRoute({
    ...shared,
    id: 'domains.check',
    method: 'POST',
    path: `${API_PREFIX}/domains/:domain/check`,
    access: 'domain.update',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Look at DNS now',
    params: z.object({ domain: idSchema('dom') }),
    response: domainSchema,
  }),
  domainsUpdate: defineRoute({
    ...shared,
    id: 'domains.update',
    method: 'PATCH',
    path: `${API_PREFIX}/domains/:domain`,
    access: 'domain.update',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Have a wildcard certificate made for a domain, at once if there is none; or no longer',
    description:
      'For the domain and every name directly below it, by proof in DNS: needs a connected DNS provider and an installation that takes certificates from an ACME authority.',
    params: z.object({ domain: idSchema('dom') }),
    body: z.strictObject({ wildcard: z.boolean() }),
    response: domainSchema,
  }),
  domainsRepair: defineRoute({
    ...shared,
    id: 'domains.repair',
    method: 'POST',
    path: `${API_PREFIX}/domains/:domain/repair`,
    access: 'domain.update',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Write the DNS records again that somebody changed or removed',
    description: 'Only records that Berth made; what others made at their names stays.',
    params: z.object({ domain: idSchema('dom') }),
    response: domainSchema,
  }),
  domainsDelete: defineRoute({
    ...shared,
    id: 'domains.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/domains/:domain`,
    access: 'domain.delete',
    status: 204,
    summary: 'Give a domain up; not while routes use it',
    params: z.object({ domain: idSchema('dom') }),
  }),
} as const;
