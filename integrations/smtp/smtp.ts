/** Any SMTP server, by nodemailer. One connection per mail: there are few, and a connection that is kept can go stale. */
import type { Transporter } from 'nodemailer';
import {
  MAIL_SEND_MS_MAX,
  type MailAnswer,
  type MailServerAccess,
  type MailTransport,
  type OutgoingMail,
} from './interface.ts';

const CONNECT_MS_MAX = 8_000;
const SILENCE_MS_MAX = 15_000;
const REASON_LENGTH_MAX = 300;

export function smtpTransport(): MailTransport {
  return {
    async send(server, mail) {
      // Large, and needed only where mail is sent.
      const { default: nodemailer } = await import('nodemailer');
      const transport = nodemailer.createTransport({
        host: server.host,
        port: server.port,
        secure: server.security === 'tls',
        // A must: a server (or somebody in between) that does not offer it gets neither password nor mail.
        requireTLS: server.security === 'starttls',
        ignoreTLS: server.security === 'plain',
        ...(server.login === null ? {} : { auth: { user: server.login.username, pass: server.login.password } }),
        tls: { minVersion: 'TLSv1.2', ...(server.caCertificate === null ? {} : { ca: [server.caCertificate] }) },
        connectionTimeout: CONNECT_MS_MAX,
        greetingTimeout: CONNECT_MS_MAX,
        socketTimeout: SILENCE_MS_MAX,
        dnsTimeout: CONNECT_MS_MAX,
        // Nothing in a mail of ours is ever read from a file or an address.
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      const deadline = Promise.withResolvers<MailAnswer>();
      const timer = setTimeout(
        () => deadline.resolve({ result: 'failed', reason: 'The mail server took too long.' }),
        MAIL_SEND_MS_MAX,
      );
      try {
        return await Promise.race([deadline.promise, attempt(transport, server, mail)]);
      } finally {
        clearTimeout(timer);
        transport.close();
      }
    },
  };
}

async function attempt(
  transport: Transporter<{ response?: string }>,
  server: MailServerAccess,
  mail: OutgoingMail,
): Promise<MailAnswer> {
  try {
    const sent = await transport.sendMail({
      messageId: mail.messageId,
      date: mail.at,
      from: mail.from,
      to: [{ name: '', address: mail.to }],
      envelope: { from: mail.from.address, to: [mail.to] },
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      // No answers from holiday programs, no copies of its own by filters.
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    });
    return { result: 'taken', answer: oneLine(sent.response ?? 'taken') };
  } catch (error) {
    return outcome(error, server);
  }
}

/** A server's final no (5xx) to this sender, recipient or text is final; everything else may change. */
function outcome(error: unknown, server: MailServerAccess): MailAnswer {
  const { code, responseCode, message } = error as { code?: string; responseCode?: number; message?: string };
  const reason = oneLine(message ?? String(error));
  const aboutThisMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (aboutThisMail && responseCode !== undefined && responseCode >= 500) return { result: 'refused', reason };
  if (code === 'EAUTH') return { result: 'failed', reason: `The mail server does not accept the sign-in: ${reason}` };
  if (code === 'ETLS') return { result: 'failed', reason: `No encrypted connection to ${server.host}: ${reason}` };
  return { result: 'failed', reason };
}

function oneLine(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, REASON_LENGTH_MAX);
}
