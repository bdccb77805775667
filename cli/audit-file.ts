/** Reads exports of the audit log, as bytes from a file or from the server, and checks them. Needs nothing but the file. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { AuditCrypto, AuditHead } from '#domain/audit.ts';
import { AUDIT_LINE_LENGTH_MAX, AuditProblem, type AuditReport, AuditVerifier } from '#domain/audit-verify.ts';

export const fileCrypto: AuditCrypto = {
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
  thumbprint: (text) => createHash('sha256').update(text).digest('base64url'),
  verify(key, text, signature) {
    const bytes = Buffer.from(signature, 'base64url');
    // Other spellings of the same bytes are changes too.
    if (bytes.toString('base64url') !== signature) return false;
    try {
      const publicKey = createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x }, format: 'jwk' });
      return verify(null, Buffer.from(text), publicKey, bytes);
    } catch {
      return false;
    }
  },
};

export type VerifyOptions = { trusted?: readonly string[] | null; kept?: readonly AuditHead[] };

/** Checks an export while it passes by; `pass` gets every piece before it is checked. Errors: AuditProblem. */
export async function verifyAudit(
  pieces: AsyncIterable<Uint8Array>,
  options: VerifyOptions = {},
  pass: (piece: Uint8Array) => void | Promise<void> = () => {},
): Promise<AuditReport> {
  const verifier = new AuditVerifier(fileCrypto, options);
  let rest: Uint8Array = new Uint8Array();
  let lines = 0;
  const text = (bytes: Uint8Array): string => {
    try {
      // Fatal, and a mark of byte order is not swallowed: each would hide a change.
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new AuditProblem(lines + 1, 'The line is not UTF-8.');
    }
  };
  for await (const piece of pieces) {
    await pass(piece);
    let bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      verifier.push(text(bytes.subarray(0, end)));
      lines++;
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > AUDIT_LINE_LENGTH_MAX) throw new AuditProblem(lines + 1, 'The line is too long for an entry.');
    rest = bytes;
  }
  return verifier.end(text(rest));
}
