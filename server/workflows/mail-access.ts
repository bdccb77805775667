/** The stored mail server, opened for use. */
import type { MailServerAccess } from '#integrations/smtp/interface.ts';
import type { SecretBox } from '../runtime/secrets.ts';
import { type MailServer, mailPasswordPlace } from '../store/mail.ts';

/** Errors: internal when the password was sealed with another key. */
export function mailAccess(secrets: SecretBox, server: MailServer): MailServerAccess {
  return {
    host: server.host,
    port: server.port,
    security: server.security,
    login:
      server.username === null || server.passwordSealed === null
        ? null
        : { username: server.username, password: secrets.open(mailPasswordPlace, server.passwordSealed) },
    caCertificate: server.caCertificate,
  };
}
