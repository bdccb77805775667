/**
 * From where an account has signed in before: a right password from there passes while strangers guess at it elsewhere.
 * Account and address are digests: the table names nobody.
 */
import { sql } from 'kysely';
import type { Db } from './database.ts';

export async function isKnownAddress(db: Db, account: string, block: string): Promise<boolean> {
  const row = await db
    .selectFrom('known_address')
    .select('seen_at')
    .where('account', '=', account)
    .where('block', '=', block)
    .executeTakeFirst();
  return row !== undefined;
}

export async function rememberAddress(db: Db, account: string, block: string, now: Date): Promise<void> {
  await sql`insert into known_address (account, block, seen_at) values (${account}, ${block}, ${now})
    on conflict (account, block) do update set seen_at = excluded.seen_at`.execute(db);
}

/** Forgets what was last seen before `before`; returns how many. */
export async function sweepKnownAddresses(db: Db, before: Date): Promise<number> {
  const result = await db.deleteFrom('known_address').where('seen_at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
}
