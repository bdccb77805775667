/** Outgoing mail: writing one down, the mail server, and what administrators see and do when mails do not go. */
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { MailId, OrganizationId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { MAIL_HOURS, type MailFacts, type MailSecurity, type MailState, writeMail } from '#domain/mails.ts';
import { record, recordForMember } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import {
  countMails,
  deleteMailServer,
  dropMail,
  insertMail,
  listMails,
  lockMail,
  type MailMessage,
  type MailServer,
  mailContentPlace,
  mailPasswordPlace,
  markMailShown,
  readMailServer,
  requeueMail,
  writeMailServer,
} from '#server/store/mail.ts';
import { readPreferences } from '#server/store/profiles.ts';
import { mailAccess } from '#server/workflows/mail-access.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

/** Name of the reconciler that sends. */
const SENDER = 'mail-sender';

export type MailTo = {
  email: string;
  userId: UserId | null;
  organizationId?: OrganizationId;
  /** Whose link it is, for mails with a link that opens something. */
  about?: string;
  /** Who asked sees the link as well. */
  shown?: boolean;
};

/** Writes a mail down in the transaction of what it tells of. Call `sendSoon` after the commit. */
export async function queueMail(
  app: AppContext,
  trx: Trx,
  to: MailTo,
  facts: MailFacts,
  expiresAt: Date,
): Promise<void> {
  const id = app.ids.make('eml');
  const { subject, ...content } = writeMail(facts, { domain: app.config.domain });
  await insertMail(trx, {
    id,
    kind: facts.kind,
    recipient: to.email,
    userId: to.userId,
    organizationId: to.organizationId ?? null,
    about: to.about ?? null,
    shown: to.shown ?? false,
    subject,
    contentSealed: app.secrets.seal(mailContentPlace(id), JSON.stringify(content)),
    now: app.clock.now(),
    expiresAt,
  });
}

/** After every change of a password, by whatever way. */
export async function queuePasswordNotice(
  app: AppContext,
  trx: Trx,
  person: { userId: UserId; email: string },
): Promise<void> {
  const expiresAt = new Date(app.clock.now().getTime() + MAIL_HOURS * 3600_000);
  const { userId, email } = person;
  await queueMail(app, trx, { userId, email }, { kind: 'password-changed' }, expiresAt);
}

export function sendSoon(app: AppContext): void {
  app.services.nudge(SENDER);
}

/** False: links are shown to who asked for them, or to an administrator. */
export async function sendsMail(trx: Trx): Promise<boolean> {
  return (await readMailServer(trx)) !== null;
}

/** A moment in the words of the person it is for; UTC for somebody unknown. */
export async function momentFor(app: AppContext, userId: UserId | null, at: Date): Promise<string> {
  const { language, timeZone } =
    userId === null ? { language: 'en-GB', timeZone: null } : await readPreferences(app.db, userId);
  return new Intl.DateTimeFormat(language, {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: timeZone ?? 'UTC',
  })
    .format(at)
    .concat(timeZone === null ? ' UTC' : ` (${timeZone})`);
}

export type MailSettings = { server: MailServer | null; counts: { queued: number; dead: number } };

export async function readMailSettings(app: AppContext, caller: PersonCaller): Promise<MailSettings> {
  await authorizePlatform(app, caller, 'platform.mail.read');
  return settings(app);
}

async function settings(app: AppContext): Promise<MailSettings> {
  const [server, counts] = await Promise.all([readMailServer(app.db), countMails(app.db)]);
  return { server, counts };
}

/** Without the password. */
function shown(server: MailServer | null): object | null {
  if (server === null) return null;
  const { passwordSealed, ...rest } = server;
  return { ...rest, signsIn: passwordSealed !== null };
}

/** Errors: step_up_required, invalid_input (a password over a plain connection, a user name without a password). */
export async function updateMailSettings(
  app: AppContext,
  caller: PersonCaller,
  input: {
    host: string;
    port: number;
    security: MailSecurity;
    username: string | null;
    password?: string | null | undefined;
    caCertificate: string | null;
    fromAddress: string;
    fromName: string;
  },
): Promise<MailSettings> {
  const proof = await authorizePlatform(app, caller, 'platform.mail.update');
  await requireConfirmed(app, caller, 'mail.server');
  await transact(app.db, async (trx) => {
    const before = await readMailServer(trx);
    const { password, ...rest } = input;
    // Kept only for the same server and user: else somebody could have it sent to a server of their own.
    const same = before?.host === input.host && before.port === input.port && before.username === input.username;
    const kept = password === undefined && same ? before.passwordSealed : null;
    const passwordSealed = password == null ? kept : app.secrets.seal(mailPasswordPlace, password);
    if (input.username !== null && passwordSealed === null)
      throw field('password', 'The password of this user, please.');
    if (input.username === null && passwordSealed !== null) throw field('username', 'A password belongs to a user.');
    if (input.security === 'plain' && passwordSealed !== null) {
      throw field('security', 'A password is not sent over an open connection. Choose TLS or STARTTLS.');
    }
    const after: MailServer = { ...rest, passwordSealed };
    await writeMailServer(trx, proof, after, app.clock.now());
    await record(trx, caller, {
      action: 'mail.update',
      targetKind: 'installation',
      target: input.host,
      before: shown(before),
      after: shown(after),
    });
  });
  sendSoon(app);
  return settings(app);
}

function field(name: string, message: string): BerthError {
  return new BerthError('invalid_input', message, { fields: [{ field: name, message }] });
}

/** Errors: step_up_required, not_found (there is none). */
export async function forgetMailServer(app: AppContext, caller: PersonCaller): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.mail.update');
  await requireConfirmed(app, caller, 'mail.server');
  await transact(app.db, async (trx) => {
    const before = await readMailServer(trx);
    await deleteMailServer(trx, proof);
    await record(trx, caller, {
      action: 'mail.delete',
      targetKind: 'installation',
      target: before?.host ?? app.config.domain,
      before: shown(before),
    });
  });
}

/** Sends at once, past the queue. Errors: state_conflict (no mail server), upstream_failed with what the server said. */
export async function sendTestMail(app: AppContext, caller: PersonCaller, to: string): Promise<{ answer: string }> {
  await authorizePlatform(app, caller, 'platform.mail.update');
  const server = await readMailServer(app.db);
  if (server === null) throw new BerthError('state_conflict', 'There is no mail server yet. Set one first.');
  const { subject, text, html } = writeMail({ kind: 'test', by: caller.email }, { domain: app.config.domain });
  const answer = await app.services.mail.send(mailAccess(app.secrets, server), {
    messageId: `<${app.ids.make('eml')}@${app.config.domain}>`,
    from: { name: server.fromName, address: server.fromAddress },
    to,
    subject,
    text,
    html,
    at: app.clock.now(),
  });
  await transact(app.db, (trx) =>
    record(trx, caller, {
      action: 'mail.test',
      targetKind: 'installation',
      target: server.host,
      result: answer.result === 'taken' ? 'ok' : 'failed',
      after: { to, ...(answer.result === 'taken' ? {} : { reason: answer.reason }) },
    }),
  );
  if (answer.result === 'taken') return { answer: answer.answer };
  throw new BerthError('upstream_failed', answer.reason);
}

export type PresentedMail = MailMessage & { can: { retry: Ability; showLink: Ability; drop: Ability } };

/** Kinds whose mails hold no link that somebody could hand over. */
const withoutSecret = new Set(['registration-known', 'password-changed', 'email-changed', 'account-deleted', 'test']);

function present(mail: MailMessage, server: boolean): PresentedMail {
  const open = mail.state === 'queued' || mail.state === 'dead';
  const over = 'It was sent, or is too old.';
  return {
    ...mail,
    can: {
      retry: !open ? over : server ? true : 'There is no mail server.',
      showLink: withoutSecret.has(mail.kind)
        ? 'There is no link in it.'
        : !open
          ? over
          : server && mail.state === 'queued'
            ? 'It is sent by mail. Only what could not be sent is handed over by hand.'
            : true,
      drop: open ? true : over,
    },
  };
}

export async function listMailMessages(
  app: AppContext,
  caller: PersonCaller,
  page: { cursor?: string | undefined; limit: number; state?: MailState | undefined },
): Promise<{ items: PresentedMail[]; nextCursor: string | null }> {
  const proof = await authorizePlatform(app, caller, 'platform.mail.read');
  const [{ items, nextCursor }, server] = await Promise.all([listMails(app.db, proof, page), readMailServer(app.db)]);
  return { items: items.map((mail) => present(mail, server !== null)), nextCursor };
}

/** Runs `work` on a mail that is still to be sent. Errors: not_found, state_conflict (`verb` is not possible). */
async function onMail<T>(
  app: AppContext,
  caller: PersonCaller,
  id: MailId,
  verb: keyof PresentedMail['can'],
  work: (trx: Trx, mail: MailMessage & { contentSealed: string | null }) => Promise<T>,
): Promise<T> {
  const proof = await authorizePlatform(app, caller, 'platform.mail.update');
  if (verb === 'showLink') await requireConfirmed(app, caller, 'mail.link');
  return transact(app.db, async (trx) => {
    const mail = await lockMail(trx, proof, id);
    if (mail === null) throw notFound('mail');
    const able = present(mail, await sendsMail(trx)).can[verb];
    if (able !== true) throw new BerthError('state_conflict', able);
    const input = {
      action: `mail.${verb}`,
      targetKind: 'mail',
      targetId: id,
      target: mail.recipient,
      after: { kind: mail.kind },
    };
    // Of a person, or of an organization: their logs tell that somebody else saw their link.
    if (mail.userId !== null && verb === 'showLink') await recordForMember(trx, caller, mail.userId, input);
    else await record(trx, caller, { ...input, organizationId: verb === 'showLink' ? mail.organizationId : null });
    return work(trx, mail);
  });
}

export async function retryMail(app: AppContext, caller: PersonCaller, id: MailId): Promise<void> {
  await onMail(app, caller, id, 'retry', (trx, mail) => requeueMail(trx, mail, app.clock.now()));
  sendSoon(app);
}

export async function giveUpMail(app: AppContext, caller: PersonCaller, id: MailId): Promise<void> {
  await onMail(app, caller, id, 'drop', (trx, mail) => dropMail(trx, mail, app.clock.now()));
}

/** To be handed over another way. Errors: step_up_required, not_found, state_conflict. */
export async function showMailLink(app: AppContext, caller: PersonCaller, id: MailId): Promise<{ link: string }> {
  return onMail(app, caller, id, 'showLink', async (trx, mail) => {
    await markMailShown(trx, mail, app.clock.now());
    const sealed = mail.contentSealed;
    const content =
      sealed === null ? null : (JSON.parse(app.secrets.open(mailContentPlace(id), sealed)) as { link: string | null });
    if (content?.link == null) throw new BerthError('state_conflict', 'There is no link in it.');
    return { link: content.link };
  });
}
