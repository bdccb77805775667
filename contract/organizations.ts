/** Organizations, projects and quotas. */
import { z } from 'zod';
import { API_PREFIX, idSchema, nameSchema, timestamp, titleSchema } from './common.ts';
import { defineRoute } from './route.ts';

export const quotaSchema = z.object({
  instances: z.number().int().min(0).max(100_000),
  cpus: z.number().int().min(0).max(100_000),
  memoryBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  diskBytes: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  routes: z.number().int().min(0).max(1_000_000),
  snapshots: z.number().int().min(0).max(1_000_000),
});

export const organizationSchema = z.object({
  id: idSchema('org'),
  name: z.string(),
  title: z.string(),
  createdAt: timestamp,
});
export const projectSchema = z.object({
  id: idSchema('prj'),
  organization: idSchema('org'),
  name: z.string(),
  title: z.string(),
  createdAt: timestamp,
});

const projectParams = z.object({ project: idSchema('prj') });
const organizationParams = z.object({ organization: idSchema('org') });

export const organizationRoutes = {
  organizationsGet: defineRoute({
    id: 'organizations.get',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization`,
    tag: 'organizations',
    access: 'organization.read',
    rateClass: 'api',
    status: 200,
    summary: 'One organization',
    params: organizationParams,
    response: organizationSchema,
  }),
  organizationsUpdate: defineRoute({
    id: 'organizations.update',
    method: 'PATCH',
    path: `${API_PREFIX}/organizations/:organization`,
    tag: 'organizations',
    access: 'organization.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change the title',
    params: organizationParams,
    body: z.strictObject({ title: titleSchema }),
    response: organizationSchema,
  }),
  organizationsCreate: defineRoute({
    id: 'organizations.create',
    method: 'POST',
    path: `${API_PREFIX}/organizations`,
    tag: 'organizations',
    access: 'platform.organization.create',
    rateClass: 'api',
    status: 201,
    summary: 'Create an organization with a first project; the caller becomes owner',
    body: z.strictObject({ name: nameSchema, title: titleSchema }),
    response: organizationSchema,
  }),
  projectsList: defineRoute({
    id: 'projects.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/projects`,
    tag: 'projects',
    access: 'organization.read',
    rateClass: 'api',
    status: 200,
    summary: 'Projects of an organization',
    params: organizationParams,
    response: z.object({ items: z.array(projectSchema) }),
  }),
  projectsCreate: defineRoute({
    id: 'projects.create',
    method: 'POST',
    path: `${API_PREFIX}/organizations/:organization/projects`,
    tag: 'projects',
    access: 'project.create',
    rateClass: 'api',
    status: 201,
    summary: 'Create a project',
    params: organizationParams,
    body: z.strictObject({ name: nameSchema, title: titleSchema }),
    response: projectSchema,
  }),
  projectsGet: defineRoute({
    id: 'projects.get',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project`,
    tag: 'projects',
    access: 'project.read',
    rateClass: 'api',
    status: 200,
    summary: 'One project',
    params: projectParams,
    response: projectSchema,
  }),
  quotaGet: defineRoute({
    id: 'quota.get',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/quota`,
    tag: 'projects',
    access: 'quota.read',
    rateClass: 'api',
    status: 200,
    summary: 'Limits and use',
    params: projectParams,
    response: z.object({ limit: quotaSchema, used: quotaSchema }),
  }),
  quotaUpdate: defineRoute({
    id: 'quota.update',
    method: 'PATCH',
    path: `${API_PREFIX}/projects/:project/quota`,
    tag: 'projects',
    access: 'platform.quota.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change limits; lowering below the use blocks new things and harms nothing running',
    params: projectParams,
    body: quotaSchema.partial().strict(),
    response: z.object({ limit: quotaSchema, used: quotaSchema }),
  }),
} as const;
