/**
 * Looks at the certificate that this installation shows for a host name, as a visitor would: a handshake with the HTTPS
 * port on loopback. No privilege and no key is needed, and a name without one gets its certificate this way before the
 * first visitor comes.
 */
import { connect } from 'node:tls';

/** An ACME authority takes its time when the certificate is made on the way. */
const LOOK_TIMEOUT_MS = 20_000;

export type CertificateSeen =
  | { state: 'valid'; issuer: string; expiresAt: Date; problem: null }
  | { state: 'none'; issuer: null; expiresAt: null; problem: string };

const none = (problem: string): CertificateSeen => ({ state: 'none', issuer: null, expiresAt: null, problem });

/** Errors: none; whatever goes wrong is the answer. */
export function lookAtCertificate(
  hostname: string,
  port: number,
  timeoutMs = LOOK_TIMEOUT_MS,
): Promise<CertificateSeen> {
  return new Promise((resolve) => {
    // Whether the visitor trusts the authority is the visitor's matter.
    const socket = connect({ host: '127.0.0.1', port, servername: hostname, rejectUnauthorized: false });
    const end = (seen: CertificateSeen): void => {
      socket.destroy();
      resolve(seen);
    };
    socket.setTimeout(timeoutMs, () => end(none('It was not made in time. The authority may not reach this machine.')));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end(
        none(
          error.code === 'ECONNREFUSED'
            ? 'Nothing answers on the HTTPS port.'
            : 'The authority has not given one (yet). Does the name lead to this machine?',
        ),
      ),
    );
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      const expiresAt = new Date(certificate.valid_to);
      if (Number.isNaN(expiresAt.getTime())) return end(none('What is shown is no certificate.'));
      const { O: organization, CN: name } = certificate.issuer;
      const issuer = String(organization ?? name ?? '').slice(0, 200);
      if (expiresAt.getTime() <= Date.now()) return end(none(`The one of ${issuer} has expired.`));
      return end({ state: 'valid', issuer, expiresAt, problem: null });
    });
  });
}
