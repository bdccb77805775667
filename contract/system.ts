/** Health of the control plane itself. */
import { z } from 'zod';
import { API_PREFIX } from './common.ts';
import { defineRoute } from './route.ts';

export const systemRoutes = {
  health: defineRoute({
    id: 'system.health',
    method: 'GET',
    path: '/healthz',
    tag: 'system',
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'The process lives',
    response: z.object({ status: z.literal('ok'), version: z.string() }),
  }),
  ready: defineRoute({
    id: 'system.ready',
    method: 'GET',
    path: '/readyz',
    tag: 'system',
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Database and agent answer',
    response: z.object({ status: z.enum(['ok', 'degraded']), database: z.boolean(), agent: z.boolean() }),
  }),
  info: defineRoute({
    id: 'system.info',
    method: 'GET',
    path: `${API_PREFIX}/system`,
    tag: 'system',
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Version, domain and addresses of this installation',
    anyScopes: true,
    response: z.object({
      version: z.string(),
      domain: z.string(),
      consoleUrl: z.string(),
      instanceUrlPattern: z.string(),
      sharedKernelNotice: z.string(),
    }),
  }),
} as const;
