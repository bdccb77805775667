/**
 * Live hints by Server-Sent Events. The SSE `id:` is the outbox number (send it back as Last-Event-ID), `event:` is
 * `change`, data is one hint. Hints are never data: refetch what they name. `event: resync` means "refetch everything".
 */
import { z } from 'zod';
import { eventKinds } from '#domain/events.ts';
import { API_PREFIX, idSchema } from './common.ts';
import { defineRoute } from './route.ts';

export const eventSchema = z.object({
  kind: z.enum(eventKinds),
  id: z.string(),
  project: z.string().nullable(),
  instance: z.string().nullable(),
  version: z.number().int(),
});
export type Event = z.output<typeof eventSchema>;

export const eventRoutes = {
  events: defineRoute({
    id: 'events.stream',
    method: 'GET',
    path: `${API_PREFIX}/events`,
    tag: 'events',
    access: 'self',
    anyScopes: true,
    rateClass: 'api',
    status: 200,
    produces: 'stream',
    summary: 'Live hints about everything the caller may see',
    query: z.object({ project: idSchema('prj').optional() }),
    response: eventSchema,
  }),
} as const;
