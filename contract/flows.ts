/** What left the instances of a project: destinations, bytes, verdicts. */
import { z } from 'zod';
import { FLOW_DAYS_KEPT, FLOW_TOP_MAX, flowProtocols, flowVerdicts } from '#domain/flows.ts';
import { API_PREFIX, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const flowSchema = z.object({
  instance: z.object({ id: idSchema('ins'), name: z.string() }),
  /** Null: destinations beyond the bound of that hour, together. */
  address: z.string().nullable(),
  name: z
    .string()
    .nullable()
    .meta({ description: 'What the instance had asked the resolver for; null: it had not asked' }),
  protocol: z.enum(flowProtocols),
  port: z.number().int().nullable(),
  verdict: z.enum(flowVerdicts),
  connections: z.number().meta({ description: 'Connections that began; attempts, where denied' }),
  sentBytes: z.number(),
  receivedBytes: z.number(),
  firstAt: timestamp,
  lastAt: timestamp,
});
export type FlowRow = z.output<typeof flowSchema>;

const filter = {
  instance: idSchema('ins').optional(),
  address: z
    .string()
    .regex(/^[0-9a-fA-F:.]{2,45}(?:\/\d{1,3})?$/, 'an address or range')
    .optional(),
  name: z.string().max(255).optional().meta({ description: 'Part of the name' }),
  port: z.coerce.number().int().min(1).max(65_535).optional(),
  protocol: z.enum(flowProtocols).optional(),
  verdict: z.enum(flowVerdicts).optional(),
  since: timestamp.optional(),
  until: timestamp.optional(),
};
const shared = { tag: 'egress', access: 'flow.read', rateClass: 'api', status: 200, method: 'GET' } as const;
const path = `${API_PREFIX}/projects/:project/flows` as const;
const params = z.object({ project: idSchema('prj') });

export const flowRoutes = {
  flowsList: defineRoute({
    ...shared,
    id: 'flows.list',
    path,
    summary: 'What left the instances of a project, latest first',
    description: `One row for each instance, destination, port, verdict and hour. Kept for ${FLOW_DAYS_KEPT} days.`,
    params,
    query: z.object({ ...pageQuery, ...filter }),
    response: pageOf(flowSchema),
  }),
  flowsTop: defineRoute({
    ...shared,
    id: 'flows.top',
    path: `${path}/top`,
    summary: 'Destinations with the most bytes',
    params,
    query: z.object(filter),
    response: z.object({
      items: z
        .array(
          z.object({
            destination: z.string().meta({ description: 'Name, or the address where no name is known' }),
            connections: z.number(),
            denied: z.number(),
            sentBytes: z.number(),
            receivedBytes: z.number(),
          }),
        )
        .max(FLOW_TOP_MAX),
    }),
  }),
  flowsExport: defineRoute({
    ...shared,
    id: 'flows.export',
    path: `${path}/export`,
    summary: 'Everything that left, one JSON line for each row of the list',
    produces: 'lines',
    params,
    query: z.object(filter),
    response: flowSchema,
  }),
} as const;
