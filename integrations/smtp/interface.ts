/** Handing one mail to a mail server. What it takes is checked; what it answers is told in one of three ways. */
import type { MailSecurity } from '#domain/mails.ts';

export type MailServerAccess = {
  host: string;
  port: number;
  security: MailSecurity;
  /** Null: the server asks for none. */
  login: { username: string; password: string } | null;
  /** PEM of the only authority to trust; null: those of the system. */
  caCertificate: string | null;
};

export type OutgoingMail = {
  /** The same at every attempt, so that a mail that arrives twice can be known as one. */
  messageId: string;
  from: { name: string; address: string };
  to: string;
  subject: string;
  text: string;
  html: string;
  at: Date;
};

export type MailAnswer =
  /** The server has taken it; what becomes of it is the server's matter. */
  | { result: 'taken'; answer: string }
  /** Never will be: there is no such address, or the server does not want this mail. */
  | { result: 'refused'; reason: string }
  /** Not now: nobody there, wrong password, not the certificate, full, greylisted. */
  | { result: 'failed'; reason: string };

export type MailTransport = {
  /** Ends within MAIL_SEND_MS_MAX whatever the server does. Never throws. */
  send(server: MailServerAccess, mail: OutgoingMail): Promise<MailAnswer>;
};

export const MAIL_SEND_MS_MAX = 30_000;
