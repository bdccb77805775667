/** Images: what instances are made from. Only allow-listed fingerprints are ever started. */
import { z } from 'zod';
import { API_PREFIX, abilitySchema, idSchema, timestamp } from './common.ts';
import { acceptedSchema, instanceKindSchema } from './instances.ts';
import { defineRoute } from './route.ts';

export const imageSchema = z.object({
  id: idSchema('img'),
  name: z.string(),
  kind: instanceKindSchema,
  title: z.string(),
  source: z.enum(['recipe', 'file', 'server']),
  state: z.enum(['absent', 'queued', 'building', 'ready', 'failed']),
  /** sha256; null until built. */
  fingerprint: z.string().nullable(),
  sizeBytes: z.number().nullable(),
  /** True when the recipe changed since this was built. */
  outdated: z.boolean(),
  builtAt: timestamp.nullable(),
  error: z.string().nullable(),
  operation: z
    .object({ id: idSchema('opr'), percent: z.number().nullable(), message: z.string().nullable() })
    .nullable(),
  instances: z.number().int(),
  can: z.object({ build: abilitySchema, delete: abilitySchema }),
});
export type Image = z.output<typeof imageSchema>;

const imageParams = z.object({ image: idSchema('img') });
const tag = 'images';

export const imageRoutes = {
  imagesList: defineRoute({
    id: 'images.list',
    method: 'GET',
    path: `${API_PREFIX}/images`,
    tag,
    access: 'platform.image.read',
    rateClass: 'api',
    status: 200,
    summary: 'Images and recipes',
    response: z.object({ items: z.array(imageSchema) }),
  }),
  imagesBuild: defineRoute({
    id: 'images.build',
    method: 'POST',
    path: `${API_PREFIX}/images/:image/build`,
    tag,
    access: 'platform.image.build',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Build an image from its recipe; joins a build that already runs',
    params: imageParams,
    body: z.strictObject({ force: z.boolean().default(false) }).default({ force: false }),
    response: acceptedSchema,
  }),
  imagesImport: defineRoute({
    id: 'images.import',
    method: 'POST',
    path: `${API_PREFIX}/images`,
    tag,
    access: 'platform.image.import',
    rateClass: 'provisioning',
    status: 202,
    summary: "Import an image from the host's import folder or an image server and allow it",
    body: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('file'),
        path: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a bare file name in the import folder'),
        name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
        kind: instanceKindSchema,
        title: z.string().max(120),
      }),
      z.strictObject({
        type: z.literal('server'),
        url: z.url({ protocol: /^https$/ }).max(500),
        protocol: z.enum(['simplestreams', 'incus']),
        alias: z.string().max(200),
        name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
        kind: instanceKindSchema,
        title: z.string().max(120),
      }),
    ]),
    response: acceptedSchema,
  }),
  imagesDelete: defineRoute({
    id: 'images.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/images/:image`,
    tag,
    access: 'platform.image.delete',
    rateClass: 'api',
    status: 202,
    summary: 'Remove an image from the allow-list and the engine',
    params: imageParams,
    response: acceptedSchema,
  }),
} as const;
