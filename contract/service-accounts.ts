/** Service accounts of an organization and their tokens. */
import { z } from 'zod';
import { SERVICE_TOKEN_DAYS_DEFAULT, SERVICE_TOKEN_DAYS_MAX, serviceRoles } from '#domain/service-accounts.ts';
import {
  API_PREFIX,
  abilitySchema,
  descriptionSchema,
  idSchema,
  nameSchema,
  timestamp,
  titleSchema,
} from './common.ts';
import { workingRoleSchema } from './groups.ts';
import { tokenSchema } from './identity.ts';
import { scopesSchema } from './oauth.ts';
import { defineRoute } from './route.ts';

export const serviceRoleSchema = z.enum(serviceRoles).meta({
  description: 'In the whole organization; a guest holds what groups, projects and grants give. Never owner',
});

export const serviceAccountSchema = z.object({
  id: idSchema('usr').meta({ description: 'Stands for it wherever groups, projects and grants take a person' }),
  organization: idSchema('org'),
  name: z.string(),
  handle: z.string().meta({ description: 'Shown where people have an address: service:<name>' }),
  description: z.string(),
  role: serviceRoleSchema,
  disabled: z.boolean(),
  groups: z.array(z.object({ id: idSchema('grp'), name: z.string(), title: z.string() })),
  projects: z.array(z.object({ id: idSchema('prj'), name: z.string(), role: workingRoleSchema })),
  tokens: z.number().int().meta({ description: 'Living ones' }),
  lastUsedAt: timestamp.nullable(),
  createdAt: timestamp,
  createdBy: z.string(),
  can: z.object({ update: abilitySchema, delete: abilitySchema, createToken: abilitySchema }),
});
export type ServiceAccount = z.output<typeof serviceAccountSchema>;

export const serviceTokenSchema = tokenSchema.extend({ expiresAt: timestamp });

const organizationParams = z.object({ organization: idSchema('org') });
const accountParams = organizationParams.extend({ account: idSchema('usr') });
const accountsPath = `${API_PREFIX}/organizations/:organization/service-accounts`;
const shared = { tag: 'organizations', rateClass: 'api' } as const;

export const serviceAccountRoutes = {
  serviceAccountsList: defineRoute({
    ...shared,
    id: 'service-accounts.list',
    method: 'GET',
    path: accountsPath,
    access: 'service-account.read',
    status: 200,
    summary: 'Service accounts of an organization',
    description: 'Programs with rights of their own. They are no members and are not in the list of members.',
    params: organizationParams,
    response: z.object({ items: z.array(serviceAccountSchema) }),
  }),
  serviceAccountsCreate: defineRoute({
    ...shared,
    id: 'service-accounts.create',
    method: 'POST',
    path: accountsPath,
    access: 'service-account.create',
    status: 201,
    summary: 'Create a service account',
    params: organizationParams,
    body: z.strictObject({
      name: nameSchema,
      description: descriptionSchema.default(''),
      role: serviceRoleSchema.default('guest'),
    }),
    response: serviceAccountSchema,
  }),
  serviceAccountsUpdate: defineRoute({
    ...shared,
    id: 'service-accounts.update',
    method: 'PATCH',
    path: `${accountsPath}/:account`,
    access: 'service-account.update',
    status: 200,
    summary: 'Rename a service account, change its role, disable or enable it',
    description: 'Disabled, none of its tokens work, at once; enabled again, those that are not revoked do.',
    params: accountParams,
    body: z.strictObject({
      name: nameSchema.optional(),
      description: descriptionSchema.optional(),
      role: serviceRoleSchema.optional(),
      disabled: z.boolean().optional(),
    }),
    response: serviceAccountSchema,
  }),
  serviceAccountsDelete: defineRoute({
    ...shared,
    id: 'service-accounts.delete',
    method: 'DELETE',
    path: `${accountsPath}/:account`,
    access: 'service-account.delete',
    status: 204,
    summary: 'Delete a service account; its tokens end at once, what it made stays',
    params: accountParams,
  }),
  serviceTokensList: defineRoute({
    ...shared,
    id: 'service-accounts.tokens.list',
    method: 'GET',
    path: `${accountsPath}/:account/tokens`,
    access: 'service-account.update',
    status: 200,
    summary: 'Tokens of a service account that are not revoked, also expired ones',
    params: accountParams,
    response: z.object({ items: z.array(serviceTokenSchema) }),
  }),
  serviceTokensCreate: defineRoute({
    ...shared,
    id: 'service-accounts.tokens.create',
    method: 'POST',
    path: `${accountsPath}/:account/tokens`,
    access: 'service-account.update',
    status: 201,
    summary: 'Create a token of a service account; the secret is shown this once',
    params: accountParams,
    body: z.strictObject({
      name: titleSchema,
      expiresInDays: z.number().int().min(1).max(SERVICE_TOKEN_DAYS_MAX).default(SERVICE_TOKEN_DAYS_DEFAULT),
      scopes: scopesSchema.default(null),
    }),
    response: serviceTokenSchema.extend({ secret: z.string() }),
  }),
  serviceTokensRevoke: defineRoute({
    ...shared,
    id: 'service-accounts.tokens.revoke',
    method: 'DELETE',
    path: `${accountsPath}/:account/tokens/:token`,
    access: 'service-account.update',
    status: 204,
    summary: 'Revoke a token of a service account; it ends at once',
    params: accountParams.extend({ token: idSchema('tok') }),
  }),
} as const;
