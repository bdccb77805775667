/** The audit log: every change and every sign-in. */
import { z } from 'zod';
import { API_PREFIX, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const auditEntrySchema = z.object({
  id: idSchema('aud'),
  at: timestamp,
  actorKind: z.enum(['user', 'token', 'workflow', 'system', 'anonymous']),
  actor: z.string(),
  action: z.string(),
  targetKind: z.string(),
  targetId: z.string().nullable(),
  target: z.string(),
  result: z.enum(['ok', 'refused', 'failed']),
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
  requestId: z.string().nullable(),
  before: z.unknown(),
  after: z.unknown(),
});
export type AuditEntry = z.output<typeof auditEntrySchema>;

const query = z.object({
  ...pageQuery,
  action: z.string().max(60).optional(),
  actor: z.string().max(254).optional(),
  target: z.string().max(100).optional(),
  since: timestamp.optional(),
  until: timestamp.optional(),
});

export const auditRoutes = {
  auditList: defineRoute({
    id: 'audit.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/audit`,
    tag: 'audit',
    access: 'audit.read',
    rateClass: 'api',
    status: 200,
    summary: 'Audit log of an organization, newest first',
    params: z.object({ organization: idSchema('org') }),
    query,
    response: pageOf(auditEntrySchema),
  }),
  activityList: defineRoute({
    id: 'activity.list',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/activity`,
    tag: 'audit',
    access: 'project.read',
    rateClass: 'api',
    status: 200,
    summary: 'Recent changes in a project, without addresses and bodies',
    params: z.object({ project: idSchema('prj') }),
    query: z.object({ ...pageQuery, instance: idSchema('ins').optional() }),
    response: pageOf(
      z.object({
        id: idSchema('aud'),
        at: timestamp,
        actor: z.string(),
        action: z.string(),
        target: z.string(),
        targetId: z.string().nullable(),
        result: z.enum(['ok', 'refused', 'failed']),
      }),
    ),
  }),
} as const;
