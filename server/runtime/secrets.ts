/**
 * Secrets at rest: AES-256-GCM. A sealed value is `v1.<key id>.<nonce>.<tag + text>` (base64url); the table, row and
 * column it belongs to are authenticated with it, so that a sealed value copied to another row does not open there.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { BerthError } from '#domain/errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Where a secret lives. */
export type SecretPlace = { table: string; row: string; column: string };

export type SecretBox = {
  seal(place: SecretPlace, secret: string): string;
  /** Errors: internal when it was sealed elsewhere, with another key, or changed. */
  open(place: SecretPlace, sealed: string): string;
};

/**
 * `masterKey` is the text of the key file: 32 bytes in base64. Errors: Error when it is not; the process must not start
 * without it.
 */
export function createSecretBox(masterKey: string): SecretBox {
  const key = decodeKey(masterKey);
  const keyId = createHash('sha256').update('berth key id').update(key).digest('hex').slice(0, 8);
  return {
    seal(place, secret) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(bind(place, keyId));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      const payload = Buffer.concat([cipher.getAuthTag(), text]);
      return `v1.${keyId}.${nonce.toString('base64url')}.${payload.toString('base64url')}`;
    },
    open(place, sealed) {
      const [version, id, nonce, payload] = sealed.split('.');
      if (version !== 'v1' || id !== keyId || nonce === undefined || payload === undefined) {
        throw new BerthError('internal', 'A stored secret cannot be opened.', { detail: `key id ${id ?? 'missing'}` });
      }
      const bytes = Buffer.from(payload, 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
        decipher.setAAD(bind(place, keyId));
        decipher.setAuthTag(bytes.subarray(0, TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(TAG_BYTES)), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new BerthError('internal', 'A stored secret cannot be opened.', { cause });
      }
    },
  };
}

/** The 32 bytes of a key file. Errors: Error with the reason. */
export function decodeKey(text: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== 32) throw new Error('the key must be 32 bytes in base64');
  return key;
}

function bind(place: SecretPlace, keyId: string): Buffer {
  return Buffer.from(JSON.stringify([keyId, place.table, place.row, place.column]));
}
