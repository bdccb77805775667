/** Hosts: the machines that run instances. */
import { z } from 'zod';
import { API_PREFIX, idSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const hostSchema = z.object({
  id: idSchema('hst'),
  name: z.string(),
  state: z.enum(['online', 'offline']),
  lastSeenAt: timestamp.nullable(),
  error: z.string().nullable(),
  engine: z.string().nullable(),
  engineVersion: z.string().nullable(),
  kernel: z.string().nullable(),
  os: z.string().nullable(),
  cpus: z.number().nullable(),
  load1: z.number().nullable(),
  memoryBytes: z.number().nullable(),
  memoryUsedBytes: z.number().nullable(),
  poolDriver: z.string().nullable(),
  poolBytes: z.number().nullable(),
  poolUsedBytes: z.number().nullable(),
  uptimeSeconds: z.number().nullable(),
  /** What this host cannot do, in plain words. */
  missing: z.array(z.string()),
  instances: z.object({ total: z.number().int(), running: z.number().int() }),
});
export type Host = z.output<typeof hostSchema>;

export const hostRoutes = {
  hostsList: defineRoute({
    id: 'hosts.list',
    method: 'GET',
    path: `${API_PREFIX}/hosts`,
    tag: 'hosts',
    access: 'platform.host.read',
    rateClass: 'api',
    status: 200,
    summary: 'Hosts with their capacity',
    response: z.object({ items: z.array(hostSchema) }),
  }),
  hostsGet: defineRoute({
    id: 'hosts.get',
    method: 'GET',
    path: `${API_PREFIX}/hosts/:host`,
    tag: 'hosts',
    access: 'platform.host.read',
    rateClass: 'api',
    status: 200,
    summary: 'One host',
    params: z.object({ host: idSchema('hst') }),
    response: hostSchema,
  }),
} as const;
