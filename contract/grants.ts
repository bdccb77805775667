/** App permissions: who may use which app. An app is an instance: its screen, its private addresses, its terminal. */
import { z } from 'zod';
import { grantPermissions } from '#domain/authz.ts';
import { instanceKinds } from '#domain/instances.ts';
import { API_PREFIX, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { subjectSchema } from './groups.ts';
import { defineRoute } from './route.ts';

/** Changes that one call may make. */
export const GRANT_CHANGES_MAX = 200;

const permissions = z
  .array(z.enum(grantPermissions))
  .max(grantPermissions.length)
  .refine((list) => new Set(list).size === list.length, 'named twice')
  .meta({ description: '`open`: its screen and its private addresses; `terminal`: a terminal in it' });
/** What can be granted. Today an instance; the registry's rows take other ids as well. */
const appId = idSchema('ins');

export const grantSchema = z.object({
  id: idSchema('grt'),
  app: appId,
  subject: subjectSchema,
  permissions,
  grantedBy: z.string(),
  createdAt: timestamp,
});
export type Grant = z.output<typeof grantSchema>;

export const appSchema = z.object({
  app: appId,
  name: z.string(),
  kind: z.enum(instanceKinds),
  project: z.object({ id: idSchema('prj'), name: z.string() }),
});

export const ownAppSchema = appSchema.extend({
  organization: z.object({ id: idSchema('org'), title: z.string() }),
  observed: z.string(),
  url: z.string().nullable(),
  permissions: permissions.meta({ description: 'What the caller may do with it, by role or by grant' }),
});
export type OwnApp = z.output<typeof ownAppSchema>;

const params = z.object({ organization: idSchema('org') });
const shared = { tag: 'apps', rateClass: 'api' } as const;

export const grantRoutes = {
  ownApps: defineRoute({
    ...shared,
    id: 'apps.own',
    method: 'GET',
    path: `${API_PREFIX}/apps`,
    access: 'self',
    status: 200,
    summary: 'The apps that the caller may open, everywhere',
    response: z.object({ items: z.array(ownAppSchema) }),
  }),
  appsList: defineRoute({
    ...shared,
    id: 'apps.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/apps`,
    access: 'grant.read',
    status: 200,
    summary: 'What can be granted in an organization',
    params,
    query: z.object({ ...pageQuery, search: z.string().max(100).optional() }),
    response: pageOf(appSchema),
  }),
  grantsList: defineRoute({
    ...shared,
    id: 'grants.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/grants`,
    access: 'grant.read',
    status: 200,
    summary: 'App permissions of an organization',
    params,
    query: z.object({ ...pageQuery, app: appId.optional(), subject: subjectSchema.optional() }),
    response: pageOf(grantSchema),
  }),
  grantsChange: defineRoute({
    ...shared,
    id: 'grants.change',
    method: 'POST',
    path: `${API_PREFIX}/organizations/:organization/grants`,
    access: 'grant.update',
    status: 200,
    summary: 'Grant and revoke apps in bulk; all or nothing',
    description: 'Each change says what the subject may do from now on; an empty list takes the grant away.',
    params,
    body: z.strictObject({
      changes: z
        .array(z.strictObject({ app: appId, subject: subjectSchema, permissions }))
        .min(1)
        .max(GRANT_CHANGES_MAX),
    }),
    response: z.object({ changed: z.number().int() }),
  }),
} as const;
