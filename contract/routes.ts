/** Routes: a host name that leads to a port of an instance. */
import { z } from 'zod';
import { hostnameProblem } from '#domain/names.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const routeVisibilities = ['private', 'public'] as const;

export const routeSchema = z.object({
  id: idSchema('rte'),
  project: idSchema('prj'),
  instance: idSchema('ins'),
  instanceName: z.string(),
  hostname: z.string(),
  /** `screen`: the desktop's screen page; `port`: a port inside the instance. */
  target: z.enum(['port', 'screen']),
  /** Null for `screen`. */
  port: z.number().int().nullable(),
  visibility: z.enum(routeVisibilities),
  /** The platform name made with the instance; follows its name. */
  primary: z.boolean(),
  url: z.string(),
  createdAt: timestamp,
  can: z.object({ update: abilitySchema, delete: abilitySchema }),
});
export type Route = z.output<typeof routeSchema>;

const hostnameSchema = z
  .string()
  .trim()
  .toLowerCase()
  .max(253)
  .superRefine((value, context) => {
    const problem = hostnameProblem(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });
const portSchema = z.number().int().min(1).max(65535);
const tag = 'routes';

export const routeRoutes = {
  routesListProject: defineRoute({
    id: 'routes.listProject',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/routes`,
    tag,
    access: 'route.read',
    rateClass: 'api',
    status: 200,
    summary: 'Routes of a project',
    params: z.object({ project: idSchema('prj') }),
    query: z.object(pageQuery),
    response: pageOf(routeSchema),
  }),
  routesList: defineRoute({
    id: 'routes.list',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/routes`,
    tag,
    access: 'route.read',
    rateClass: 'api',
    status: 200,
    summary: 'Routes of an instance',
    params: z.object({ instance: idSchema('ins') }),
    response: z.object({ items: z.array(routeSchema) }),
  }),
  routesCreate: defineRoute({
    id: 'routes.create',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/routes`,
    tag,
    access: 'route.create',
    rateClass: 'api',
    status: 201,
    summary: 'Add a route; it works at once',
    description: 'The host name must be a free name directly under the platform domain.',
    params: z.object({ instance: idSchema('ins') }),
    body: z.strictObject({
      hostname: hostnameSchema,
      port: portSchema,
      visibility: z.enum(routeVisibilities).default('private'),
    }),
    response: routeSchema,
  }),
  routesUpdate: defineRoute({
    id: 'routes.update',
    method: 'PATCH',
    path: `${API_PREFIX}/routes/:route`,
    tag,
    access: 'route.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change port or visibility',
    params: z.object({ route: idSchema('rte') }),
    body: z.strictObject({ port: portSchema.optional(), visibility: z.enum(routeVisibilities).optional() }),
    response: routeSchema,
  }),
  routesDelete: defineRoute({
    id: 'routes.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/routes/:route`,
    tag,
    access: 'route.delete',
    rateClass: 'api',
    status: 204,
    summary: 'Remove a route',
    params: z.object({ route: idSchema('rte') }),
  }),
} as const;
