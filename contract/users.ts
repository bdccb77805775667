/** All accounts of the installation, for its administrators. */
import { z } from 'zod';
import { deletionSchema, handOverSchema } from './account.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { roleSchema } from './identity.ts';
import { defineRoute } from './route.ts';

export const platformUserSchema = z.object({
  id: idSchema('usr'),
  email: z.string(),
  name: z.string(),
  platformAdmin: z.boolean(),
  emailVerified: z.boolean(),
  secondFactor: z.boolean(),
  createdAt: timestamp,
  disabledAt: timestamp.nullable(),
  lastSeenAt: timestamp.nullable(),
  organizations: z.array(z.object({ id: idSchema('org'), name: z.string(), title: z.string(), role: roleSchema })),
  can: z.object({
    disable: abilitySchema,
    enable: abilitySchema,
    signOut: abilitySchema,
    administrator: abilitySchema,
    delete: abilitySchema,
  }),
});

const tag = 'platform';
const userParams = z.object({ user: idSchema('usr') });

export const userRoutes = {
  usersList: defineRoute({
    id: 'platform.users.list',
    method: 'GET',
    path: `${API_PREFIX}/platform/users`,
    tag,
    access: 'platform.user.read',
    rateClass: 'api',
    status: 200,
    summary: 'All accounts, newest first',
    query: z.object({
      ...pageQuery,
      search: z.string().trim().max(100).optional().meta({ description: 'Part of the name or address' }),
    }),
    response: pageOf(platformUserSchema),
  }),
  usersUpdate: defineRoute({
    id: 'platform.users.update',
    method: 'PATCH',
    path: `${API_PREFIX}/platform/users/:user`,
    tag,
    access: 'platform.user.update',
    rateClass: 'api',
    status: 200,
    summary: 'Disable or enable an account, make somebody an administrator of the installation or no longer',
    description: 'Disabling ends every session at once and keeps everything else.',
    params: userParams,
    body: z.strictObject({ disabled: z.boolean().optional(), platformAdmin: z.boolean().optional() }),
    response: platformUserSchema,
  }),
  usersSignOut: defineRoute({
    id: 'platform.users.sign-out',
    method: 'POST',
    path: `${API_PREFIX}/platform/users/:user/sign-out`,
    tag,
    access: 'platform.user.update',
    rateClass: 'api',
    status: 204,
    summary: 'End every session of somebody and revoke their API tokens',
    params: userParams,
  }),
  usersDeletion: defineRoute({
    id: 'platform.users.deletion',
    method: 'GET',
    path: `${API_PREFIX}/platform/users/:user/deletion`,
    tag,
    access: 'platform.user.delete',
    rateClass: 'api',
    status: 200,
    summary: 'What deleting this account would mean',
    params: userParams,
    response: deletionSchema,
  }),
  usersDelete: defineRoute({
    id: 'platform.users.delete',
    method: 'POST',
    path: `${API_PREFIX}/platform/users/:user/delete`,
    tag,
    access: 'platform.user.delete',
    rateClass: 'api',
    status: 204,
    summary: 'Delete an account; organizations without another owner are handed over in the same step',
    params: userParams,
    body: z.strictObject({ handOver: handOverSchema }),
  }),
} as const;
