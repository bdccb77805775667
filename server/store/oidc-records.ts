/** What the OpenID provider library keeps: codes, tokens, grants, sign-ins on their way. Ids arrive as digests. */
import type { Db } from './database.ts';

export type OidcRecord = { id: string; payloadSealed: string; consumedAt: Date | null };

export async function upsertOidcRecord(
  db: Db,
  record: { id: string; payloadSealed: string; grantHash: string | null; uidHash: string | null; expiresAt: Date },
): Promise<void> {
  const row = {
    payload_sealed: record.payloadSealed,
    grant_hash: record.grantHash,
    uid_hash: record.uidHash,
    expires_at: record.expiresAt,
  };
  await db
    .insertInto('oidc_record')
    .values({ id: record.id, ...row })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
    .execute();
}

const columns = ['id', 'payload_sealed as payloadSealed', 'consumed_at as consumedAt'] as const;

export async function findOidcRecord(db: Db, id: string, now: Date): Promise<OidcRecord | null> {
  const row = await db
    .selectFrom('oidc_record')
    .select(columns)
    .where('id', '=', id)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row ?? null;
}

export async function findOidcRecordByUid(db: Db, uidHash: string, now: Date): Promise<OidcRecord | null> {
  const row = await db
    .selectFrom('oidc_record')
    .select(columns)
    .where('uid_hash', '=', uidHash)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row ?? null;
}

/** False when it was used before, or by somebody else at this moment. */
export async function consumeOidcRecord(db: Db, id: string, now: Date): Promise<boolean> {
  const row = await db
    .updateTable('oidc_record')
    .set({ consumed_at: now })
    .where('id', '=', id)
    .where('consumed_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

export async function deleteOidcRecord(db: Db, id: string): Promise<void> {
  await db.deleteFrom('oidc_record').where('id', '=', id).execute();
}

export async function deleteOidcRecordsOfGrant(db: Db, grantHash: string): Promise<void> {
  await db.deleteFrom('oidc_record').where('grant_hash', '=', grantHash).execute();
}

export async function sweepOidcRecords(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('oidc_record').where('expires_at', '<', before).execute();
  await db.deleteFrom('oidc_grant').where('expires_at', '<', before).execute();
}
