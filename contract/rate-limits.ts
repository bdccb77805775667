/** Limits on calls, for the administrators of the installation. */
import { z } from 'zod';
import { RATE_LIMIT_MAX, type RateLimitName, rateLimitNames } from '#domain/rate-limits.ts';
import { API_PREFIX } from './common.ts';
import { defineRoute } from './route.ts';

const limit = z.number().int().min(1).max(RATE_LIMIT_MAX);
const of = <T extends z.ZodType>(schema: T) =>
  Object.fromEntries(rateLimitNames.map((name) => [name, schema])) as Record<RateLimitName, T>;

/** Null: back to what the installation started with. */
const changes = z.strictObject(of(limit.nullable().optional()));

const answer = z.object({
  items: z.array(
    z.object({
      name: z.enum(rateLimitNames as [RateLimitName, ...RateLimitName[]]),
      title: z.string(),
      limit,
      windowSeconds: z.number().int(),
      initial: limit.meta({ description: 'Without a change by an administrator' }),
    }),
  ),
});
export type RateLimitItem = z.output<typeof answer>['items'][number];

export const rateLimitRoutes = {
  rateLimitsGet: defineRoute({
    id: 'platform.rate-limits.get',
    method: 'GET',
    path: `${API_PREFIX}/platform/rate-limits`,
    tag: 'platform',
    access: 'platform.settings.read',
    rateClass: 'api',
    status: 200,
    summary: 'How often somebody may call',
    response: answer,
  }),
  rateLimitsUpdate: defineRoute({
    id: 'platform.rate-limits.update',
    method: 'PATCH',
    path: `${API_PREFIX}/platform/rate-limits`,
    tag: 'platform',
    access: 'platform.settings.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change limits on calls; in force within seconds, on every replica',
    body: changes,
    response: answer,
  }),
} as const;
