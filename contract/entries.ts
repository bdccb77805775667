/** Entries: an administrator of the installation inside a tenant's organization, announced, with a reason and an end. */
import { z } from 'zod';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { organizationSchema } from './organizations.ts';
import { defineRoute } from './route.ts';

export const ENTRY_MINUTES_MAX = 480;
export const ENTRY_REASON_LENGTH_MIN = 10;

export const entrySchema = z.object({
  id: idSchema('ent'),
  organization: z.object({ id: idSchema('org'), name: z.string(), title: z.string() }),
  user: z.object({ id: idSchema('usr'), email: z.string(), name: z.string() }),
  reason: z.string(),
  createdAt: timestamp,
  expiresAt: timestamp,
  endedAt: timestamp.nullable(),
  can: z.object({ end: abilitySchema }),
});
export type Entry = z.output<typeof entrySchema>;

const params = z.object({ organization: idSchema('org') });
const path = `${API_PREFIX}/organizations/:organization/entries`;
const shared = { tag: 'organizations', rateClass: 'api' } as const;

export const entryRoutes = {
  organizationsList: defineRoute({
    ...shared,
    id: 'organizations.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations`,
    access: 'platform.organization.read',
    status: 200,
    summary: 'All organizations of this installation, by name',
    query: z.object({ ...pageQuery, search: z.string().max(100).optional() }),
    response: pageOf(
      organizationSchema.omit({ can: true }).extend({
        members: z.number().int(),
        projects: z.number().int(),
        instances: z.number().int(),
        use: z.object({ cpus: z.number(), memoryBytes: z.number().int(), diskBytes: z.number().int() }).meta({
          description: 'Of its quota',
        }),
        entry: z
          .object({ id: idSchema('ent'), reason: z.string(), expiresAt: timestamp })
          .nullable()
          .meta({ description: 'The open one of the caller' }),
      }),
    ),
  }),
  entriesList: defineRoute({
    ...shared,
    id: 'entries.list',
    method: 'GET',
    path,
    access: 'entry.read',
    status: 200,
    summary: "Administrators' entries into an organization, newest first",
    params,
    response: z.object({ items: z.array(entrySchema) }),
  }),
  entriesCreate: defineRoute({
    ...shared,
    id: 'entries.create',
    method: 'POST',
    path,
    access: 'platform.organization.enter',
    status: 201,
    summary: 'Enter an organization as an operator: with a reason its owners read, until a time',
    params,
    severalLines: ['reason'],
    body: z.strictObject({
      reason: z.string().trim().min(ENTRY_REASON_LENGTH_MIN).max(500),
      minutes: z.number().int().min(5).max(ENTRY_MINUTES_MAX).default(60),
    }),
    response: entrySchema,
  }),
  entriesEnd: defineRoute({
    ...shared,
    id: 'entries.end',
    method: 'DELETE',
    path: `${path}/:entry`,
    access: 'entry.end',
    status: 204,
    summary: "End an administrator's entry at once",
    params: params.extend({ entry: idSchema('ent') }),
  }),
  ownEntriesEnd: defineRoute({
    ...shared,
    id: 'account.entries.end',
    method: 'DELETE',
    path: `${API_PREFIX}/account/entries/:entry`,
    access: 'self',
    status: 204,
    summary: 'Leave an organization that the caller entered as an administrator',
    params: z.object({ entry: idSchema('ent') }),
  }),
} as const;
