/** Keys of the installation: what signs tokens, what seals secrets, and the public keys for those who check tokens. */
import { z } from 'zod';
import { signingPurposes } from '#domain/keys.ts';
import { API_PREFIX, idSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const JWKS_PATH = '/.well-known/jwks.json';

export const keysSchema = z.object({
  signing: z.array(
    z.object({
      id: idSchema('key'),
      purpose: z.enum(signingPurposes),
      state: z
        .enum(['waiting', 'signing', 'verifying'])
        .meta({ description: 'Published and not used yet; signs now; only checks what it signed' }),
      createdAt: timestamp,
      activeFrom: timestamp,
      expiresAt: timestamp.nullable(),
    }),
  ),
  sealing: z.array(
    z.object({
      id: z.string(),
      state: z.enum(['next', 'current', 'old']),
      createdAt: timestamp,
      secrets: z.number().int().meta({ description: 'Secrets in the database that are sealed with it' }),
    }),
  ),
  audit: z
    .array(
      z.object({
        id: z.string().meta({ description: 'Thumbprint (RFC 7638)' }),
        state: z.enum(['signing', 'retired']),
        createdAt: timestamp,
        retiredAt: timestamp.nullable(),
        follows: z.string().nullable().meta({ description: 'The key that named this one with its signature' }),
      }),
    )
    .meta({ description: 'Keys that sign the audit log, oldest first' }),
});

const tag = 'keys';

export const keyRoutes = {
  keysList: defineRoute({
    id: 'keys.list',
    method: 'GET',
    path: `${API_PREFIX}/platform/keys`,
    tag,
    access: 'platform.key.read',
    rateClass: 'api',
    status: 200,
    summary: 'Keys that sign tokens and keys that seal secrets',
    response: keysSchema,
  }),
  keysRotate: defineRoute({
    id: 'keys.rotate',
    method: 'POST',
    path: `${API_PREFIX}/platform/keys/rotate`,
    tag,
    access: 'platform.key.rotate',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Make new keys; everything sealed is sealed anew while Berth runs',
    body: z.strictObject({
      atOnce: z.boolean().default(false).meta({
        description: 'A key may be known to somebody: the old signing keys end now',
      }),
    }),
    response: keysSchema,
  }),
  keysRotateAudit: defineRoute({
    id: 'keys.rotate_audit',
    method: 'POST',
    path: `${API_PREFIX}/platform/keys/rotate-audit`,
    tag,
    access: 'platform.key.rotate',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Sign the audit logs with a new key; what the old one signed is still checked',
    description: 'The old key names the new one with its signature and loses its private half.',
    body: z.strictObject({
      leaked: z.boolean().default(false).meta({
        description: 'The old key may be known to somebody: it names nobody, and the new one has to be made known anew',
      }),
    }),
    response: keysSchema,
  }),
  jwks: defineRoute({
    id: 'keys.public',
    method: 'GET',
    path: JWKS_PATH,
    tag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Public keys that check access tokens (RFC 7517)',
    response: z.object({
      keys: z.array(
        z.object({
          kty: z.string(),
          n: z.string(),
          e: z.string(),
          kid: z.string(),
          use: z.literal('sig'),
          alg: z.literal('RS256'),
        }),
      ),
    }),
  }),
} as const;
