/** The installation's mail server and the mails on their way. */
import { z } from 'zod';
import { mailKinds, mailSecurities, mailStates } from '#domain/mails.ts';
import { API_PREFIX, abilitySchema, idSchema, pageOf, pageQuery, timestamp, titleSchema } from './common.ts';
import { emailSchema } from './identity.ts';
import { defineRoute } from './route.ts';

const CA_LENGTH_MAX = 32_768;

export const mailServerSchema = z.object({
  host: z.string(),
  port: z.number().int(),
  security: z.enum(mailSecurities),
  username: z.string().nullable(),
  hasPassword: z.boolean(),
  caCertificate: z.string().nullable(),
  fromAddress: z.string(),
  fromName: z.string(),
});

export const mailSettingsSchema = z.object({
  server: mailServerSchema.nullable(),
  counts: z.object({ queued: z.number().int(), dead: z.number().int() }),
});

/** A mail without what is in it: links open accounts. */
export const mailMessageSchema = z.object({
  id: idSchema('eml'),
  kind: z.enum(mailKinds),
  recipient: z.string(),
  subject: z.string(),
  state: z.enum(mailStates),
  attempts: z.number().int(),
  nextAt: timestamp.nullable(),
  error: z.string().nullable(),
  createdAt: timestamp,
  expiresAt: timestamp,
  endedAt: timestamp.nullable(),
  can: z.object({ retry: abilitySchema, showLink: abilitySchema, drop: abilitySchema }),
});

const tag = 'platform';
const messageParams = z.object({ message: idSchema('eml') });
const hostname = z
  .string()
  .trim()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?$/, 'a host name or an address');
const line = z
  .string()
  .max(200)
  .regex(/^[^\r\n]*$/, 'one line');

export const mailRoutes = {
  mailSettingsGet: defineRoute({
    id: 'platform.mail.get',
    method: 'GET',
    path: `${API_PREFIX}/platform/mail`,
    tag,
    access: 'platform.mail.read',
    rateClass: 'api',
    status: 200,
    summary: 'The mail server, and how much is waiting',
    response: mailSettingsSchema,
  }),
  mailSettingsUpdate: defineRoute({
    id: 'platform.mail.update',
    method: 'PUT',
    path: `${API_PREFIX}/platform/mail`,
    tag,
    access: 'platform.mail.update',
    rateClass: 'api',
    status: 200,
    summary: 'Set the mail server; from then on links go by mail only',
    severalLines: ['caCertificate'],
    body: z.strictObject({
      host: hostname,
      port: z.number().int().min(1).max(65535),
      security: z.enum(mailSecurities).meta({
        description:
          'tls: from the first byte (465); starttls: a must, never without (587); plain: not with a password',
      }),
      username: line.min(1).nullable().default(null),
      password: line
        .min(1)
        .nullable()
        .optional()
        .meta({ description: 'Absent: stays as it is, as long as host and user name do' }),
      caCertificate: z
        .string()
        .trim()
        .max(CA_LENGTH_MAX)
        .startsWith('-----BEGIN CERTIFICATE-----')
        .nullable()
        .default(null)
        .meta({ description: 'PEM of an authority of your own; null: those that everybody trusts' }),
      fromAddress: emailSchema,
      fromName: titleSchema,
    }),
    response: mailSettingsSchema,
  }),
  mailSettingsDelete: defineRoute({
    id: 'platform.mail.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/platform/mail`,
    tag,
    access: 'platform.mail.update',
    rateClass: 'api',
    status: 204,
    summary: 'Forget the mail server; links are shown to administrators instead',
  }),
  mailTest: defineRoute({
    id: 'platform.mail.test',
    method: 'POST',
    path: `${API_PREFIX}/platform/mail/test`,
    tag,
    access: 'platform.mail.update',
    rateClass: 'provisioning',
    status: 200,
    summary: 'Send a test mail at once and say what the mail server answered',
    body: z.strictObject({ to: emailSchema }),
    response: z.object({ answer: z.string() }),
  }),
  mailMessagesList: defineRoute({
    id: 'platform.mail.messages.list',
    method: 'GET',
    path: `${API_PREFIX}/platform/mail/messages`,
    tag,
    access: 'platform.mail.read',
    rateClass: 'api',
    status: 200,
    summary: 'Mails, newest first',
    query: z.object({ ...pageQuery, state: z.enum(mailStates).optional() }),
    response: pageOf(mailMessageSchema),
  }),
  mailMessagesRetry: defineRoute({
    id: 'platform.mail.messages.retry',
    method: 'POST',
    path: `${API_PREFIX}/platform/mail/messages/:message/retry`,
    tag,
    access: 'platform.mail.update',
    rateClass: 'api',
    status: 204,
    summary: 'Try a mail again now, with all its attempts',
    params: messageParams,
  }),
  mailMessagesDrop: defineRoute({
    id: 'platform.mail.messages.drop',
    method: 'DELETE',
    path: `${API_PREFIX}/platform/mail/messages/:message`,
    tag,
    access: 'platform.mail.update',
    rateClass: 'api',
    status: 204,
    summary: 'Give up a mail that waits or could not be sent',
    params: messageParams,
  }),
  mailMessagesLink: defineRoute({
    id: 'platform.mail.messages.link',
    method: 'POST',
    path: `${API_PREFIX}/platform/mail/messages/:message/link`,
    tag,
    access: 'platform.mail.update',
    rateClass: 'api',
    status: 200,
    summary: 'Show the link of a mail, to hand it over another way; only without a mail server, and audited',
    params: messageParams,
    response: z.object({ link: z.string() }),
  }),
} as const;
