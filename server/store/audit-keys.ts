/** The keys that sign the audit log: one signs, those before it are kept so that what they signed can be checked. */
import type { AuditSuccession } from '#domain/audit.ts';
import type { Authorized } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

type NewAuditKey = { id: string; x: string; sealed: string };
export type AuditKeyRow = Omit<NewAuditKey, 'sealed'> & {
  createdAt: Date;
  retiredAt: Date | null;
  /** The private half; null once the key is retired. */
  sealed: string | null;
  /** By which the key before named this one. */
  succession: AuditSuccession | null;
};

export async function readAuditKeys(db: Db): Promise<AuditKeyRow[]> {
  const rows = await db.selectFrom('audit_key').selectAll().orderBy('created_at').execute();
  return rows.map((row) => ({
    id: row.id,
    x: row.public_x,
    createdAt: row.created_at,
    retiredAt: row.retired_at,
    sealed: row.private_sealed,
    succession: row.succession,
  }));
}

/**
 * `key` signs from now on in the place of `before`, whose private half is gone with this. False: somebody else was
 * faster and `before` signs no more.
 */
export async function replaceAuditKey(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.key.rotate'>,
  before: string,
  key: NewAuditKey & { succession: AuditSuccession | null },
  now: Date,
): Promise<boolean> {
  const retired = await trx
    .updateTable('audit_key')
    .set({ retired_at: now, private_sealed: null })
    .where('id', '=', before)
    .where('retired_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (retired === undefined) return false;
  await trx
    .insertInto('audit_key')
    .values({
      id: key.id,
      public_x: key.x,
      private_sealed: key.sealed,
      created_at: now,
      succession: key.succession === null ? null : json(key.succession),
    })
    .execute();
  await emit(trx, { kind: 'key', ref: key.id });
  return true;
}

/** The active key; `key` becomes it when there is none yet. Safe when replicas start together. */
export async function keepAuditKey(db: Db, key: NewAuditKey): Promise<AuditKeyRow> {
  await db
    .insertInto('audit_key')
    .values({ id: key.id, public_x: key.x, private_sealed: key.sealed })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const active = (await readAuditKeys(db)).find((row) => row.retiredAt === null);
  if (active === undefined) throw new Error('no active audit key');
  return active;
}
