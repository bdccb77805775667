/**
 * Wildcard certificates between the server, which has them made, edge, which keeps them ready, and Caddy, which asks edge
 * for them. What lies in the database is closed with a key that server and edge share; Caddy shows a password that comes
 * from the same key. Not for the console.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `edgeKey`: bytes of the file that server and edge share. */
function bundleKey(edgeKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', edgeKey, '', 'berth wildcard certificates', 32));
}

/** `pem` is chain and private key; `name` the domain (without the asterisk). */
export function closeBundle(edgeKey: Uint8Array, name: string, pem: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', bundleKey(edgeKey), nonce);
  cipher.setAAD(Buffer.from(name));
  const text = Buffer.concat([cipher.update(pem, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
}

/** Null when it was closed with another key or for another name. */
export function openBundle(edgeKey: Uint8Array, name: string, closed: string): string | null {
  const bytes = Buffer.from(closed, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  try {
    const decipher = createDecipheriv('aes-256-gcm', bundleKey(edgeKey), bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const rest = bytes.subarray(NONCE_BYTES + TAG_BYTES);
    return Buffer.concat([decipher.update(rest), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

/** What Caddy shows when it asks for a certificate: private keys go to nobody else on this machine. */
export function certificatePassword(edgeKey: Uint8Array): string {
  return createHmac('sha256', edgeKey).update('berth certificate door').digest('base64url');
}

export const CERTIFICATE_USER = 'caddy';

/** Whether an Authorization header is Caddy's. */
export function isCaddy(edgeKey: Uint8Array, authorization: string): boolean {
  const expected = `Basic ${Buffer.from(`${CERTIFICATE_USER}:${certificatePassword(edgeKey)}`).toString('base64')}`;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization), digest(expected));
}
