/**
 * The mail server of the installation and the mails on their way to it. Contents come and go sealed. A mail is claimed
 * for a while by the replica that sends it; nobody else takes it meanwhile, and somebody does when the claim ends.
 */
import { type RawBuilder, sql } from 'kysely';
import type { MailId, OrganizationId, UserId } from '#domain/ids.ts';
import type { MailKind, MailSecurity, MailState } from '#domain/mails.ts';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';

export type MailServer = {
  host: string;
  port: number;
  security: MailSecurity;
  username: string | null;
  passwordSealed: string | null;
  caCertificate: string | null;
  fromAddress: string;
  fromName: string;
};

const SERVER_ID = 'main';
/** Where its password is sealed. */
export const mailPasswordPlace = { table: 'mail_server', row: SERVER_ID, column: 'password_sealed' } as const;
export const mailContentPlace = (id: MailId) => ({ table: 'mail', row: id, column: 'content_sealed' }) as const;

/** Null: there is none, links are shown instead. */
export async function readMailServer(db: Db): Promise<MailServer | null> {
  const row = await db.selectFrom('mail_server').selectAll().where('id', '=', SERVER_ID).executeTakeFirst();
  if (row === undefined) return null;
  return {
    host: row.host,
    port: row.port,
    security: row.security,
    username: row.username,
    passwordSealed: row.password_sealed,
    caCertificate: row.ca_certificate,
    fromAddress: row.from_address,
    fromName: row.from_name,
  };
}

export async function writeMailServer(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.mail.update'>,
  server: MailServer,
  now: Date,
): Promise<void> {
  const columns = {
    host: server.host,
    port: server.port,
    security: server.security,
    username: server.username,
    password_sealed: server.passwordSealed,
    ca_certificate: server.caCertificate,
    from_address: server.fromAddress,
    from_name: server.fromName,
    updated_at: now,
  };
  await trx
    .insertInto('mail_server')
    .values({ id: SERVER_ID, ...columns })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
    .execute();
  await trx.updateTable('mail').set({ next_at: now }).where('state', '=', 'queued').execute();
  await emit(trx, { kind: 'mail', ref: 'eml_server' });
}

export async function deleteMailServer(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.mail.update'>,
): Promise<boolean> {
  const row = await trx.deleteFrom('mail_server').where('id', '=', SERVER_ID).returning('id').executeTakeFirst();
  if (row !== undefined) await emit(trx, { kind: 'mail', ref: 'eml_server' });
  return row !== undefined;
}

export async function countMails(db: Db): Promise<{ queued: number; dead: number }> {
  const { rows } = await sql<{ queued: number; dead: number }>`
    select count(*) filter (where state = 'queued') as queued, count(*) filter (where state = 'dead') as dead
      from mail where state in ('queued', 'dead')`.execute(db);
  return rows[0] ?? { queued: 0, dead: 0 };
}

export type NewMail = {
  id: MailId;
  kind: MailKind;
  recipient: string;
  userId: UserId | null;
  organizationId: OrganizationId | null;
  /** Whose link it is; null: none that opens anything. */
  about: string | null;
  /** Who asked for it sees the link as well. */
  shown: boolean;
  subject: string;
  contentSealed: string;
  now: Date;
  expiresAt: Date;
};

export async function insertMail(trx: Trx, mail: NewMail): Promise<void> {
  await trx
    .insertInto('mail')
    .values({
      id: mail.id,
      kind: mail.kind,
      recipient: mail.recipient,
      user_id: mail.userId,
      organization_id: mail.organizationId,
      about: mail.about,
      shown_at: mail.shown ? mail.now : null,
      subject: mail.subject,
      content_sealed: mail.contentSealed,
      state: 'queued',
      next_at: mail.now,
      created_at: mail.now,
      expires_at: mail.expiresAt,
    })
    .execute();
  await emit(trx, { kind: 'mail', ref: mail.id });
}

export type ClaimedMail = {
  id: MailId;
  kind: MailKind;
  recipient: string;
  subject: string;
  contentSealed: string;
  attempts: number;
};

/** Takes up to `max` mails that are due; counts the attempt. */
export async function claimMails(db: Db, now: Date, claimMs: number, max: number): Promise<ClaimedMail[]> {
  const { rows } = await sql<ClaimedMail>`
    update mail set attempts = attempts + 1, claimed_until = ${new Date(now.getTime() + claimMs)}
     where id in (
       select id from mail
        where state = 'queued' and next_at <= ${now} and expires_at > ${now}
          and (claimed_until is null or claimed_until <= ${now})
        order by next_at, id limit ${max} for update skip locked)
     returning id, kind, recipient, subject, content_sealed as "contentSealed", attempts`.execute(db);
  return rows;
}

export type MailOutcome =
  | { state: 'sent' }
  | { state: 'dead'; error: string }
  | { state: 'queued'; error: string; nextAt: Date };

/** What became of a claimed mail. What is sent is forgotten but for its envelope. */
export async function settleMail(trx: Trx, mail: ClaimedMail, outcome: MailOutcome, now: Date): Promise<void> {
  await trx
    .updateTable('mail')
    .set({
      state: outcome.state,
      claimed_until: null,
      error: outcome.state === 'sent' ? null : outcome.error,
      ...(outcome.state === 'sent' ? { content_sealed: null } : {}),
      ...(outcome.state === 'queued' ? { next_at: outcome.nextAt } : { ended_at: now }),
    })
    .where('id', '=', mail.id)
    .where('attempts', '=', mail.attempts)
    .where('state', '=', 'queued')
    .execute();
  await emit(trx, { kind: 'mail', ref: mail.id });
}

/** Ends what is worth sending no longer; returns how many. */
export async function expireMails(db: Db, now: Date): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('mail')
    .set({ state: 'expired', content_sealed: null, claimed_until: null, ended_at: now })
    .where('state', 'in', ['queued', 'dead'])
    .where('expires_at', '<=', now)
    .where((eb) => eb.or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

export type MailMessage = {
  id: MailId;
  kind: MailKind;
  recipient: string;
  userId: UserId | null;
  organizationId: OrganizationId | null;
  subject: string;
  state: MailState;
  attempts: number;
  nextAt: Date;
  error: string | null;
  createdAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
};

const messageColumns = [
  'id',
  'kind',
  'recipient',
  'user_id as userId',
  'organization_id as organizationId',
  'subject',
  'state',
  'attempts',
  'next_at as nextAt',
  'error',
  'created_at as createdAt',
  'expires_at as expiresAt',
  'ended_at as endedAt',
] as const;

export async function listMails(
  db: Db,
  _proof: Authorized<'platform', 'platform.mail.read'>,
  page: { cursor?: string | undefined; limit: number; state?: MailState | undefined },
): Promise<{ items: MailMessage[]; nextCursor: string | null }> {
  const before = decodeTextCursor(page.cursor, /^eml_[0-9a-z]{26}$/);
  const rows = await db
    .selectFrom('mail')
    .select(messageColumns)
    .$if(before !== null, (query) => query.where('id', '<', before as MailId))
    .$if(page.state !== undefined, (query) => query.where('state', '=', page.state as MailState))
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.id);
  return { items: cut.rows, nextCursor: cut.nextCursor };
}

/** With its sealed content, locked; null when there is no such mail. */
export async function lockMail(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.mail.update'>,
  id: MailId,
): Promise<(MailMessage & { contentSealed: string | null }) | null> {
  const row = await trx
    .selectFrom('mail')
    .select([...messageColumns, 'content_sealed as contentSealed'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row ?? null;
}

/** All attempts anew, from now. */
export async function requeueMail(trx: Trx, mail: MailMessage, now: Date): Promise<void> {
  await trx
    .updateTable('mail')
    .set({ state: 'queued', attempts: 0, next_at: now, claimed_until: null, error: null, ended_at: null })
    .where('id', '=', mail.id)
    .execute();
  await emit(trx, { kind: 'mail', ref: mail.id });
}

/** Not to be sent any more; its content goes, its envelope stays for a while. */
export async function dropMail(trx: Trx, mail: MailMessage, now: Date): Promise<void> {
  await endMails(trx, sql`id = ${mail.id}`, now);
}

/** The link in them works no longer. */
export async function cancelMails(trx: Trx, about: string, now: Date): Promise<void> {
  await endMails(trx, sql`about = ${about}`, now);
}

async function endMails(trx: Trx, which: RawBuilder<unknown>, now: Date): Promise<void> {
  const { rows } = await sql<{ id: MailId }>`
    update mail set state = 'expired', content_sealed = null, claimed_until = null, ended_at = ${now}
     where state in ('queued', 'dead') and ${which} returning id`.execute(trx);
  await emit(trx, ...rows.map(({ id }) => ({ kind: 'mail' as const, ref: id })));
}

export async function markMailShown(trx: Trx, mail: MailMessage, now: Date): Promise<void> {
  await trx.updateTable('mail').set({ shown_at: now }).where('id', '=', mail.id).execute();
}

/** Nobody but the recipient saw the link: who follows it has the address. */
export async function isLinkPrivate(db: Db, about: string): Promise<boolean> {
  const { rows } = await sql<{ private: boolean }>`
    select coalesce(bool_and(shown_at is null), false) as private from mail where about = ${about}`.execute(db);
  return rows[0]?.private === true;
}

/** Forgets the envelopes of mails that ended before `before`. */
export async function sweepMails(db: Db, before: Date): Promise<void> {
  await db
    .deleteFrom('mail')
    .where('state', 'in', ['sent', 'expired', 'dead'])
    .where('ended_at', '<', before)
    .execute();
}
