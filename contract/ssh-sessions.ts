/** SSH of one instance: how to get in, what it proves itself with, and who is in. */
import { z } from 'zod';
import { API_PREFIX, abilitySchema, idSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const sshAccessSchema = z.object({
  /** Null: this installation runs no SSH gateway. */
  gateway: z
    .object({
      host: z.string(),
      port: z.number().int(),
      /** Lines for known_hosts. */
      knownHosts: z.array(z.string()),
    })
    .nullable(),
  user: z.string().meta({ description: 'User name at the gateway: <server>.<project>' }),
  hostKeys: z.object({
    fingerprints: z.array(z.string()).meta({ description: 'Of the server itself, as they were pinned' }),
    pinnedAt: timestamp.nullable(),
    /** What it came with when it was something else; nobody gets in until somebody accepts it. */
    refused: z.object({ fingerprint: z.string(), at: timestamp }).nullable(),
  }),
  /** Whether shells (with a terminal) are recorded, and by whose word. */
  recording: z.object({
    server: z.boolean(),
    organization: z.boolean(),
    days: z.number().int(),
    /** No recorded shell is opened until recordings are deleted. */
    full: z.boolean(),
    can: z.object({ play: abilitySchema, update: abilitySchema }),
  }),
});

export const sshSessionSchema = z.object({
  id: idSchema('shs'),
  user: z.object({ id: idSchema('usr'), email: z.string(), name: z.string() }),
  method: z.enum(['key', 'password']),
  keyLabel: z.string().nullable(),
  address: z.string(),
  client: z.string(),
  startedAt: timestamp,
  bytesIn: z.number(),
  bytesOut: z.number(),
  endedAt: timestamp.nullable(),
  endReason: z.string().nullable(),
  /** Something of it was, or is being, recorded. */
  recorded: z.boolean(),
  /** The end was asked for and comes within a second. */
  ending: z.boolean(),
});

const tag = 'instances';
const params = z.object({ instance: idSchema('ins') });

export const sshSessionRoutes = {
  sshAccess: defineRoute({
    id: 'instances.ssh',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/ssh`,
    tag,
    access: 'instance.ssh',
    rateClass: 'api',
    status: 200,
    summary: 'How to reach it by SSH, and its host keys',
    params,
    response: sshAccessSchema,
  }),
  sshHostKeysAccept: defineRoute({
    id: 'instances.ssh.host-keys.accept',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/ssh/host-keys`,
    tag,
    access: 'instance.update',
    rateClass: 'api',
    status: 200,
    summary: 'Read its host keys anew, through the engine, and pin them',
    params,
    body: z.strictObject({}),
    response: sshAccessSchema,
  }),
  sshSessionsList: defineRoute({
    id: 'instances.ssh-sessions.list',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/ssh-sessions`,
    tag,
    access: 'instance.ssh',
    rateClass: 'api',
    status: 200,
    summary: 'Who is or was connected by SSH, living ones first',
    description: 'Whoever may not see those of others (`ssh-session.read`) gets their own.',
    params,
    response: z.object({ items: z.array(sshSessionSchema) }),
  }),
  sshSessionsEnd: defineRoute({
    id: 'instances.ssh-sessions.end',
    method: 'DELETE',
    path: `${API_PREFIX}/instances/:instance/ssh-sessions/:session`,
    tag,
    access: 'instance.ssh',
    rateClass: 'api',
    status: 204,
    summary: 'End a connection; those of others need `ssh-session.end`',
    params: params.extend({ session: idSchema('shs') }),
  }),
} as const;
