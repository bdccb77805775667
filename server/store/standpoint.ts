/** Has anything that people of an organization see changed since somebody last looked? Answered from the outbox. */
import { sql } from 'kysely';
import type { OrganizationId } from '#domain/ids.ts';
import type { Db } from './database.ts';

/** Which transactions a look had seen: PostgreSQL's own description (pg_snapshot as text). */
export type Standpoint = string;

/**
 * Where the database stands now and whether a hint about `organization` or the platform was committed that `since` had
 * not seen. Exact whatever the order of commits: it goes by transactions, not by numbers. Hints about
 * sessions, the audit log, and what only administrators of the installation see do not count.
 */
export async function standpoint(
  db: Db,
  organization: OrganizationId,
  since: Standpoint | null,
): Promise<{ now: Standpoint; changed: boolean }> {
  if (since === null) {
    const { rows } = await sql<{ now: Standpoint }>`select pg_current_snapshot()::text as now`.execute(db);
    return { now: rows[0]?.now ?? '', changed: true };
  }
  const { rows } = await sql<{ now: Standpoint; changed: boolean }>`
    select pg_current_snapshot()::text as now, exists (
      select 1 from outbox
       where txid >= pg_snapshot_xmin(${since}::pg_snapshot)
         and not pg_visible_in_snapshot(txid, ${since}::pg_snapshot)
         and (organization_id = ${organization} or organization_id is null)
         and kind not in ('session', 'audit', 'user', 'mail', 'ssh')
    ) as changed`.execute(db);
  return { now: rows[0]?.now ?? '', changed: rows[0]?.changed ?? true };
}
