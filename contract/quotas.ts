/** Quotas: what a project may use, and what all projects of an organization may use together. */
import { z } from 'zod';
import { API_PREFIX, abilitySchema, idSchema } from './common.ts';
import { defineRoute } from './route.ts';

const count = z.number().int().min(0).max(1_000_000);
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const quotaSchema = z.object({
  instances: count,
  desktops: count,
  servers: count,
  cpus: count,
  memoryBytes: bytes,
  diskBytes: bytes,
  routes: count,
  snapshots: count,
  portForwards: count,
  backups: count,
  backupBytes: bytes,
});

const stateSchema = z.object({
  limit: quotaSchema,
  used: quotaSchema,
  can: z.object({ update: abilitySchema }),
});
export type QuotaState = z.output<typeof stateSchema>;

const projectParams = z.object({ project: idSchema('prj') });
const organizationParams = z.object({ organization: idSchema('org') });
const changes = quotaSchema.partial().strict();

export const quotaRoutes = {
  quotaGet: defineRoute({
    id: 'quota.get',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/quota`,
    tag: 'quotas',
    access: 'quota.read',
    rateClass: 'api',
    status: 200,
    summary: 'Limits and use of a project',
    params: projectParams,
    response: stateSchema,
  }),
  quotaUpdate: defineRoute({
    id: 'quota.update',
    method: 'PATCH',
    path: `${API_PREFIX}/projects/:project/quota`,
    tag: 'quotas',
    access: 'quota.update',
    rateClass: 'api',
    status: 200,
    summary: "Change a project's limits, within its organization's; lowering below the use harms nothing running",
    params: projectParams,
    body: changes,
    response: stateSchema,
  }),
  organizationQuotaGet: defineRoute({
    id: 'organizations.quota.get',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/quota`,
    tag: 'quotas',
    access: 'quota.read',
    rateClass: 'api',
    status: 200,
    summary: 'Limits and use of an organization, and of each of its projects',
    params: organizationParams,
    response: stateSchema.extend({
      projects: z.array(
        stateSchema.extend({ project: z.object({ id: idSchema('prj'), name: z.string(), title: z.string() }) }),
      ),
    }),
  }),
  platformQuotaGet: defineRoute({
    id: 'platform.quota.get',
    method: 'GET',
    path: `${API_PREFIX}/platform/organizations/:organization/quota`,
    tag: 'quotas',
    access: 'platform.quota.read',
    rateClass: 'api',
    status: 200,
    summary: 'Limits and use of any organization',
    params: organizationParams,
    response: stateSchema,
  }),
  platformQuotaUpdate: defineRoute({
    id: 'platform.quota.update',
    method: 'PATCH',
    path: `${API_PREFIX}/platform/organizations/:organization/quota`,
    tag: 'quotas',
    access: 'platform.quota.update',
    rateClass: 'api',
    status: 200,
    summary: "Change an organization's limits; lowering below the use blocks new things and harms nothing running",
    params: organizationParams,
    body: changes,
    response: stateSchema,
  }),
} as const;
