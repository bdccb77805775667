/**
 * What the agent and the image cache it runs say to each other, one JSON value a line: settings go in on stdin, facts come
 * out on stdout. The cache ends when its stdin does.
 */
import { z } from 'zod';
import { REGISTRY_BYTES_FLOOR, registryBytes, registryStates, upstreamAbility } from '#domain/registry.ts';

export const registryUpstreamSchema = z
  .string()
  .max(300)
  .superRefine((value, context) => {
    const able = upstreamAbility(value);
    if (able !== true) context.addIssue({ code: 'custom', message: able });
  });
const account = z.string().max(300);

/** What the control plane wants of the cache of a host. */
export const registrySpecSchema = z.strictObject({
  enabled: z.boolean(),
  upstream: registryUpstreamSchema,
  login: z.strictObject({ username: account.min(1), password: account.min(1) }).nullable(),
  caCertificate: z.string().max(32_768).nullable(),
  bytesMax: z.number().int().min(REGISTRY_BYTES_FLOOR).max(registryBytes.max),
  /** Counted up by whoever wants the cache emptied. */
  emptied: z.number().int().min(0),
});
export type RegistrySpec = z.output<typeof registrySpecSchema>;

/** A line on stdin. `listen`: gateways of the networks of guests. */
export const registryOrderSchema = z.strictObject({
  spec: registrySpecSchema,
  listen: z.array(z.ipv4()).max(10_000),
  port: z.number().int().min(1).max(65_535),
  program: z.string(),
  dataDir: z.string(),
});
export type RegistryOrder = z.output<typeof registryOrderSchema>;

const count = z.number().min(0);
const words = z.string().max(500);

export const registryImageSchema = z.object({
  name: z.string().max(300),
  tag: z.string().max(200),
  digest: z.string().max(100),
  bytes: count,
  lastUsedAt: z.iso.datetime().nullable(),
});
export type RegistryImage = z.output<typeof registryImageSchema>;

/** A line on stdout. */
export const registryFactsSchema = z.object({
  state: z.enum(registryStates),
  problem: words.nullable(),
  /** Why upstream does not answer as it should; null when it did at the last try. */
  upstreamProblem: words.nullable(),
  usedBytes: count,
  images: z.array(registryImageSchema).max(200),
  /** Since when it counts. */
  since: z.iso.datetime(),
  hits: count,
  misses: count,
  servedBytes: count,
  fetchedBytes: count,
  evictedBytes: count,
  limit: z.object({ limit: count, remaining: count, windowSeconds: count.nullable(), at: z.iso.datetime() }).nullable(),
});
export type RegistryFacts = z.output<typeof registryFactsSchema>;

/** What the cache says: how it is, or why it is not. */
export const registryReportSchema = z.union([registryFactsSchema, z.object({ failed: words })]);

/** A longer line is not read. */
export const REGISTRY_LINE_BYTES_MAX = 512 * 1024;
