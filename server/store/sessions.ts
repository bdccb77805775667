/** Sessions beyond their beginning and end: renewing the secret, and sessions of programs with their refresh tokens. */
import type { RawBuilder } from 'kysely';
import type { PersonCaller } from '#domain/caller.ts';
import type { SessionId, UserId } from '#domain/ids.ts';
import type { Db, Trx } from './database.ts';
import { type FoundCredential, sessionColumns, sessionRowToFound } from './identity.ts';
import { emit } from './outbox.ts';

/**
 * A new secret for the session that is calling; the one before may read until `graceUntil`. With `ifAsked` only when
 * somebody asked for it. False when the session has ended or another request was first.
 */
export async function renewOwnSession(
  trx: Trx,
  person: PersonCaller,
  renewal: { tokenHash: Buffer; graceUntil: Date; now: Date },
  ifAsked: boolean,
): Promise<boolean> {
  if (person.credential.via !== 'session') return false;
  const row = await trx
    .updateTable('session')
    .set((eb) => ({
      previous_hash: eb.ref('token_hash'),
      previous_until: renewal.graceUntil,
      token_hash: renewal.tokenHash,
      renew: false,
    }))
    .where('id', '=', person.credential.sessionId)
    .where('user_id', '=', person.userId)
    .where('kind', '=', 'browser')
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', renewal.now)
    .$if(ifAsked, (query) => query.where('renew', '=', true))
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) await emit(trx, { kind: 'session', ref: person.userId });
  return row !== undefined;
}

/**
 * What these people may do has changed, by whatever way (role, group, grant, entry, rule): their browsers get a new
 * secret with their next request. Belongs into the transaction of the change, beside its hint.
 */
export async function askToRenewSessions(trx: Trx, people: readonly UserId[] | RawBuilder<UserId>): Promise<void> {
  if ('length' in people && people.length === 0) return;
  await trx
    .updateTable('session')
    .set({ renew: true })
    .where('user_id', 'in', people)
    .where('kind', '=', 'browser')
    .where('revoked_at', 'is', null)
    .where('renew', '=', false)
    .execute();
}

/** The session whose secret this was until a moment ago; null otherwise. */
export async function findRenewedSession(db: Db, tokenHash: Buffer, now: Date): Promise<FoundCredential | null> {
  const row = await db
    .selectFrom('session as s')
    .innerJoin('app_user as u', 'u.id', 's.user_id')
    .select(sessionColumns)
    .where('s.previous_hash', '=', tokenHash)
    .where('s.previous_until', '>', now)
    .where('s.revoked_at', 'is', null)
    .where('s.expires_at', '>', now)
    .where((eb) => eb.or([eb('s.idle_expires_at', 'is', null), eb('s.idle_expires_at', '>', now)]))
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : { ...sessionRowToFound(row, now), renew: false };
}

/** The living session of a program that an access token names; null otherwise. */
export async function findClientSession(
  db: Db,
  ids: { sessionId: SessionId; userId: UserId },
  now: Date,
): Promise<FoundCredential | null> {
  const row = await db
    .selectFrom('session as s')
    .innerJoin('app_user as u', 'u.id', 's.user_id')
    .select(sessionColumns)
    .where('s.id', '=', ids.sessionId)
    .where('s.user_id', '=', ids.userId)
    .where('s.kind', '=', 'client')
    .where('s.revoked_at', 'is', null)
    .where('s.expires_at', '>', now)
    .where((eb) => eb.or([eb('s.idle_expires_at', 'is', null), eb('s.idle_expires_at', '>', now)]))
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : sessionRowToFound(row, now);
}

export type ClientSession = { id: SessionId; userId: UserId; client: string; scopes: string[] | null; expiresAt: Date };

export async function insertClientSession(
  trx: Trx,
  session: ClientSession & { address: string; userAgent: string; confirmedAt: Date | null; now: Date },
): Promise<void> {
  await trx
    .insertInto('session')
    .values({
      id: session.id,
      user_id: session.userId,
      kind: 'client',
      client: session.client,
      scopes: session.scopes,
      last_seen_at: session.now,
      expires_at: session.expiresAt,
      address: session.address,
      user_agent: session.userAgent,
      confirmed_at: session.confirmedAt,
    })
    .execute();
  await emit(trx, { kind: 'session', ref: session.userId });
}

/** Adds a refresh token to the family; the session lives at least as long, if it may. */
export async function insertRefreshToken(
  trx: Trx,
  token: { hash: Buffer; sessionId: SessionId; now: Date; expiresAt: Date; address: string; userAgent: string },
): Promise<void> {
  await trx
    .insertInto('refresh_token')
    .values({
      token_hash: token.hash,
      session_id: token.sessionId,
      created_at: token.now,
      expires_at: token.expiresAt,
    })
    .execute();
  await trx
    .updateTable('session')
    .set({
      idle_expires_at: token.expiresAt,
      last_seen_at: token.now,
      address: token.address,
      user_agent: token.userAgent,
    })
    .where('id', '=', token.sessionId)
    .execute();
}

/**
 * Uses a refresh token up, in one statement. `used`: it was used before, somebody has a copy. Null: there is none, or it
 * has expired.
 */
export async function useRefreshToken(
  trx: Trx,
  hash: Buffer,
  now: Date,
): Promise<{ sessionId: SessionId; used: boolean } | null> {
  const row = await trx
    .updateTable('refresh_token')
    .set({ used_at: now })
    .where('token_hash', '=', hash)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning('session_id')
    .executeTakeFirst();
  if (row !== undefined) return { sessionId: row.session_id, used: false };
  const there = await trx
    .selectFrom('refresh_token')
    .select('session_id')
    .where('token_hash', '=', hash)
    .where('used_at', 'is not', null)
    .executeTakeFirst();
  return there === undefined ? null : { sessionId: there.session_id, used: true };
}

/** The session a refresh token belongs to, used or not; null when there is none. */
export async function sessionOfRefreshToken(db: Db, hash: Buffer): Promise<SessionId | null> {
  const row = await db
    .selectFrom('refresh_token')
    .select('session_id')
    .where('token_hash', '=', hash)
    .executeTakeFirst();
  return row?.session_id ?? null;
}

export type SessionOwner = { id: UserId; email: string };

/** The living program session, locked, with its owner; null when it has ended or the account is disabled. */
export async function lockClientSession(
  trx: Trx,
  id: SessionId,
  now: Date,
): Promise<(ClientSession & { owner: SessionOwner }) | null> {
  const row = await trx
    .selectFrom('session as s')
    .innerJoin('app_user as u', 'u.id', 's.user_id')
    .select(['s.id', 's.user_id', 's.client', 's.scopes', 's.expires_at', 'u.email'])
    .where('s.id', '=', id)
    .where('s.kind', '=', 'client')
    .where('s.revoked_at', 'is', null)
    .where('s.expires_at', '>', now)
    .where('u.disabled_at', 'is', null)
    .forUpdate('s')
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    id: row.id,
    userId: row.user_id,
    client: row.client ?? 'a program',
    scopes: row.scopes,
    expiresAt: row.expires_at,
    owner: { id: row.user_id, email: row.email },
  };
}

/** Ends a program's session with every token of it; its owner, or null when it had ended. */
export async function revokeClientSession(
  trx: Trx,
  id: SessionId,
  now: Date,
): Promise<(SessionOwner & { client: string }) | null> {
  const row = await trx
    .updateTable('session as s')
    .from('app_user as u')
    .set({ revoked_at: now })
    .whereRef('u.id', '=', 's.user_id')
    .where('s.id', '=', id)
    .where('s.kind', '=', 'client')
    .where('s.revoked_at', 'is', null)
    .returning(['s.user_id', 's.client', 'u.email'])
    .executeTakeFirst();
  if (row === undefined) return null;
  await emit(trx, { kind: 'session', ref: row.user_id });
  return { id: row.user_id, email: row.email, client: row.client ?? 'a program' };
}

/** Forgets refresh tokens that ended before `before`. */
export async function sweepRefreshTokens(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('refresh_token').where('expires_at', '<', before).execute();
}
