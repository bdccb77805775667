/** Public keys with which a person signs in to servers through the SSH gateway. */
import { z } from 'zod';
import { SSH_KEY_LENGTH_MAX, sshKeyTypes } from '#domain/ssh.ts';
import { API_PREFIX, idSchema, timestamp, titleSchema } from './common.ts';
import { defineRoute } from './route.ts';

export const sshKeySchema = z.object({
  id: idSchema('sky'),
  label: z.string(),
  type: z.enum(sshKeyTypes),
  bits: z.number().int(),
  fingerprint: z.string().meta({ description: 'SHA256:..., as `ssh-keygen -l` shows it' }),
  publicKey: z.string().meta({ description: 'Type and key, as in a .pub file, without the comment' }),
  createdAt: timestamp,
  lastUsedAt: timestamp.nullable(),
  lastUsedAddress: z.string().nullable(),
});

const tag = 'identity';

export const sshKeyRoutes = {
  sshKeysList: defineRoute({
    id: 'account.ssh-keys.list',
    method: 'GET',
    path: `${API_PREFIX}/account/ssh-keys`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Own SSH keys',
    response: z.object({ items: z.array(sshKeySchema) }),
  }),
  sshKeysAdd: defineRoute({
    id: 'account.ssh-keys.add',
    method: 'POST',
    path: `${API_PREFIX}/account/ssh-keys`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 201,
    summary: 'Add an SSH key: ed25519, ECDSA, or RSA with at least 3072 bits',
    description: 'A key belongs to one account: one that another account has is refused.',
    body: z.strictObject({
      publicKey: z.string().trim().min(1).max(SSH_KEY_LENGTH_MAX).meta({ description: 'The line of a .pub file' }),
      label: titleSchema.optional().meta({ description: 'Default: the comment of the key' }),
    }),
    // A private key has several: it is refused with words of its own.
    severalLines: ['publicKey'],
    response: sshKeySchema,
  }),
  sshKeysRemove: defineRoute({
    id: 'account.ssh-keys.remove',
    method: 'DELETE',
    path: `${API_PREFIX}/account/ssh-keys/:key`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Remove one of the own SSH keys; what is connected with it ends at once',
    params: z.object({ key: idSchema('sky') }),
  }),
} as const;
