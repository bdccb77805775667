/** Which accounts belong to which identities outside, and the sessions that began there. */
import { sql } from 'kysely';
import type { PersonCaller } from '#domain/caller.ts';
import type { IdentityProviderId, LinkedIdentityId, OutsideSessionId, SessionId, UserId } from '#domain/ids.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type LinkedIdentity = {
  id: LinkedIdentityId;
  provider: { id: IdentityProviderId; name: string; title: string };
  subject: string;
  email: string | null;
  createdAt: Date;
  lastUsedAt: Date;
};

/** Whether the account of `l` has another way in than this identity. */
const otherWays = sql<boolean>`(exists (select from app_user u where u.id = l.user_id and u.password_hash is not null)
  or exists (select from passkey k where k.user_id = l.user_id)
  or exists (select from linked_identity o join identity_provider op on op.id = o.provider_id
              where o.user_id = l.user_id and o.id <> l.id and op.enabled))`;

export async function listOwnIdentities(
  db: Db,
  person: PersonCaller,
): Promise<(LinkedIdentity & { otherWays: boolean })[]> {
  const rows = await db
    .selectFrom('linked_identity as l')
    .innerJoin('identity_provider as p', 'p.id', 'l.provider_id')
    .select([
      'l.id',
      'l.subject',
      'l.email',
      'l.created_at',
      'l.last_used_at',
      'p.id as provider_id',
      'p.name',
      'p.title',
    ])
    .select(otherWays.as('otherWays'))
    .where('l.user_id', '=', person.userId)
    .orderBy('l.created_at')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    provider: { id: row.provider_id, name: row.name, title: row.title },
    subject: row.subject,
    email: row.email,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    otherWays: row.otherWays,
  }));
}

/** Whose identity this is; null when it is nobody's. */
export async function findIdentity(
  db: Db,
  providerId: IdentityProviderId,
  subject: string,
): Promise<{ id: LinkedIdentityId; userId: UserId } | null> {
  const row = await db
    .selectFrom('linked_identity')
    .select(['id', 'user_id as userId'])
    .where('provider_id', '=', providerId)
    .where('subject', '=', subject)
    .executeTakeFirst();
  return row ?? null;
}

/** Errors: unique violation when the identity or the account is linked already. */
export async function insertIdentity(
  trx: Trx,
  identity: {
    id: LinkedIdentityId;
    providerId: IdentityProviderId;
    userId: UserId;
    subject: string;
    email: string | null;
    now: Date;
  },
): Promise<void> {
  await trx
    .insertInto('linked_identity')
    .values({
      id: identity.id,
      provider_id: identity.providerId,
      user_id: identity.userId,
      subject: identity.subject,
      email: identity.email,
      created_at: identity.now,
      last_used_at: identity.now,
    })
    .execute();
}

export async function touchIdentity(trx: Trx, id: LinkedIdentityId, email: string | null, now: Date): Promise<void> {
  await trx.updateTable('linked_identity').set({ email, last_used_at: now }).where('id', '=', id).execute();
}

/** The account is locked: nobody takes the other way in meanwhile. Null when it is not the person's. */
export async function lockOwnIdentity(
  trx: Trx,
  person: PersonCaller,
  id: LinkedIdentityId,
): Promise<{ provider: string; subject: string; otherWays: boolean } | null> {
  await trx.selectFrom('app_user').select('id').where('id', '=', person.userId).forUpdate().execute();
  const row = await trx
    .selectFrom('linked_identity as l')
    .innerJoin('identity_provider as p', 'p.id', 'l.provider_id')
    .select(['p.name as provider', 'l.subject'])
    .select(otherWays.as('otherWays'))
    .where('l.id', '=', id)
    .where('l.user_id', '=', person.userId)
    .executeTakeFirst();
  return row ?? null;
}

export async function deleteIdentity(trx: Trx, id: LinkedIdentityId): Promise<void> {
  await trx.deleteFrom('linked_identity').where('id', '=', id).execute();
}

/** Everybody who is linked to a provider. */
export async function identitiesOf(
  db: Db,
  providerId: IdentityProviderId,
): Promise<{ id: LinkedIdentityId; userId: UserId }[]> {
  return db
    .selectFrom('linked_identity')
    .select(['id', 'user_id as userId'])
    .where('provider_id', '=', providerId)
    .execute();
}

/** Somebody with a verified address whom an identity with the same verified address may become; null otherwise. */
export async function findVerifiedOwner(trx: Trx, email: string): Promise<{ id: UserId; disabled: boolean } | null> {
  const row = await trx
    .selectFrom('app_user')
    .select(['id', 'disabled_at'])
    .where('email', '=', email)
    .where('email_verified_at', 'is not', null)
    .executeTakeFirst();
  return row === undefined ? null : { id: row.id, disabled: row.disabled_at !== null };
}

export type KeptToken = { kind: 'refresh' | 'access'; sealed: string; expiresAt: Date | null };

export async function insertOutsideSession(
  db: Db,
  session: {
    id: OutsideSessionId;
    identityId: LinkedIdentityId;
    sid: string | null;
    token: KeptToken | null;
    now: Date;
  },
): Promise<void> {
  await db
    .insertInto('outside_session')
    .values({
      id: session.id,
      identity_id: session.identityId,
      sid: session.sid,
      token_kind: session.token?.kind ?? null,
      token_sealed: session.token?.sealed ?? null,
      token_expires_at: session.token?.expiresAt ?? null,
      created_at: session.now,
      checked_at: session.now,
    })
    .execute();
}

/** From now on the session stands and falls with its session outside. False when that has ended meanwhile. */
export async function bindOutsideSession(trx: Trx, id: OutsideSessionId, sessionId: SessionId): Promise<boolean> {
  const row = await trx
    .updateTable('outside_session')
    .set({ session_id: sessionId })
    .where('id', '=', id)
    .where('session_id', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export type DueSession = {
  id: OutsideSessionId;
  sessionId: SessionId;
  userId: UserId;
  identityId: LinkedIdentityId;
  subject: string;
  providerId: IdentityProviderId;
  token: KeptToken;
};

/** Living sessions that were not asked about for as long as their provider's rule says; the longest wait first. */
export async function dueOutsideSessions(db: Db, now: Date, max: number): Promise<DueSession[]> {
  const rows = await db
    .selectFrom('outside_session as o')
    .innerJoin('session as s', 's.id', 'o.session_id')
    .innerJoin('linked_identity as l', 'l.id', 'o.identity_id')
    .innerJoin('identity_provider as p', 'p.id', 'l.provider_id')
    .select([
      'o.id',
      's.id as session_id',
      'l.user_id',
      'l.id as identity_id',
      'l.subject',
      'p.id as provider_id',
      'o.token_kind',
      'o.token_sealed',
      'o.token_expires_at',
    ])
    .where('s.revoked_at', 'is', null)
    .where('s.expires_at', '>', now)
    .where('o.token_sealed', 'is not', null)
    .where((eb) => eb.or([eb('o.token_expires_at', 'is', null), eb('o.token_expires_at', '>', now)]))
    .where(sql<boolean>`o.checked_at <= ${now}::timestamptz - make_interval(mins => p.recheck_minutes)`)
    .orderBy('o.checked_at')
    .limit(max)
    .execute();
  return rows.flatMap((row) =>
    row.token_kind === null || row.token_sealed === null
      ? []
      : [
          {
            id: row.id,
            sessionId: row.session_id,
            userId: row.user_id,
            identityId: row.identity_id,
            subject: row.subject,
            providerId: row.provider_id,
            token: { kind: row.token_kind, sealed: row.token_sealed, expiresAt: row.token_expires_at },
          },
        ],
  );
}

/** `token` null: only that we asked (and nobody answered). */
export async function noteChecked(db: Db, id: OutsideSessionId, token: KeptToken | null, now: Date): Promise<void> {
  await db
    .updateTable('outside_session')
    .set({
      checked_at: now,
      ...(token === null ? {} : { token_sealed: token.sealed, token_expires_at: token.expiresAt }),
    })
    .where('id', '=', id)
    .execute();
}

/** What ends: everything of a provider, of one identity, or of one session there. */
export type OutsideEnd =
  | { providerId: IdentityProviderId; subject?: string | null; sid?: string | null }
  | { identityId: LinkedIdentityId; except?: SessionId | null }
  | { outsideSessionId: OutsideSessionId };

/**
 * Ends the sessions that began there, and first steps whose second is open. Answers whose sessions ended, each person
 * once.
 */
export async function endOutsideSessions(trx: Trx, end: OutsideEnd, now: Date): Promise<UserId[]> {
  const found = await trx
    .selectFrom('outside_session as o')
    .innerJoin('linked_identity as l', 'l.id', 'o.identity_id')
    .select(['o.id', 'o.session_id'])
    .$if('providerId' in end, (query) =>
      query.where('l.provider_id', '=', (end as { providerId: IdentityProviderId }).providerId),
    )
    .$if('subject' in end && end.subject != null, (query) =>
      query.where('l.subject', '=', (end as { subject: string }).subject),
    )
    .$if('sid' in end && end.sid != null, (query) => query.where('o.sid', '=', (end as { sid: string }).sid))
    .$if('identityId' in end, (query) => query.where('l.id', '=', (end as { identityId: LinkedIdentityId }).identityId))
    .$if('outsideSessionId' in end, (query) =>
      query.where('o.id', '=', (end as { outsideSessionId: OutsideSessionId }).outsideSessionId),
    )
    .forUpdate('o')
    .execute();
  const except = 'except' in end ? (end.except ?? null) : null;
  const ending = found.filter((row) => row.session_id === null || row.session_id !== except);
  if (ending.length === 0) return [];
  await trx
    .deleteFrom('outside_session')
    .where(
      'id',
      'in',
      ending.map((row) => row.id),
    )
    .execute();
  const sessions = ending.flatMap((row) => row.session_id ?? []);
  if (sessions.length === 0) return [];
  const ended = await trx
    .updateTable('session')
    .set({ revoked_at: now })
    .where('id', 'in', sessions)
    .where('revoked_at', 'is', null)
    .returning('user_id')
    .execute();
  const people = [...new Set(ended.map((row) => row.user_id))];
  for (const person of people) await emit(trx, { kind: 'session', ref: person });
  return people;
}

/** Notes a logout token; false when it was taken before. */
export async function takeLogoutToken(
  trx: Trx,
  token: { providerId: IdentityProviderId; hash: Buffer; expiresAt: Date },
): Promise<boolean> {
  const row = await trx
    .insertInto('logout_token')
    .values({ provider_id: token.providerId, token_hash: token.hash, expires_at: token.expiresAt })
    .onConflict((conflict) => conflict.doNothing())
    .returning('token_hash')
    .executeTakeFirst();
  return row !== undefined;
}
