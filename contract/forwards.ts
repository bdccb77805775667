/** Port forwards: a TCP or UDP port of the host that leads to a port of an instance. */
import { z } from 'zod';
import { forwardProtocols, forwardStates } from '#domain/forwards.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const forwardSchema = z.object({
  id: idSchema('fwd'),
  project: idSchema('prj'),
  instance: idSchema('ins'),
  instanceName: z.string(),
  protocol: z.enum(forwardProtocols),
  /** Port of the host; unique for its protocol. */
  hostPort: z.number().int(),
  /** Port inside the instance. */
  port: z.number().int(),
  description: z.string(),
  /** `host:port`, to hand out. */
  address: z.string(),
  state: z.enum(forwardStates),
  /** Why it does not work; null when it does. */
  problem: z.string().nullable(),
  createdAt: timestamp,
  can: z.object({ update: abilitySchema, delete: abilitySchema }),
});
export type Forward = z.output<typeof forwardSchema>;

const portSchema = z.number().int().min(1).max(65_535);
const noteSchema = z.string().trim().max(200);
const tag = 'forwards';

export const forwardRoutes = {
  forwardsListProject: defineRoute({
    id: 'forwards.listProject',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/forwards`,
    tag,
    access: 'forward.read',
    rateClass: 'api',
    status: 200,
    summary: 'Port forwards of a project',
    params: z.object({ project: idSchema('prj') }),
    query: z.object(pageQuery),
    response: pageOf(forwardSchema),
  }),
  forwardsList: defineRoute({
    id: 'forwards.list',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/forwards`,
    tag,
    access: 'forward.read',
    rateClass: 'api',
    status: 200,
    summary: 'Port forwards of an instance',
    params: z.object({ instance: idSchema('ins') }),
    response: z.object({ items: z.array(forwardSchema) }),
  }),
  forwardsCreate: defineRoute({
    id: 'forwards.create',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/forwards`,
    tag,
    access: 'forward.create',
    rateClass: 'api',
    status: 201,
    summary: 'Forward a port of the host to an instance',
    description: 'Without hostPort the next free one of the pool is taken.',
    params: z.object({ instance: idSchema('ins') }),
    body: z.strictObject({
      protocol: z.enum(forwardProtocols),
      port: portSchema,
      hostPort: portSchema.optional(),
      description: noteSchema.default(''),
    }),
    response: forwardSchema,
  }),
  forwardsUpdate: defineRoute({
    id: 'forwards.update',
    method: 'PATCH',
    path: `${API_PREFIX}/forwards/:forward`,
    tag,
    access: 'forward.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change the port inside, or the description',
    params: z.object({ forward: idSchema('fwd') }),
    body: z.strictObject({ port: portSchema.optional(), description: noteSchema.optional() }),
    response: forwardSchema,
  }),
  forwardsDelete: defineRoute({
    id: 'forwards.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/forwards/:forward`,
    tag,
    access: 'forward.delete',
    rateClass: 'api',
    status: 204,
    summary: 'Close a port forward; its port becomes free',
    params: z.object({ forward: idSchema('fwd') }),
  }),
} as const;
