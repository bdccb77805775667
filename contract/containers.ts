/** Docker inside a server: its containers, what they use, and what lies about. Stacks are in stacks.ts. */
import { z } from 'zod';
import { cleanParts, containerActions, dockerStates } from '#domain/stacks.ts';
import { API_PREFIX, containerIdSchema, idSchema } from './common.ts';
import { acceptedSchema } from './instances.ts';
import { defineRoute } from './route.ts';

export const containerSchema = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string(),
  state: z.string(),
  status: z.string(),
  ports: z.string(),
  /** Name of its stack and of its service there; empty when it belongs to none. */
  stack: z.string(),
  service: z.string(),
});
export type ContainerItem = z.output<typeof containerSchema>;

const instanceParams = z.object({ instance: idSchema('ins') });
const tag = 'stacks';
const common = { tag, rateClass: 'api' } as const;

export const containerRoutes = {
  instancesContainers: defineRoute({
    ...common,
    id: 'instances.containers',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/containers`,
    access: 'instance.inspect',
    status: 200,
    summary: 'Containers of the Docker Engine inside a server',
    params: instanceParams,
    response: z.object({ items: z.array(containerSchema) }),
  }),
  containersUsage: defineRoute({
    ...common,
    id: 'containers.usage',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/containers/usage`,
    access: 'instance.inspect',
    status: 200,
    summary: 'What each running container uses now',
    description: 'Measured inside when it is asked for, which takes about two seconds.',
    params: instanceParams,
    response: z.object({
      items: z.array(
        z.object({
          id: z.string(),
          /** Of one processor: two busy ones are 200. */
          cpuPercent: z.number(),
          memoryBytes: z.number().int(),
          memoryLimitBytes: z.number().int().nullable(),
          processes: z.number().int(),
        }),
      ),
    }),
  }),
  containersAct: defineRoute({
    ...common,
    id: 'containers.act',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/containers/:container/:action`,
    access: 'stack.write',
    status: 200,
    summary: 'Start, stop or restart one container',
    params: z.object({
      instance: idSchema('ins'),
      container: containerIdSchema,
      action: z.enum(containerActions),
    }),
    response: z.object({ done: z.literal(true) }),
  }),
  dockerUsage: defineRoute({
    ...common,
    id: 'docker.usage',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/docker`,
    access: 'stack.open',
    status: 200,
    summary: 'What Docker keeps inside, and what of it nobody uses',
    params: instanceParams,
    response: z.object({
      state: z.enum(dockerStates),
      /** Empty while Docker does not run. Of networks only the unused ones are counted. */
      parts: z.array(
        z.object({
          part: z.enum(cleanParts),
          count: z.number().int(),
          unused: z.number().int(),
          bytes: z.number().int(),
          reclaimableBytes: z.number().int(),
        }),
      ),
      can: z.object({ clean: z.union([z.literal(true), z.string()]) }),
    }),
  }),
  dockerClean: defineRoute({
    ...common,
    id: 'docker.clean',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/docker/clean`,
    access: 'stack.write',
    status: 202,
    summary: 'Remove what nobody uses inside: stopped containers, networks, images, build cache, volumes',
    description: 'The message of its last step says how much was freed.',
    params: instanceParams,
    body: z.strictObject({
      parts: z
        .array(z.enum(cleanParts))
        .min(1)
        .max(cleanParts.length)
        .refine((parts) => new Set(parts).size === parts.length, 'Each once.'),
    }),
    response: acceptedSchema,
  }),
} as const;
