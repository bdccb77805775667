/** The image cache that the Docker inside servers pulls through, for the administrators of the installation. */
import { z } from 'zod';
import { DOCKER_HUB, registryBytes, registryStates } from '#domain/registry.ts';
import { API_PREFIX, timestamp } from './common.ts';
import { registryImageSchema, registryUpstreamSchema } from './registry-process.ts';
import { defineRoute } from './route.ts';

const CA_LENGTH_MAX = 32_768;
const count = z.number().min(0);

const limitSchema = z.object({
  limit: count,
  remaining: count,
  windowSeconds: count.nullable(),
  at: timestamp,
  /** Few are left: what is not cached may not come for a while. */
  low: z.boolean(),
});

export const registryStatusSchema = z.object({
  seenAt: timestamp,
  state: z.enum(registryStates),
  problem: z.string().nullable(),
  upstreamProblem: z.string().nullable(),
  usedBytes: count,
  images: z.array(registryImageSchema).meta({ description: 'The last used first' }),
  /** Since when the figures below count. */
  since: timestamp,
  hits: count,
  misses: count,
  hitRate: z.number().min(0).max(1).nullable(),
  servedBytes: count,
  fetchedBytes: count,
  savedBytes: count,
  evictedBytes: count,
  limit: limitSchema.nullable().meta({ description: 'What upstream said last of its own limit' }),
  mirrors: z.object({ using: count, theirs: count }).meta({
    description: 'Servers that use the cache, and those whose people have arranged it otherwise',
  }),
});

export const registrySchema = z.object({
  enabled: z.boolean(),
  upstream: z.string(),
  username: z.string().nullable(),
  hasPassword: z.boolean(),
  caCertificate: z.string().nullable(),
  bytesMax: count,
  status: registryStatusSchema.nullable(),
});
export type RegistryCache = z.output<typeof registrySchema>;

const shared = { tag: 'platform', rateClass: 'api', path: `${API_PREFIX}/platform/registry` } as const;
const line = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\r\n]*$/, 'one line');

export const registryRoutes = {
  registryGet: defineRoute({
    ...shared,
    id: 'platform.registry.get',
    method: 'GET',
    access: 'platform.registry.read',
    status: 200,
    summary: 'The image cache: how it is set, what is in it, what it saves',
    response: registrySchema,
  }),
  registryUpdate: defineRoute({
    ...shared,
    id: 'platform.registry.update',
    method: 'PUT',
    access: 'platform.registry.update',
    status: 200,
    summary: 'Switch the image cache on or off, and say where it gets images from',
    description:
      'Whoever has a server can pull through it with this user: take an account that reads nothing private. The password is never answered.',
    severalLines: ['caCertificate'],
    body: z.strictObject({
      enabled: z.boolean(),
      upstream: registryUpstreamSchema.default(DOCKER_HUB),
      username: line.nullable().default(null),
      password: line
        .nullable()
        .optional()
        .meta({ description: 'Absent: stays as it is, as long as upstream and user do' }),
      caCertificate: z
        .string()
        .trim()
        .max(CA_LENGTH_MAX)
        .startsWith('-----BEGIN CERTIFICATE-----')
        .nullable()
        .default(null)
        .meta({ description: 'PEM of an authority of your own; null: those that everybody trusts' }),
      bytesMax: z.number().int().min(registryBytes.min).max(registryBytes.max).default(registryBytes.default),
    }),
    response: registrySchema,
  }),
  registryEmpty: defineRoute({
    ...shared,
    id: 'platform.registry.empty',
    method: 'POST',
    path: `${API_PREFIX}/platform/registry/empty`,
    access: 'platform.registry.update',
    status: 204,
    summary: 'Remove every image from the cache',
  }),
} as const;
