/** App permissions: who may use which app. An app is an instance: its screen, its private addresses, its terminal. */
import { z } from 'zod';
import { grantPermissions } from '#domain/authz.ts';
import { instanceKinds } from '#domain/instances.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { subjectSchema } from './groups.ts';
import { roleSchema } from './identity.ts';
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

/** People named for each role that opens an app; the rest are counted. */
export const ACCESS_PEOPLE_SHOWN_MAX = 20;

/** Candidates that one answer holds; who is not among them is searched for. */
export const CANDIDATES_SHOWN_MAX = 20;

/** Somebody an app can be shared with. */
const candidateSchema = z.object({
  subject: subjectSchema,
  kind: z.enum(['person', 'group']),
  name: z.string(),
  email: z.string().nullable(),
  /** Of a group. */
  members: z.number().int().nullable(),
});

/** Who may open one app, and why. */
export const accessSchema = z.object({
  grants: z
    .array(
      grantSchema
        .omit({ app: true })
        .extend({ kind: z.enum(['person', 'group']), name: z.string(), email: z.string().nullable() }),
    )
    .meta({ description: 'Granted on exactly this app' }),
  roles: z
    .array(
      z.object({
        role: roleSchema,
        place: z.enum(['organization', 'project']),
        permissions,
        people: z.number().int(),
        services: z.number().int().meta({ description: 'Service accounts, which are no people' }),
        shown: z
          .array(z.object({ name: z.string(), email: z.string() }))
          .max(ACCESS_PEOPLE_SHOWN_MAX)
          .meta({ description: 'The first of them by name' }),
      }),
    )
    .meta({ description: 'Everybody whose highest role opens it; each person once' }),
  entries: z
    .array(z.object({ name: z.string(), email: z.string(), expiresAt: timestamp }))
    .meta({ description: 'Administrators of the installation who are inside the organization now' }),
  can: z.object({ share: abilitySchema }),
});
export type Access = z.output<typeof accessSchema>;

const params = z.object({ organization: idSchema('org') });
const appParams = z.object({ instance: appId });
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
  instanceAccessGet: defineRoute({
    ...shared,
    id: 'instances.access.get',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/access`,
    access: 'grant.read',
    status: 200,
    summary: 'Who may open an app: by a grant, by a role, by an entry',
    params: appParams,
    response: accessSchema,
  }),
  instanceAccessCandidates: defineRoute({
    ...shared,
    id: 'instances.access.candidates',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/access/candidates`,
    access: 'grant.update',
    status: 200,
    summary: 'People and groups an app can be shared with, by name or e-mail address',
    description:
      'Who sees the members of the organization is shown all of them. Others see who has a role in the project, and whoever they know the whole e-mail address of.',
    params: appParams,
    query: z.object({ search: z.string().trim().max(100).default('') }),
    response: z.object({ items: z.array(candidateSchema), more: z.boolean() }),
  }),
  instanceAccessSet: defineRoute({
    ...shared,
    id: 'instances.access.set',
    method: 'PUT',
    path: `${API_PREFIX}/instances/:instance/access/:subject`,
    access: 'grant.update',
    status: 200,
    summary: 'What one person or group may do with one app from now on; an empty list takes the grant away',
    params: appParams.extend({ subject: subjectSchema }),
    body: z.strictObject({ permissions }),
    response: accessSchema,
  }),
} as const;
