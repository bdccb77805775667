/**
 * Keys that seal secrets, and every place where something sealed is kept. A column that holds sealed text is called
 * `*_sealed` and stands in `sealedColumns`: a test compares the two, because what is missing here would be unreadable
 * after `berth keys rotate`.
 */
import { sql } from 'kysely';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type SealingKeyState = 'next' | 'current' | 'old';
export type StoredSealingKey = {
  id: string;
  keySealed: string;
  state: SealingKeyState;
  createdAt: Date;
  changedAt: Date;
};
export type SealedColumn = { table: string; column: string; key: string };

/** `key` is the column whose value is the `row` of the place a secret is sealed to. */
export const sealedColumns: readonly SealedColumn[] = [
  { table: 'totp', column: 'secret_sealed', key: 'user_id' },
  { table: 'signing_key', column: 'private_sealed', key: 'id' },
  { table: 'audit_key', column: 'private_sealed', key: 'id' },
  { table: 'mail_server', column: 'password_sealed', key: 'id' },
  { table: 'registry_cache', column: 'password_sealed', key: 'id' },
  { table: 'mail', column: 'content_sealed', key: 'id' },
  { table: 'identity_provider', column: 'client_secret_sealed', key: 'id' },
  { table: 'wildcard_certificate', column: 'order_key_sealed', key: 'id' },
  { table: 'acme_account', column: 'key_sealed', key: 'directory' },
  { table: 'dns_provider', column: 'secret_sealed', key: 'id' },
  { table: 'outside_sign_in', column: 'secrets_sealed', key: 'id' },
  { table: 'outside_session', column: 'token_sealed', key: 'id' },
  { table: 'backup_repository', column: 'password_sealed', key: 'id' },
  { table: 'oidc_record', column: 'payload_sealed', key: 'id' },
];

/** Where a sealing key is sealed to. */
export function sealingKeyPlace(id: string) {
  return { table: 'sealing_key', row: id, column: 'key_sealed' };
}

export async function listSealingKeys(db: Db): Promise<StoredSealingKey[]> {
  const rows = await db.selectFrom('sealing_key').selectAll().orderBy('created_at', 'desc').execute();
  return rows.map((row) => ({
    id: row.id,
    keySealed: row.key_sealed,
    state: row.state,
    createdAt: row.created_at,
    changedAt: row.changed_at,
  }));
}

/** The first key of an installation; false when another replica was first. */
export async function insertFirstSealingKey(
  db: Db,
  key: { id: string; keySealed: string; now: Date },
): Promise<boolean> {
  const row = await db
    .insertInto('sealing_key')
    .values({ id: key.id, key_sealed: key.keySealed, state: 'current', created_at: key.now, changed_at: key.now })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Announces the next key; false while an earlier one still waits for its turn. */
export async function insertNextSealingKey(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.key.rotate'>,
  key: { id: string; keySealed: string; now: Date },
): Promise<boolean> {
  const row = await trx
    .insertInto('sealing_key')
    .values({ id: key.id, key_sealed: key.keySealed, state: 'next', created_at: key.now, changed_at: key.now })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await emit(trx, { kind: 'key', ref: `key_${key.id}` });
  return true;
}

/** The key announced before `announcedBefore` becomes the current one; null when there is none. */
export async function promoteSealingKey(trx: Trx, announcedBefore: Date, now: Date): Promise<string | null> {
  const next = await trx
    .selectFrom('sealing_key')
    .select('id')
    .where('state', '=', 'next')
    .where('changed_at', '<=', announcedBefore)
    .forUpdate()
    .executeTakeFirst();
  if (next === undefined) return null;
  await trx.updateTable('sealing_key').set({ state: 'old', changed_at: now }).where('state', '=', 'current').execute();
  await trx.updateTable('sealing_key').set({ state: 'current', changed_at: now }).where('id', '=', next.id).execute();
  await emit(trx, { kind: 'key', ref: `key_${next.id}` });
  return next.id;
}

/** A sealing key sealed with another master key; false when it changed meanwhile. */
export async function rewriteSealingKey(db: Db, id: string, before: string, after: string): Promise<boolean> {
  const row = await db
    .updateTable('sealing_key')
    .set({ key_sealed: after })
    .where('id', '=', id)
    .where('key_sealed', '=', before)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Ids of the keys that anything sealed needs, with how many values each has sealed. */
export async function sealedCounts(db: Db): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  // One after another: asked all at once, on a short timer, they would keep a connection each open for ever.
  for (const { table, column } of sealedColumns) {
    const { rows } = await sql<{ id: string; rows: number }>`
      select split_part(${sql.ref(column)}, '.', 2) as id, count(*) as rows from ${sql.table(table)}
       where ${sql.ref(column)} is not null group by 1`.execute(db);
    for (const { id, rows: values } of rows) counts.set(id, (counts.get(id) ?? 0) + values);
  }
  return counts;
}

/** Rows of this column that another key than `keyId` sealed. */
export async function listSealedOtherwise(
  db: Db,
  { table, column, key }: SealedColumn,
  keyId: string,
  limit: number,
): Promise<{ row: string; sealed: string }[]> {
  const { rows } = await sql<{ row: string; sealed: string }>`
    select ${sql.ref(key)}::text as row, ${sql.ref(column)} as sealed from ${sql.table(table)}
     where ${sql.ref(column)} is not null and split_part(${sql.ref(column)}, '.', 2) <> ${keyId}
     limit ${limit}`.execute(db);
  return rows;
}

/** Replaces one sealed value; nothing happens when it changed meanwhile. */
export async function replaceSealed(
  db: Db,
  { table, column, key }: SealedColumn,
  change: { row: string; before: string; after: string },
): Promise<void> {
  await sql`update ${sql.table(table)} set ${sql.ref(column)} = ${change.after}
    where ${sql.ref(key)}::text = ${change.row} and ${sql.ref(column)} = ${change.before}`.execute(db);
}

/** Forgets old keys that changed before `before` and that are in none of `needed`; answers how many. */
export async function deleteOldSealingKeys(db: Db, needed: readonly string[], before: Date): Promise<number> {
  const result = await db
    .deleteFrom('sealing_key')
    .where('state', '=', 'old')
    .where('changed_at', '<', before)
    .$if(needed.length > 0, (query) => query.where('id', 'not in', [...needed]))
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
