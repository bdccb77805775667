/**
 * Sign-ins in progress, the challenges of passkeys, and when a session was last confirmed. Secrets arrive as digests.
 * Everything here is bound to one purpose and used once.
 */
import type { PersonCaller } from '#domain/caller.ts';
import { SIGN_IN_ATTEMPTS_MAX } from '#domain/factors.ts';
import type { OutsideSessionId, SignInId, UserId } from '#domain/ids.ts';
import type { Db, Trx } from './database.ts';
import type { User } from './identity.ts';

export type SignInPurpose = 'factor' | 'passkey';

/** `outsideSessionId`: what the session will stand and fall with, when an identity provider did the first step. */
export type SignInProgress = {
  id: SignInId;
  userId: UserId | null;
  method: string;
  outsideSessionId: OutsideSessionId | null;
};

export async function insertSignIn(
  db: Db,
  signIn: {
    id: SignInId;
    purpose: SignInPurpose;
    tokenHash: Buffer;
    userId: UserId | null;
    method: string;
    userAgent: string;
    outsideSessionId: OutsideSessionId | null;
    now: Date;
    expiresAt: Date;
  },
): Promise<void> {
  await db
    .insertInto('sign_in')
    .values({
      id: signIn.id,
      purpose: signIn.purpose,
      token_hash: signIn.tokenHash,
      user_id: signIn.userId,
      method: signIn.method,
      user_agent: signIn.userAgent,
      outside_session_id: signIn.outsideSessionId,
      created_at: signIn.now,
      expires_at: signIn.expiresAt,
    })
    .execute();
}

type Handle = { purpose: SignInPurpose; tokenHash: Buffer; userAgent: string };

/** The living sign-in of this handle and browser; null otherwise. */
export async function findSignIn(db: Db, handle: Handle, now: Date): Promise<SignInProgress | null> {
  const row = await db
    .selectFrom('sign_in')
    .select(['id', 'user_id as userId', 'method', 'outside_session_id as outsideSessionId'])
    .where('token_hash', '=', handle.tokenHash)
    .where('purpose', '=', handle.purpose)
    .where('user_agent', '=', handle.userAgent)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row ?? null;
}

/** Counts one attempt before its answer is looked at; null when there were too many or the sign-in is over. */
export async function attemptSignIn(db: Db, handle: Handle, now: Date): Promise<SignInProgress | null> {
  const row = await db
    .updateTable('sign_in')
    .set((eb) => ({ attempts: eb('attempts', '+', 1) }))
    .where('token_hash', '=', handle.tokenHash)
    .where('purpose', '=', handle.purpose)
    .where('user_agent', '=', handle.userAgent)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .where('attempts', '<', SIGN_IN_ATTEMPTS_MAX)
    .returning(['id', 'user_id as userId', 'method', 'outside_session_id as outsideSessionId'])
    .executeTakeFirst();
  return row ?? null;
}

/** Ends it; false when somebody was first. */
export async function useSignIn(trx: Trx, id: SignInId, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('sign_in')
    .set({ used_at: now })
    .where('id', '=', id)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** The account a sign-in in progress is about; null when it is gone or disabled. */
export async function findSignInUser(trx: Db, userId: UserId): Promise<User | null> {
  const row = await trx
    .selectFrom('app_user')
    .select(['id', 'email', 'name', 'platform_admin', 'service_of', 'created_at'])
    .where('id', '=', userId)
    .where('service_of', 'is', null)
    .where('disabled_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    platformAdmin: row.platform_admin,
    serviceOf: row.service_of,
    createdAt: row.created_at,
    disabled: false,
  };
}

/** Whose challenge it is: of a sign-in in progress, or of a person who is signed in. */
export type ChallengeOwner =
  | { purpose: 'factor' | 'passkey'; signInId: SignInId }
  | { purpose: 'register' | 'confirm'; userId: UserId };

export async function insertChallenge(
  db: Db,
  challenge: { hash: Buffer; owner: ChallengeOwner; now: Date; expiresAt: Date },
): Promise<void> {
  const { owner } = challenge;
  await db
    .insertInto('passkey_challenge')
    .values({
      challenge_hash: challenge.hash,
      purpose: owner.purpose,
      sign_in_id: 'signInId' in owner ? owner.signInId : null,
      user_id: 'userId' in owner ? owner.userId : null,
      created_at: challenge.now,
      expires_at: challenge.expiresAt,
    })
    .execute();
}

/** Takes the challenge away, whatever comes of it; false when it is not there, is another's or has expired. */
export async function takeChallenge(db: Db, hash: Buffer, owner: ChallengeOwner, now: Date): Promise<boolean> {
  const row = await db
    .deleteFrom('passkey_challenge')
    .where('challenge_hash', '=', hash)
    .where('purpose', '=', owner.purpose)
    .$if('signInId' in owner, (query) => query.where('sign_in_id', '=', (owner as { signInId: SignInId }).signInId))
    .$if('userId' in owner, (query) => query.where('user_id', '=', (owner as { userId: UserId }).userId))
    .returning('expires_at')
    .executeTakeFirst();
  return row !== undefined && row.expires_at > now;
}

/** When the session or token last confirmed who uses it; null: never. */
export async function confirmedAt(db: Db, credential: PersonCaller['credential']): Promise<Date | null> {
  const row =
    credential.via === 'session'
      ? await db.selectFrom('session').select('confirmed_at').where('id', '=', credential.sessionId).executeTakeFirst()
      : await db.selectFrom('api_token').select('confirmed_at').where('id', '=', credential.tokenId).executeTakeFirst();
  return row?.confirmed_at ?? null;
}

export async function setConfirmed(trx: Trx, credential: PersonCaller['credential'], now: Date): Promise<void> {
  if (credential.via === 'session') {
    await trx.updateTable('session').set({ confirmed_at: now }).where('id', '=', credential.sessionId).execute();
  } else {
    await trx.updateTable('api_token').set({ confirmed_at: now }).where('id', '=', credential.tokenId).execute();
  }
}

/** Forgets what ended before `before`. */
export async function sweepSignIns(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('passkey_challenge').where('expires_at', '<', before).execute();
  await db.deleteFrom('sign_in').where('expires_at', '<', before).execute();
}
