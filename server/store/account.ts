/** The own account: verified addresses, a change of address, forgotten passwords. Links arrive here as digests. */
import { sql } from 'kysely';
import type { PersonCaller } from '#domain/caller.ts';
import type { UserId } from '#domain/ids.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type EmailChange = { email: string; oldConfirmed: boolean; newConfirmed: boolean; expiresAt: Date };

export async function isEmailVerified(db: Db, userId: UserId): Promise<boolean> {
  const row = await db.selectFrom('app_user').select('email_verified_at').where('id', '=', userId).executeTakeFirst();
  return (row?.email_verified_at ?? null) !== null;
}

/** For who followed a link that was sent to the address and nowhere else. */
export async function markEmailVerified(trx: Trx, userId: UserId, now: Date): Promise<void> {
  await trx
    .updateTable('app_user')
    .set({ email_verified_at: now })
    .where('id', '=', userId)
    .where('email_verified_at', 'is', null)
    .execute();
}

export async function isEmailTaken(db: Db, email: string): Promise<boolean> {
  const row = await db.selectFrom('app_user').select('id').where('email', '=', email).executeTakeFirst();
  return row !== undefined;
}

export async function readEmailChange(db: Db, userId: UserId, now: Date): Promise<EmailChange | null> {
  const row = await db
    .selectFrom('email_change')
    .select(['email', 'old_confirmed_at', 'new_confirmed_at', 'expires_at'])
    .where('user_id', '=', userId)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    email: row.email,
    oldConfirmed: row.old_confirmed_at !== null,
    newConfirmed: row.new_confirmed_at !== null,
    expiresAt: row.expires_at,
  };
}

/** Takes the place of an earlier one, whose links work no longer. */
export async function beginEmailChange(
  trx: Trx,
  person: PersonCaller,
  change: { email: string; oldTokenHash: Buffer; newTokenHash: Buffer; now: Date; expiresAt: Date },
): Promise<void> {
  const columns = {
    email: change.email,
    old_token_hash: change.oldTokenHash,
    new_token_hash: change.newTokenHash,
    old_confirmed_at: null,
    new_confirmed_at: null,
    created_at: change.now,
    expires_at: change.expiresAt,
  };
  await trx
    .insertInto('email_change')
    .values({ user_id: person.userId, ...columns })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(columns))
    .execute();
  await emit(trx, { kind: 'session', ref: person.userId });
}

/** The address that will not become the person's; null when nothing was under way. */
export async function dropEmailChange(trx: Trx, userId: UserId): Promise<string | null> {
  const row = await trx.deleteFrom('email_change').where('user_id', '=', userId).returning('email').executeTakeFirst();
  if (row !== undefined) await emit(trx, { kind: 'session', ref: userId });
  return row?.email ?? null;
}

export type Confirmed = { userId: UserId; oldEmail: string; email: string; side: 'old' | 'new'; both: boolean };

/** Notes that one of the two addresses confirmed. Each link counts once; null: no such link, or over. */
export async function confirmEmailChange(
  trx: Trx,
  digests: { old: Buffer; new: Buffer },
  now: Date,
): Promise<Confirmed | null> {
  const row = await trx
    .selectFrom('email_change as c')
    .innerJoin('app_user as u', 'u.id', 'c.user_id')
    .select([
      'c.user_id',
      'c.email',
      'u.email as old_email',
      'c.old_confirmed_at',
      'c.new_confirmed_at',
      sql<boolean>`c.old_token_hash = ${digests.old}`.as('is_old'),
    ])
    .where((eb) => eb.or([eb('c.old_token_hash', '=', digests.old), eb('c.new_token_hash', '=', digests.new)]))
    .where('c.expires_at', '>', now)
    .where('u.disabled_at', 'is', null)
    .forUpdate('c')
    .executeTakeFirst();
  if (row === undefined) return null;
  const side = row.is_old ? 'old' : 'new';
  if ((side === 'old' ? row.old_confirmed_at : row.new_confirmed_at) !== null) return null;
  await trx
    .updateTable('email_change')
    .set(side === 'old' ? { old_confirmed_at: now } : { new_confirmed_at: now })
    .where('user_id', '=', row.user_id)
    .execute();
  await emit(trx, { kind: 'session', ref: row.user_id });
  const other = side === 'old' ? row.new_confirmed_at : row.old_confirmed_at;
  return { userId: row.user_id, oldEmail: row.old_email, email: row.email, side, both: other !== null };
}

/** Both have confirmed; `verifiedAt` null: that proved nothing. Errors: a unique violation when somebody else has the address by now. */
export async function finishEmailChange(trx: Trx, change: Confirmed, verifiedAt: Date | null): Promise<void> {
  await trx
    .updateTable('app_user')
    .set({ email: change.email, email_verified_at: verifiedAt })
    .where('id', '=', change.userId)
    .execute();
  await trx.deleteFrom('email_change').where('user_id', '=', change.userId).execute();
  await emitPerson(trx, change.userId);
}

/** Something changed that everybody who works with the person sees. */
export async function emitPerson(trx: Trx, userId: UserId): Promise<void> {
  const rows = await trx.selectFrom('membership').select('organization_id').where('user_id', '=', userId).execute();
  await emit(
    trx,
    { kind: 'session', ref: userId },
    ...rows.map((row) => ({ kind: 'member' as const, ref: userId, organizationId: row.organization_id })),
  );
}

/** `userId` null: nobody has this address; the row makes both cases the same work and opens nothing. */
export async function insertPasswordReset(
  trx: Trx,
  reset: { tokenHash: Buffer; userId: UserId | null; now: Date; expiresAt: Date },
): Promise<void> {
  await trx
    .insertInto('password_reset')
    .values({
      token_hash: reset.tokenHash,
      user_id: reset.userId,
      created_at: reset.now,
      expires_at: reset.expiresAt,
    })
    .execute();
}

/** Links of the person made since `since`, used or not. */
export async function countPasswordResets(db: Db, userId: UserId | null, since: Date): Promise<number> {
  const { count } = await db
    .selectFrom('password_reset')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', userId === null ? 'is' : '=', userId)
    .where('created_at', '>', since)
    .executeTakeFirstOrThrow();
  return count;
}

/** Whose link it is, before it is used; null: none that works. */
export async function findPasswordReset(
  db: Db,
  tokenHash: Buffer,
  now: Date,
): Promise<{ userId: UserId; email: string; name: string } | null> {
  const row = await db
    .selectFrom('password_reset as r')
    .innerJoin('app_user as u', 'u.id', 'r.user_id')
    .select(['u.id', 'u.email', 'u.name'])
    .where('r.token_hash', '=', tokenHash)
    .where('r.used_at', 'is', null)
    .where('r.expires_at', '>', now)
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : { userId: row.id, email: row.email, name: row.name };
}

/** Uses the link up, and with it every other one of the person; false when it was used meanwhile. */
export async function takePasswordReset(trx: Trx, tokenHash: Buffer, userId: UserId, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('password_reset')
    .set({ used_at: now })
    .where('token_hash', '=', tokenHash)
    .where('user_id', '=', userId)
    .where('used_at', 'is', null)
    .returning('user_id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await cancelPasswordResets(trx, userId, now);
  return true;
}

/** Links that are out no longer work: the password was changed, the address or the account is another. */
export async function cancelPasswordResets(trx: Trx, userId: UserId, now: Date): Promise<void> {
  await trx
    .updateTable('password_reset')
    .set({ used_at: now })
    .where('user_id', '=', userId)
    .where('used_at', 'is', null)
    .execute();
}

/** With the proof of a link: the new password, and no session that began before it. */
export async function setPassword(trx: Trx, userId: UserId, passwordHash: string, now: Date): Promise<void> {
  await trx.updateTable('app_user').set({ password_hash: passwordHash }).where('id', '=', userId).execute();
  await trx.deleteFrom('sign_in').where('user_id', '=', userId).execute();
  await endSessions(trx, userId, now);
}

export async function endSessions(trx: Trx, userId: UserId, now: Date): Promise<void> {
  await trx
    .updateTable('session')
    .set({ revoked_at: now })
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .execute();
  await emit(trx, { kind: 'session', ref: userId });
}

export async function revokeTokens(trx: Trx, userId: UserId, now: Date): Promise<void> {
  await trx
    .updateTable('api_token')
    .set({ revoked_at: now })
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .execute();
  await emit(trx, { kind: 'session', ref: userId });
}

/** Forgets links and changes that ended before `before`. */
export async function sweepAccountLinks(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('password_reset').where('expires_at', '<', before).execute();
  await db.deleteFrom('email_change').where('expires_at', '<', before).execute();
}
