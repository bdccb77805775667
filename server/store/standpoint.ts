/** What people may see or do that changed since somebody last looked. Answered from the outbox. */
import { sql } from 'kysely';
import type { OrganizationId } from '#domain/ids.ts';
import type { Db } from './database.ts';

/** Which transactions a look had seen: PostgreSQL's own description (pg_snapshot as text). */
export type Standpoint = string;

export type ChangesSince = {
  now: Standpoint;
  /** Something that decides who somebody is or what they may do. */
  rights: boolean;
  /** Something that the people of these organizations see. */
  organizations: OrganizationId[];
  /** Something that everybody sees. */
  everybody: boolean;
};

/** Where the database stands now. */
export async function standpoint(db: Db): Promise<Standpoint> {
  const { rows } = await sql<{ now: Standpoint }>`select pg_current_snapshot()::text as now`.execute(db);
  return rows[0]?.now ?? '';
}

/**
 * Where the database stands now, and what was committed that `since` had not seen. Exact whatever the order of commits:
 * it goes by transactions, not by numbers. Mail and the audit log decide nothing; sessions, and what only administrators
 * of the installation see, are not shown to an organization.
 */
export async function changesSince(db: Db, since: Standpoint): Promise<ChangesSince> {
  const shown = sql`kind not in ('session', 'audit', 'user', 'mail', 'ssh')`;
  const { rows } = await sql<ChangesSince>`
    select pg_current_snapshot()::text as now,
      coalesce(bool_or(kind not in ('audit', 'mail')), false) as rights,
      coalesce(array_agg(distinct organization_id) filter (where organization_id is not null and ${shown}), '{}') as organizations,
      coalesce(bool_or(organization_id is null and ${shown}), false) as everybody
    from outbox
    where txid >= pg_snapshot_xmin(${since}::pg_snapshot) and not pg_visible_in_snapshot(txid, ${since}::pg_snapshot)`.execute(
    db,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('an aggregate answers one row');
  return row;
}
