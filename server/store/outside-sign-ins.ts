/** Browsers that were sent to an identity provider and are expected back: bound to the browser, used once. */
import type { IdentityProviderId, OutsideSignInId, SessionId } from '#domain/ids.ts';
import type { Db } from './database.ts';

export type OutsideSignIn = {
  id: OutsideSignInId;
  providerId: IdentityProviderId;
  secretsSealed: string;
  /** The session that links; null: signing in. */
  sessionId: SessionId | null;
  returnTo: string | null;
};

export async function insertOutsideSignIn(
  db: Db,
  signIn: OutsideSignIn & { stateHash: Buffer; browserHash: Buffer; now: Date; expiresAt: Date },
): Promise<void> {
  await db
    .insertInto('outside_sign_in')
    .values({
      id: signIn.id,
      provider_id: signIn.providerId,
      state_hash: signIn.stateHash,
      browser_hash: signIn.browserHash,
      secrets_sealed: signIn.secretsSealed,
      session_id: signIn.sessionId,
      return_to: signIn.returnTo,
      created_at: signIn.now,
      expires_at: signIn.expiresAt,
    })
    .execute();
}

/** Takes it, whatever comes of it; null when it was used, has expired, is another browser's or another provider's. */
export async function takeOutsideSignIn(
  db: Db,
  key: { stateHash: Buffer; browserHash: Buffer; providerId: IdentityProviderId },
  now: Date,
): Promise<OutsideSignIn | null> {
  const row = await db
    .updateTable('outside_sign_in')
    .set({ used_at: now })
    .where('state_hash', '=', key.stateHash)
    .where('browser_hash', '=', key.browserHash)
    .where('provider_id', '=', key.providerId)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning([
      'id',
      'provider_id as providerId',
      'secrets_sealed as secretsSealed',
      'session_id as sessionId',
      'return_to as returnTo',
    ])
    .executeTakeFirst();
  return row ?? null;
}

/** Forgets what ended before `before`: sign-ins on their way, first steps without a second, logout tokens. */
export async function sweepOutsideSignIns(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('outside_sign_in').where('expires_at', '<', before).execute();
  await db.deleteFrom('outside_session').where('session_id', 'is', null).where('created_at', '<', before).execute();
  await db.deleteFrom('logout_token').where('expires_at', '<', before).execute();
}
