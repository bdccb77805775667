/** Keys that sign tokens. Private halves arrive and leave sealed. */
import { sql } from 'kysely';
import type { SigningKeyId } from '#domain/ids.ts';
import type { SigningPurpose } from '#domain/keys.ts';
import type { Authorized } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';
import type { PublicJwk } from './tables.ts';

/** Any fixed number; it names the lock under which signing keys change. */
const SIGNING_KEYS_LOCK = 6_273_020;

export type StoredSigningKey = {
  id: SigningKeyId;
  purpose: SigningPurpose;
  publicJwk: PublicJwk;
  privateSealed: string;
  createdAt: Date;
  activeFrom: Date;
  expiresAt: Date | null;
};

/** Where the private half of a key is sealed to. */
export function signingKeyPlace(id: SigningKeyId) {
  return { table: 'signing_key', row: id, column: 'private_sealed' };
}

/** Every key that still counts at `now`, the newest first. */
export async function listSigningKeys(db: Db, now: Date): Promise<StoredSigningKey[]> {
  const rows = await db
    .selectFrom('signing_key')
    .selectAll()
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .orderBy('active_from', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    purpose: row.purpose,
    publicJwk: row.public_jwk,
    privateSealed: row.private_sealed,
    createdAt: row.created_at,
    activeFrom: row.active_from,
    expiresAt: row.expires_at,
  }));
}

/** Adds the very first key of its purpose; nothing happens when there is one already. */
export async function insertFirstSigningKey(trx: Trx, key: StoredSigningKey): Promise<void> {
  await sql`select pg_advisory_xact_lock(${SIGNING_KEYS_LOCK})`.execute(trx);
  const there = await trx
    .selectFrom('signing_key')
    .select('id')
    .where('purpose', '=', key.purpose)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', key.createdAt)]))
    .executeTakeFirst();
  if (there === undefined) await insertSigningKey(trx, key);
}

/** Adds the next key of its purpose; the ones before it count until `othersEndAt` at most. */
export async function insertNextSigningKey(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.key.rotate'>,
  key: StoredSigningKey,
  othersEndAt: Date,
): Promise<void> {
  await sql`select pg_advisory_xact_lock(${SIGNING_KEYS_LOCK})`.execute(trx);
  await trx
    .updateTable('signing_key')
    .set({ expires_at: othersEndAt })
    .where('purpose', '=', key.purpose)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', othersEndAt)]))
    .execute();
  await insertSigningKey(trx, key);
}

async function insertSigningKey(trx: Trx, key: StoredSigningKey): Promise<void> {
  await trx
    .insertInto('signing_key')
    .values({
      id: key.id,
      purpose: key.purpose,
      public_jwk: json(key.publicJwk),
      private_sealed: key.privateSealed,
      created_at: key.createdAt,
      active_from: key.activeFrom,
      expires_at: key.expiresAt,
    })
    .execute();
  await emit(trx, { kind: 'key', ref: key.id });
}

/** Forgets keys that nothing valid was signed with; answers how many. */
export async function sweepSigningKeys(db: Db, now: Date): Promise<number> {
  const result = await db.deleteFrom('signing_key').where('expires_at', '<=', now).executeTakeFirst();
  return Number(result.numDeletedRows);
}
