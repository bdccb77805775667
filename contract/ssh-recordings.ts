/** Recordings of SSH sessions: who is recorded, and what was. */
import { z } from 'zod';
import { SSH_RECORDING_DAYS_MAX } from '#domain/ssh-recordings.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';
import { sshAccessSchema } from './ssh-sessions.ts';

export const sshRecordingSchema = z.object({
  id: idSchema('srd'),
  user: z.object({ id: idSchema('usr'), email: z.string(), name: z.string() }),
  session: idSchema('shs'),
  address: z.string(),
  startedAt: timestamp,
  milliseconds: z.number().int(),
  sizeBytes: z.number().int(),
  /** Of the file, when the gateway ended it itself. */
  sha256: z.string().nullable(),
  /** Null: it is still being written. */
  endedAt: timestamp.nullable(),
  endReason: z.string().nullable(),
});
export type SshRecordingItem = z.output<typeof sshRecordingSchema>;

export const sshRecordingPolicySchema = z.object({
  /** Every server of the organization; else only those that say so themselves. */
  enabled: z.boolean(),
  days: z.number().int(),
  usedBytes: z.number(),
  /** No recorded session is opened until recordings are deleted. */
  full: z.boolean(),
  can: z.object({ update: abilitySchema }),
});

const ofInstance = z.object({ instance: idSchema('ins') });
const ofOrganization = z.object({ organization: idSchema('org') });
const one = ofInstance.extend({ recording: idSchema('srd') });
const base = `${API_PREFIX}/instances/:instance/ssh-recordings`;

export const sshRecordingRoutes = {
  sshRecordingSet: defineRoute({
    id: 'instances.ssh.recording.set',
    method: 'PUT',
    path: `${API_PREFIX}/instances/:instance/ssh/recording`,
    tag: 'instances',
    access: 'ssh-recording.update',
    rateClass: 'api',
    status: 200,
    summary: 'Record the SSH sessions of this server, or no more',
    description: 'Connections that are open go on as they began.',
    params: ofInstance,
    body: z.strictObject({ enabled: z.boolean() }),
    response: sshAccessSchema,
  }),
  sshRecordingsList: defineRoute({
    id: 'instances.ssh-recordings.list',
    method: 'GET',
    path: base,
    tag: 'instances',
    access: 'ssh-recording.play',
    rateClass: 'api',
    status: 200,
    summary: 'Recordings of SSH sessions, the latest first',
    params: ofInstance,
    query: z.object(pageQuery),
    response: pageOf(sshRecordingSchema).extend({ can: z.object({ delete: abilitySchema }) }),
  }),
  sshRecordingsRead: defineRoute({
    id: 'instances.ssh-recordings.read',
    method: 'GET',
    path: `${base}/:recording/content`,
    tag: 'instances',
    access: 'ssh-recording.play',
    rateClass: 'api',
    status: 200,
    summary: 'Download a recording (asciicast v2); the audit log says who did',
    params: one,
    response: z.string(),
    produces: 'bytes',
  }),
  sshRecordingsDelete: defineRoute({
    id: 'instances.ssh-recordings.delete',
    method: 'DELETE',
    path: `${base}/:recording`,
    tag: 'instances',
    access: 'ssh-recording.delete',
    rateClass: 'api',
    status: 204,
    summary: 'Delete a recording',
    params: one,
  }),
  sshRecordingPolicyGet: defineRoute({
    id: 'organizations.ssh-recording.get',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/ssh-recording`,
    tag: 'organizations',
    access: 'organization.read',
    rateClass: 'api',
    status: 200,
    summary: 'Whether the SSH sessions of all servers are recorded, and how long recordings are kept',
    params: ofOrganization,
    response: sshRecordingPolicySchema,
  }),
  sshRecordingPolicySet: defineRoute({
    id: 'organizations.ssh-recording.set',
    method: 'PUT',
    path: `${API_PREFIX}/organizations/:organization/ssh-recording`,
    tag: 'organizations',
    access: 'ssh-recording.update',
    rateClass: 'api',
    status: 200,
    summary: 'Record the SSH sessions of all servers, or no more; how long recordings are kept',
    params: ofOrganization,
    body: z.strictObject({ enabled: z.boolean(), days: z.number().int().min(1).max(SSH_RECORDING_DAYS_MAX) }),
    response: sshRecordingPolicySchema,
  }),
} as const;
