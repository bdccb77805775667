/**
 * Hands waiting mails to the mail server; runs on every replica, each mail is claimed by one. A mail that was handed over
 * by a process that died before it could say so is sent again with the same Message-ID. Without a mail server mails wait
 * for an administrator to hand over their links, and expire.
 */

import { MAIL_ATTEMPTS_MAX, retrySeconds } from '#domain/mails.ts';
import type { MailAnswer } from '#integrations/smtp/interface.ts';
import { MAIL_SEND_MS_MAX } from '#integrations/smtp/interface.ts';
import { transact } from '../store/database.ts';
import {
  type ClaimedMail,
  claimMails,
  expireMails,
  type MailOutcome,
  type MailServer,
  mailContentPlace,
  readMailServer,
  settleMail,
} from '../store/mail.ts';
import { mailAccess } from '../workflows/mail-access.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

export const MAIL_SENDER = 'mail-sender';
export const MAIL_SENDER_MS = 5_000;
/** Mails one run sends at the same time. */
const AT_ONCE_MAX = 5;
/** Longer than one attempt can last. */
const CLAIM_MS = 2 * MAIL_SEND_MS_MAX;

export function mailSender(services: Services, everyMs: number = MAIL_SENDER_MS): Reconciler {
  return {
    name: MAIL_SENDER,
    everyMs,
    leaderOnly: false,
    async run(signal) {
      const counts = { sent: 0, failed: 0, expired: await expireMails(services.db, new Date(services.now())) };
      const server = await readMailServer(services.db);
      while (server !== null && !signal.aborted) {
        const claimed = await claimMails(services.db, new Date(services.now()), CLAIM_MS, AT_ONCE_MAX);
        if (claimed.length === 0) break;
        const results = await Promise.all(claimed.map((mail) => send(services, server, mail)));
        for (const sent of results) counts[sent ? 'sent' : 'failed']++;
      }
      const { sent, failed, expired } = counts;
      return sent + failed + expired === 0
        ? null
        : `sent ${sent} mails, ${failed} could not be sent, ${expired} expired`;
    },
  };
}

async function send(services: Services, server: MailServer, mail: ClaimedMail): Promise<boolean> {
  const answer = await attempt(services, server, mail);
  const now = new Date(services.now());
  await transact(services.db, (trx) => settleMail(trx, mail, outcome(answer, mail.attempts, now), now));
  if (answer.result !== 'taken') {
    services.log.warn({ mail: mail.id, kind: mail.kind, reason: answer.reason }, 'a mail could not be sent');
  }
  return answer.result === 'taken';
}

async function attempt(services: Services, server: MailServer, mail: ClaimedMail): Promise<MailAnswer> {
  try {
    const sealed = services.secrets.open(mailContentPlace(mail.id), mail.contentSealed);
    const content = JSON.parse(sealed) as { text: string; html: string };
    return await services.mail.send(mailAccess(services.secrets, server), {
      messageId: `<${mail.id}@${services.domain}>`,
      from: { name: server.fromName, address: server.fromAddress },
      to: mail.recipient,
      subject: mail.subject,
      text: content.text,
      html: content.html,
      at: new Date(services.now()),
    });
  } catch (error) {
    services.log.error({ mail: mail.id, err: error }, 'a mail cannot be opened');
    return { result: 'failed', reason: 'What is in it, or the password of the mail server, cannot be opened here.' };
  }
}

function outcome(answer: MailAnswer, attempts: number, now: Date): MailOutcome {
  if (answer.result === 'taken') return { state: 'sent' };
  if (answer.result === 'refused' || attempts >= MAIL_ATTEMPTS_MAX) return { state: 'dead', error: answer.reason };
  return { state: 'queued', error: answer.reason, nextAt: new Date(now.getTime() + retrySeconds(attempts) * 1000) };
}
