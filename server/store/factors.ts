/**
 * Second factors of a person: the authenticator app, passkeys, recovery codes. Every use is one conditional update, so
 * that two requests with the same code never both succeed. Whoever calls has proven the right to (it is the own account,
 * or a step of signing in).
 */
import { sql } from 'kysely';
import type { FactorKind } from '#domain/factors.ts';
import type { PasskeyId, UserId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import type { MemberProof } from './members.ts';
import { emit } from './outbox.ts';

export type Passkey = { id: PasskeyId; name: string; synced: boolean; createdAt: Date; lastUsedAt: Date | null };
/** With what is needed to check an answer of it. */
export type StoredPasskey = Passkey & {
  userId: UserId;
  credentialId: string;
  publicKey: Buffer;
  counter: number;
  transports: string[];
};

export type Factors = { totpSince: Date | null; passkeys: Passkey[]; recoveryCodesLeft: number };

const passkeyColumns = [
  'id',
  'user_id',
  'credential_id',
  'public_key',
  'counter',
  'transports',
  'name',
  'synced',
  'created_at',
  'last_used_at',
] as const;

function rowToPasskey(row: {
  id: PasskeyId;
  user_id: UserId;
  credential_id: string;
  public_key: Buffer;
  counter: number;
  transports: string[];
  name: string;
  synced: boolean;
  created_at: Date;
  last_used_at: Date | null;
}): StoredPasskey {
  return {
    id: row.id,
    userId: row.user_id,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    counter: row.counter,
    transports: row.transports,
    name: row.name,
    synced: row.synced,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  };
}

export async function readFactors(db: Db, userId: UserId): Promise<Factors> {
  const [totp, passkeys, codes] = await Promise.all([
    db
      .selectFrom('totp')
      .select('confirmed_at')
      .where('user_id', '=', userId)
      .where('confirmed_at', 'is not', null)
      .executeTakeFirst(),
    listPasskeys(db, userId),
    db
      .selectFrom('recovery_code')
      .select((eb) => eb.fn.countAll<number>().as('left'))
      .where('user_id', '=', userId)
      .where('used_at', 'is', null)
      .executeTakeFirstOrThrow(),
  ]);
  return { totpSince: totp?.confirmed_at ?? null, passkeys, recoveryCodesLeft: codes.left };
}

/** What the second step of signing in takes; empty: there is no second factor. Recovery codes alone are none. */
export function kindsOf(factors: Factors): FactorKind[] {
  const kinds: FactorKind[] = [];
  if (factors.passkeys.length > 0) kinds.push('passkey');
  if (factors.totpSince !== null) kinds.push('totp');
  if (kinds.length > 0 && factors.recoveryCodesLeft > 0) kinds.push('recovery');
  return kinds;
}

/** Serialises changes of one person's factors: the row of the account is locked until the end of `trx`. */
export async function lockPerson(trx: Trx, userId: UserId): Promise<void> {
  await trx.selectFrom('app_user').select('id').where('id', '=', userId).forUpdate().execute();
}

/**
 * Brings the account's `second_factor` in line with what it has; without any factor the recovery codes go as well.
 * Answers whether there is one. Edge and
 * the person's organizations are told: a rule about second factors may open or close doors.
 */
export async function refreshSecondFactor(trx: Trx, userId: UserId): Promise<boolean> {
  const before = await trx
    .selectFrom('app_user')
    .select('second_factor')
    .where('id', '=', userId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const row = await trx
    .updateTable('app_user')
    .set({
      second_factor: sql<boolean>`exists (select from totp t where t.user_id = app_user.id and t.confirmed_at is not null)
        or exists (select from passkey p where p.user_id = app_user.id)`,
    })
    .where('id', '=', userId)
    .returning('second_factor')
    .executeTakeFirstOrThrow();
  if (!row.second_factor) await trx.deleteFrom('recovery_code').where('user_id', '=', userId).execute();
  await emit(trx, { kind: 'session', ref: userId });
  if (before.second_factor !== row.second_factor) {
    const places = await trx.selectFrom('membership').select('organization_id').where('user_id', '=', userId).execute();
    for (const place of places) {
      await emit(trx, { kind: 'member', ref: userId, organizationId: place.organization_id });
    }
  }
  return row.second_factor;
}

/** Titles of the person's organizations that ask for a second factor. */
export async function organizationsThatAsk(db: Db, userId: UserId): Promise<string[]> {
  const rows = await db
    .selectFrom('membership as m')
    .innerJoin('organization as o', 'o.id', 'm.organization_id')
    .select('o.title')
    .where('m.user_id', '=', userId)
    .where('o.second_factor_required', '=', true)
    .orderBy('o.title')
    .limit(100)
    .execute();
  return rows.map((row) => row.title);
}

// ---- authenticator app ----------------------------------------------------------------------------------------------

/** Keeps a new key that does not count yet; false when there is a confirmed one already. */
export async function beginTotp(trx: Trx, userId: UserId, sealed: string, now: Date): Promise<boolean> {
  const row = await trx
    .insertInto('totp')
    .values({ user_id: userId, secret_sealed: sealed, created_at: now })
    .onConflict((conflict) =>
      conflict
        .column('user_id')
        .doUpdateSet({ secret_sealed: sealed, created_at: now, last_step: null })
        .where('totp.confirmed_at', 'is', null),
    )
    .returning('user_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** The sealed key: the confirmed one, or the one that is being set up since `pendingSince` or later. */
export async function totpSecret(db: Db, userId: UserId, which: 'confirmed' | { pendingSince: Date }) {
  const row = await db
    .selectFrom('totp')
    .select(['secret_sealed', 'last_step'])
    .where('user_id', '=', userId)
    .$if(which === 'confirmed', (query) => query.where('confirmed_at', 'is not', null))
    .$if(which !== 'confirmed', (query) =>
      query.where('confirmed_at', 'is', null).where('created_at', '>=', (which as { pendingSince: Date }).pendingSince),
    )
    .executeTakeFirst();
  return row === undefined ? null : { sealed: row.secret_sealed, lastStep: row.last_step };
}

/** Makes the pending key count and its first code used; false when it is not (or no longer) that key. */
export async function confirmTotp(trx: Trx, userId: UserId, sealed: string, step: number, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('totp')
    .set({ confirmed_at: now, last_step: step })
    .where('user_id', '=', userId)
    .where('confirmed_at', 'is', null)
    .where('secret_sealed', '=', sealed)
    .returning('user_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Uses up the code of `step`; false when it, or a later one, was used. */
export async function useTotpStep(trx: Trx, userId: UserId, sealed: string, step: number): Promise<boolean> {
  const row = await trx
    .updateTable('totp')
    .set({ last_step: step })
    .where('user_id', '=', userId)
    .where('confirmed_at', 'is not', null)
    .where('secret_sealed', '=', sealed)
    .where((eb) => eb.or([eb('last_step', 'is', null), eb('last_step', '<', step)]))
    .returning('user_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** False when there was no confirmed one. */
export async function deleteTotp(trx: Trx, userId: UserId): Promise<boolean> {
  const row = await trx
    .deleteFrom('totp')
    .where('user_id', '=', userId)
    .where('confirmed_at', 'is not', null)
    .returning('user_id')
    .executeTakeFirst();
  return row !== undefined;
}

// ---- recovery codes -------------------------------------------------------------------------------------------------

/** Replaces all recovery codes. */
export async function replaceRecoveryCodes(trx: Trx, userId: UserId, hashes: Buffer[], now: Date): Promise<void> {
  await trx.deleteFrom('recovery_code').where('user_id', '=', userId).execute();
  await trx
    .insertInto('recovery_code')
    .values(hashes.map((hash) => ({ user_id: userId, code_hash: hash, created_at: now })))
    .execute();
}

/** False when there is no such unused code. */
export async function useRecoveryCode(trx: Trx, userId: UserId, hash: Buffer, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('recovery_code')
    .set({ used_at: now })
    .where('user_id', '=', userId)
    .where('code_hash', '=', hash)
    .where('used_at', 'is', null)
    .returning('user_id')
    .executeTakeFirst();
  return row !== undefined;
}

// ---- passkeys -------------------------------------------------------------------------------------------------------

export async function listPasskeys(db: Db, userId: UserId): Promise<StoredPasskey[]> {
  const rows = await db
    .selectFrom('passkey')
    .select(passkeyColumns)
    .where('user_id', '=', userId)
    .orderBy('created_at')
    .limit(100)
    .execute();
  return rows.map(rowToPasskey);
}

export async function findPasskey(db: Db, credentialId: string): Promise<StoredPasskey | null> {
  const row = await db
    .selectFrom('passkey')
    .select(passkeyColumns)
    .where('credential_id', '=', credentialId)
    .executeTakeFirst();
  return row === undefined ? null : rowToPasskey(row);
}

export async function insertPasskey(trx: Trx, passkey: Omit<StoredPasskey, 'lastUsedAt'>): Promise<Passkey> {
  const row = await trx
    .insertInto('passkey')
    .values({
      id: passkey.id,
      user_id: passkey.userId,
      credential_id: passkey.credentialId,
      public_key: passkey.publicKey,
      counter: passkey.counter,
      transports: json(passkey.transports),
      name: passkey.name,
      synced: passkey.synced,
      created_at: passkey.createdAt,
    })
    .returning(passkeyColumns)
    .executeTakeFirstOrThrow();
  return rowToPasskey(row);
}

/**
 * Notes a use. A counter that does not grow means a copy: false. Passkeys that do not count answer 0 always.
 */
export async function usePasskey(trx: Trx, id: PasskeyId, counter: number, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('passkey')
    .set({ counter, last_used_at: now })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('counter', '<', counter), eb.and([eb('counter', '=', 0), eb.val(counter === 0)])]))
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Null when the person has no such passkey. */
export async function renamePasskey(
  trx: Trx,
  userId: UserId,
  id: PasskeyId,
  name: string,
): Promise<{ before: string; passkey: Passkey } | null> {
  const old = await trx
    .selectFrom('passkey')
    .select('name')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .forUpdate()
    .executeTakeFirst();
  if (old === undefined) return null;
  const row = await trx
    .updateTable('passkey')
    .set({ name })
    .where('id', '=', id)
    .returning(passkeyColumns)
    .executeTakeFirstOrThrow();
  return { before: old.name, passkey: rowToPasskey(row) };
}

/** Name of the removed passkey; null when the person has no such. */
export async function deletePasskey(trx: Trx, userId: UserId, id: PasskeyId): Promise<string | null> {
  const row = await trx
    .deleteFrom('passkey')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning('name')
    .executeTakeFirst();
  return row?.name ?? null;
}

/** Whether somebody belongs to this organization alone and administers nothing else; else its people have no say. */
export async function belongsHereAlone(trx: Trx, proof: MemberProof<'member.factors'>): Promise<boolean> {
  const row = await trx
    .selectFrom('app_user as u')
    .select('u.id')
    .where('u.id', '=', proof.id)
    .where('u.platform_admin', '=', false)
    .where(({ exists, not, selectFrom }) =>
      not(
        exists(
          selectFrom('membership as m')
            .select('m.user_id')
            .whereRef('m.user_id', '=', 'u.id')
            .where('m.organization_id', '!=', proof.organization),
        ),
      ),
    )
    .executeTakeFirst();
  return row !== undefined;
}

/** Removes everything of somebody and ends all their sessions; their address, or null when there is no such person. */
export async function resetFactors(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.user.factors'> | MemberProof<'member.factors'>,
  userId: UserId,
  now: Date,
): Promise<{ email: string; before: { totp: boolean; passkeys: number } } | null> {
  const user = await trx
    .selectFrom('app_user')
    .select('email')
    .where('id', '=', userId)
    .where('service_of', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (user === undefined) return null;
  const totp = await trx.deleteFrom('totp').where('user_id', '=', userId).executeTakeFirst();
  const passkeys = await trx.deleteFrom('passkey').where('user_id', '=', userId).executeTakeFirst();
  await trx.deleteFrom('sign_in').where('user_id', '=', userId).execute();
  await trx
    .updateTable('session')
    .set({ revoked_at: now })
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .execute();
  await refreshSecondFactor(trx, userId);
  return {
    email: user.email,
    before: { totp: Number(totp.numDeletedRows) > 0, passkeys: Number(passkeys.numDeletedRows) },
  };
}
