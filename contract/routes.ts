/** Routes: a host name (or a path of it) that leads to a port of an instance, or elsewhere. */
import { z } from 'zod';
import { hostnameProblem } from '#domain/names.ts';
import {
  allowProblem,
  headerValueProblem,
  ROUTE_HEADERS_MAX,
  ROUTE_NETWORKS_MAX,
  ROUTE_PASSWORD_LENGTH_MAX,
  ROUTE_PASSWORD_LENGTH_MIN,
  redirectProblem,
  redirectStatuses,
  requestHeaderProblem,
  responseHeaderProblem,
  routeBodyLimits,
  routePathProblem,
  routeProtocols,
  routeTargets,
} from '#domain/route-rules.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const routeVisibilities = ['private', 'public'] as const;

/** A string that `problem` has nothing against. */
function checked(problem: (value: string) => string | null) {
  return z
    .string()
    .max(2_000)
    .superRefine((value, context) => {
      const found = problem(value);
      if (found !== null) context.addIssue({ code: 'custom', message: found });
    });
}

const bodyLimitSchema = z.union(routeBodyLimits.map((bytes) => z.literal(bytes)));
const valueSchema = checked(headerValueProblem);

const rules = {
  allow: z
    .array(checked(allowProblem))
    .max(ROUTE_NETWORKS_MAX)
    .meta({ description: 'Networks that requests may come from; empty: all' }),
  bodyBytesMax: bodyLimitSchema.nullable().meta({ description: 'Larger bodies are refused; null: no limit' }),
  protocol: z.enum(routeProtocols).meta({ description: 'How the program inside is spoken to; h2c is for gRPC' }),
  requestHeaders: z
    .array(z.strictObject({ name: checked(requestHeaderProblem), value: valueSchema }))
    .max(ROUTE_HEADERS_MAX)
    .meta({ description: 'Set on what the program inside gets; names begin with X-' }),
  responseHeaders: z
    .array(z.strictObject({ name: checked(responseHeaderProblem), value: valueSchema }))
    .max(ROUTE_HEADERS_MAX)
    .meta({ description: 'Set on answers; an empty value removes the header' }),
};
export const routeRulesSchema = z.object(rules);

const basicAuthSchema = z.strictObject({
  user: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits and . _ -'),
  password: z.string().min(ROUTE_PASSWORD_LENGTH_MIN).max(ROUTE_PASSWORD_LENGTH_MAX).meta({
    description: 'Kept as a digest; people are asked for it by their browser',
  }),
});
/** Absent members stay as they are; null takes away. */
const rulesInputSchema = z.strictObject({
  allow: rules.allow.optional(),
  bodyBytesMax: rules.bodyBytesMax.optional(),
  protocol: rules.protocol.optional(),
  requestHeaders: rules.requestHeaders.optional(),
  responseHeaders: rules.responseHeaders.optional(),
  basicAuth: basicAuthSchema.nullable().optional(),
});
export type RouteRulesInput = z.output<typeof rulesInputSchema>;
const redirectSchema = z.strictObject({
  to: checked(redirectProblem),
  status: z.union(redirectStatuses.map((status) => z.literal(status))).default(302),
});

export const routeSchema = z.object({
  id: idSchema('rte'),
  project: idSchema('prj'),
  instance: idSchema('ins'),
  instanceName: z.string(),
  hostname: z.string(),
  path: z.string().meta({ description: "Which paths of the host name: '/' is all that no other route of it covers" }),
  target: z.enum(routeTargets).meta({
    description: "screen: the desktop's screen page; port: a port inside the instance; redirect: another address",
  }),
  /** Of `port` only. */
  port: z.number().int().nullable(),
  redirect: z.object({ to: z.string(), status: z.number().int() }).nullable(),
  visibility: z.enum(routeVisibilities),
  /** The platform name made with the instance; follows its name. */
  primary: z.boolean(),
  domain: idSchema('dom').nullable().meta({ description: 'The domain it hangs on; null under the platform domain' }),
  rules: routeRulesSchema.extend({
    basicAuth: z.object({ user: z.string() }).nullable().meta({ description: 'The password is never answered' }),
  }),
  certificate: z
    .object({
      state: z.enum(['valid', 'none']),
      issuer: z.string().nullable(),
      expiresAt: timestamp.nullable(),
      problem: z.string().nullable(),
      checkedAt: timestamp,
    })
    .nullable()
    .meta({ description: 'What was last seen of it; null: nobody has looked' }),
  url: z.string(),
  createdAt: timestamp,
  can: z.object({ update: abilitySchema, delete: abilitySchema, check: abilitySchema }),
});
export type Route = z.output<typeof routeSchema>;

export const hostnameSchema = z
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
    description:
      'The host name is a free name directly under the platform domain, or on a proven domain of the project. It leads to a port, or is redirected (`redirect`). Of several paths of a host name the longest that fits counts; they all belong to one instance.',
    params: z.object({ instance: idSchema('ins') }),
    body: z.strictObject({
      hostname: hostnameSchema,
      path: checked(routePathProblem).default('/'),
      port: portSchema.optional(),
      redirect: redirectSchema.optional(),
      visibility: z.enum(routeVisibilities).default('private'),
      rules: rulesInputSchema.optional(),
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
    summary: 'Change where a route leads, who may open it, and its rules',
    params: z.object({ route: idSchema('rte') }),
    body: z.strictObject({
      port: portSchema.optional(),
      redirect: redirectSchema.optional(),
      visibility: z.enum(routeVisibilities).optional(),
      rules: rulesInputSchema.optional(),
    }),
    response: routeSchema,
  }),
  routesCheck: defineRoute({
    id: 'routes.check',
    method: 'POST',
    path: `${API_PREFIX}/routes/:route/check`,
    tag,
    access: 'route.update',
    rateClass: 'provisioning',
    status: 200,
    summary: "Look at the certificate of a route's host name now",
    description: 'As a visitor would: one that does not exist yet is made on the way.',
    params: z.object({ route: idSchema('rte') }),
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
