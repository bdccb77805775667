/** The audit log: every change and every sign-in, in a chain that proves itself. */
import { z } from 'zod';
import {
  AUDIT_RETENTION_DAYS_MAX,
  AUDIT_RETENTION_DAYS_MIN,
  auditActorKinds,
  auditResults,
  PLATFORM_CHAIN,
} from '#domain/audit.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const auditEntrySchema = z.object({
  id: idSchema('aud'),
  position: z.number().int().nullable().meta({ description: 'Number in the chain of this log' }),
  at: timestamp,
  actorKind: z.enum(auditActorKinds),
  actorId: z.string().nullable(),
  actor: z.string(),
  action: z.string(),
  targetKind: z.string(),
  targetId: z.string().nullable(),
  target: z.string(),
  result: z.enum(auditResults),
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
  requestId: z.string().nullable(),
  before: z.unknown(),
  after: z.unknown(),
});
export type AuditEntry = z.output<typeof auditEntrySchema>;

const link = z.string().meta({ description: 'SHA-256 in hexadecimal' });
const key = z.string().meta({ description: 'Thumbprint (RFC 7638) of the key that signed' });

/** As it is signed: keep it elsewhere, and no end of the log can be cut off unseen. */
export const auditHeadSchema = z.object({
  at: timestamp,
  chain: z.string(),
  key,
  link,
  position: z.number().int(),
  signature: z.string(),
});

export const auditStateSchema = z.object({
  chain: z.string().meta({ description: `Id of the organization, or "${PLATFORM_CHAIN}"` }),
  entries: z.number().int().meta({ description: 'How many there ever were; the number of the newest' }),
  first: z.number().int().meta({ description: 'Number of the oldest that is still there' }),
  head: auditHeadSchema.nullable().meta({ description: 'The newest signed head' }),
  verifiedTo: z.number().int().meta({ description: 'Up to here the server itself found everything in order' }),
  verifiedAt: timestamp.nullable(),
  problem: z.object({ position: z.number().int(), message: z.string() }).nullable(),
  retentionDays: z.number().int().nullable().meta({ description: 'Null: nothing is ever removed' }),
  keys: z.array(
    z.object({
      crv: z.literal('Ed25519'),
      kid: z.string(),
      kty: z.literal('OKP'),
      x: z.string(),
      retiredAt: timestamp.nullable().meta({ description: 'It signs no more since; what it signed is still checked' }),
    }),
  ),
  can: z.object({ setRetention: abilitySchema }),
});
export type AuditState = z.output<typeof auditStateSchema>;

export const deletedLogSchema = z.object({
  organization: idSchema('org'),
  name: z.string(),
  title: z.string(),
  deletedAt: timestamp,
  entries: z.number().int().meta({ description: 'How many there ever were' }),
  first: z.number().int().meta({ description: 'Number of the oldest that is still there' }),
  lastAt: timestamp.nullable().meta({ description: 'When the newest entry was written; null when none is left' }),
  retentionDays: z.number().int().nullable().meta({ description: 'Null: nothing is ever removed' }),
});
export type DeletedLog = z.output<typeof deletedLogSchema>;

const filter = {
  action: z.string().max(60).optional().meta({ description: 'Beginning of the action' }),
  actor: z.string().max(254).optional().meta({ description: 'Part of the name, or an id' }),
  target: z.string().max(100).optional().meta({ description: 'Part of the name, or an id' }),
  result: z.enum(auditResults).optional(),
  q: z.string().max(200).optional().meta({ description: 'Words that all occur somewhere in the entry' }),
  since: timestamp.optional(),
  until: timestamp.optional(),
};
const listQuery = z.object({ ...pageQuery, ...filter });
const exportQuery = z.object({ since: timestamp.optional(), until: timestamp.optional() });
const deleted = {
  organization: idSchema('org').optional().meta({ description: 'A deleted organization, instead of the installation' }),
};
const retentionBody = z
  .object({
    days: z.number().int().min(AUDIT_RETENTION_DAYS_MIN).max(AUDIT_RETENTION_DAYS_MAX).nullable(),
  })
  .strict();
const organizationParams = z.object({ organization: idSchema('org') });
const organizationPath = `${API_PREFIX}/organizations/:organization/audit` as const;
const platformPath = `${API_PREFIX}/platform/audit` as const;
const shared = { tag: 'audit', rateClass: 'api', status: 200 } as const;
const exportWords =
  'The first line is the header with keys, signed heads and tombstones, then one line for each entry. Check it with `berth audit verify`.';

export const auditRoutes = {
  auditList: defineRoute({
    ...shared,
    id: 'audit.list',
    method: 'GET',
    path: organizationPath,
    access: 'audit.read',
    summary: 'Audit log of an organization, newest first',
    description: 'Reading it is recorded: of members once an hour, of an administrator of the installation every time.',
    params: organizationParams,
    query: listQuery,
    response: pageOf(auditEntrySchema),
  }),
  auditExport: defineRoute({
    ...shared,
    id: 'audit.export',
    method: 'GET',
    path: `${organizationPath}/export`,
    access: 'audit.read',
    summary: 'Export an audit log so that it can be verified anywhere',
    description: exportWords,
    produces: 'lines',
    params: organizationParams,
    query: exportQuery,
    response: z.unknown(),
  }),
  auditState: defineRoute({
    ...shared,
    id: 'audit.state',
    method: 'GET',
    path: `${organizationPath}/state`,
    access: 'audit.read',
    summary: 'How far the audit log is signed and verified, and how long it is kept',
    params: organizationParams,
    response: auditStateSchema,
  }),
  auditRetention: defineRoute({
    ...shared,
    id: 'audit.retention',
    method: 'PATCH',
    path: `${organizationPath}/retention`,
    access: 'audit.update',
    summary: 'Change how long the audit log is kept',
    params: organizationParams,
    body: retentionBody,
    response: auditStateSchema,
  }),
  platformAuditList: defineRoute({
    ...shared,
    id: 'platform.audit.list',
    method: 'GET',
    path: platformPath,
    access: 'platform.audit.read',
    summary: 'Audit log of the installation, or of a deleted organization',
    description: 'Reading is recorded every time, in the log of the installation.',
    query: listQuery.extend(deleted),
    response: pageOf(auditEntrySchema),
  }),
  platformAuditExport: defineRoute({
    ...shared,
    id: 'platform.audit.export',
    method: 'GET',
    path: `${platformPath}/export`,
    access: 'platform.audit.read',
    summary: 'Export the audit log of the installation, or of a deleted organization',
    description: exportWords,
    produces: 'lines',
    query: exportQuery.extend(deleted),
    response: z.unknown(),
  }),
  platformAuditState: defineRoute({
    ...shared,
    id: 'platform.audit.state',
    method: 'GET',
    path: `${platformPath}/state`,
    access: 'platform.audit.read',
    summary: 'How far the audit log of the installation, or of a deleted organization, is signed and verified',
    query: z.object(deleted),
    response: auditStateSchema,
  }),
  platformAuditDeletedList: defineRoute({
    ...shared,
    id: 'platform.audit.deleted',
    method: 'GET',
    path: `${platformPath}/deleted`,
    access: 'platform.audit.read',
    summary: 'Audit logs of deleted organizations',
    description: 'They are kept for as long as the organization chose; of what is removed the signed tombstones stay.',
    query: z.object({ ...pageQuery, search: z.string().max(100).optional() }),
    response: pageOf(deletedLogSchema),
  }),
  platformAuditRetention: defineRoute({
    ...shared,
    id: 'platform.audit.retention',
    method: 'PATCH',
    path: `${platformPath}/retention`,
    access: 'platform.audit.update',
    summary: 'Change how long the audit log of the installation is kept',
    body: retentionBody,
    response: auditStateSchema,
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
