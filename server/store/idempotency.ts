/** Idempotency keys: which operation a person's key stands for, and a hash of the request it was used with. */
import { sql } from 'kysely';
import type { OperationId, UserId } from '#domain/ids.ts';
import type { Trx } from './database.ts';

/**
 * Takes the key for this transaction (a second request with the same key waits here until the first one committed) and
 * answers what it stands for, if it was used.
 */
export async function takeKey(
  tx: Trx,
  user: UserId,
  key: string,
): Promise<{ requestHash: string; operation: OperationId } | null> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${user} ${key}`}, 0))`.execute(tx);
  const row = await tx
    .selectFrom('idempotency')
    .select(['request_hash', 'operation_id'])
    .where('user_id', '=', user)
    .where('key', '=', key)
    .executeTakeFirst();
  return row === undefined ? null : { requestHash: row.request_hash, operation: row.operation_id };
}

export async function rememberKey(
  tx: Trx,
  user: UserId,
  key: string,
  requestHash: string,
  operation: OperationId,
): Promise<void> {
  await tx
    .insertInto('idempotency')
    .values({ user_id: user, key, request_hash: requestHash, operation_id: operation })
    .execute();
}
