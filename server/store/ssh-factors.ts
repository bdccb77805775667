/** Second factors given at the SSH gateway, after a key: each for one connection. Edge reads them through a view. */
import { sql } from 'kysely';
import type { SshSessionId, UserId } from '#domain/ids.ts';
import type { Db, Trx } from './database.ts';

export async function insertSshFactor(
  trx: Trx,
  factor: { session: SshSessionId; user: UserId; now: Date },
): Promise<void> {
  await trx
    .insertInto('ssh_factor')
    .values({ session_id: factor.session, user_id: factor.user, passed_at: factor.now })
    .onConflict((conflict) =>
      conflict.column('session_id').doUpdateSet({ user_id: factor.user, passed_at: factor.now }),
    )
    .execute();
}

/** Those given before `before` on connections that no longer live. */
export async function sweepSshFactors(db: Db, before: Date): Promise<void> {
  await sql`delete from ssh_factor f where passed_at < ${before}
    and not exists (select from ssh_session s where s.id = f.session_id and s.ended_at is null)`.execute(db);
}
