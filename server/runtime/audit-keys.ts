/** The cryptography of the audit log: SHA-256 and Ed25519 by Node, the private key sealed while it rests. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import {
  type AuditCrypto,
  type AuditPublicKey,
  type AuditStatement,
  signedText,
  thumbprintText,
} from '#domain/audit.ts';
import type { SecretBox } from './secrets.ts';

export const auditCrypto: AuditCrypto = {
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
  thumbprint: (text) => createHash('sha256').update(text).digest('base64url'),
  verify(key, text, signature) {
    const bytes = Buffer.from(signature, 'base64url');
    if (bytes.toString('base64url') !== signature) return false;
    try {
      const publicKey = createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: 'jwk' });
      return verify(null, Buffer.from(text), publicKey, bytes);
    } catch {
      return false;
    }
  },
};

const place = (id: string) => ({ table: 'audit_key', row: id, column: 'private_sealed' });

/** A new key pair, its private half sealed. */
export function makeAuditKey(secrets: SecretBox): { id: string; x: string; sealed: string } {
  const pair = generateKeyPairSync('ed25519');
  const x = pair.publicKey.export({ format: 'jwk' }).x ?? '';
  const id = auditCrypto.thumbprint(thumbprintText({ crv: 'Ed25519', kty: 'OKP', x }));
  const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { id, x, sealed: secrets.seal(place(id), pem) };
}

export function publicAuditKey(key: { id: string; x: string }): AuditPublicKey {
  return { crv: 'Ed25519', kid: key.id, kty: 'OKP', x: key.x };
}

export type AuditSigner = {
  key: string;
  /** The statement with `key` and `signature`. */
  sign<S extends object>(kind: AuditStatement, statement: S): S & { key: string; signature: string };
};

export function auditSigner(secrets: SecretBox, key: { id: string; sealed: string }): AuditSigner {
  const privateKey = createPrivateKey(secrets.open(place(key.id), key.sealed));
  return {
    key: key.id,
    sign(kind, statement) {
      const named = { ...statement, key: key.id };
      return {
        ...named,
        signature: sign(null, Buffer.from(signedText(kind, named)), privateKey).toString('base64url'),
      };
    },
  };
}
