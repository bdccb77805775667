/**
 * Hints for live consoles and for edge. `emit` runs inside the transaction of the change. Numbers are given out before
 * the commit, so a lower number may become visible after a higher one: readers therefore go by what their last snapshot
 * had seen, never by the highest number they know.
 */
import { sql } from 'kysely';
import type { EventKind } from '#domain/events.ts';
import { type Db, markEmitted, type Trx } from './database.ts';

/** `ref` is the id of what changed; for `session` and `member` it is the user's id, for `quota` the project's. */
export type Hint = {
  kind: EventKind;
  ref: string;
  organizationId?: string | null;
  projectId?: string | null;
  instanceId?: string | null;
  version?: number;
};

export type OutboxRow = {
  seq: number;
  kind: EventKind;
  ref: string;
  organizationId: string | null;
  projectId: string | null;
  instanceId: string | null;
  version: number;
};

/**
 * Position of a reader: the database's own description (pg_snapshot as text) of which transactions it had seen. A row is
 * new to it when its transaction was not among them, whatever its number.
 */
export type OutboxCursor = string;

/** Rows one read takes; beyond it the reader is told to start over. */
export const OUTBOX_READ_MAX = 5_000;

/** Writes hints in the transaction of the change they tell of. */
export async function emit(trx: Trx, ...hints: Hint[]): Promise<void> {
  if (hints.length === 0) return;
  await trx.insertInto('outbox').values(hints.map(hintRow)).execute();
  markEmitted(trx);
}

/** The row of a hint; for a statement that writes something else besides, which has to call `markEmitted`. */
export function hintRow(hint: Hint) {
  return {
    kind: hint.kind,
    ref: hint.ref,
    organization_id: hint.organizationId ?? null,
    project_id: hint.projectId ?? null,
    instance_id: hint.instanceId ?? null,
    version: hint.version ?? 1,
  };
}

/**
 * Everything committed since `cursor`, by number, and the new cursor. `overflow`: there was more than OUTBOX_READ_MAX,
 * the rows are left out and the reader must tell its listeners to refetch everything.
 */
export async function readOutbox(
  db: Db,
  cursor: OutboxCursor,
): Promise<{ rows: OutboxRow[]; cursor: OutboxCursor; overflow: boolean }> {
  // One statement, so that the rows and the new cursor come from the same snapshot.
  const { rows: found } = await sql<OutboxRow & { cursor: string; seq: number | null }>`
    select s.cursor, o.*
      from (select pg_current_snapshot()::text as cursor) s
      left join lateral (
        select seq, kind, ref, organization_id as "organizationId", project_id as "projectId",
               instance_id as "instanceId", version
          from outbox
         where txid >= pg_snapshot_xmin(${cursor}::pg_snapshot)
           and not pg_visible_in_snapshot(txid, ${cursor}::pg_snapshot)
         order by seq
         limit ${OUTBOX_READ_MAX + 1}
      ) o on true`.execute(db);
  const next = found[0]?.cursor ?? cursor;
  if (found.length > OUTBOX_READ_MAX) return { rows: [], cursor: next, overflow: true };
  const rows = found.flatMap(({ cursor: _, ...row }) => (row.seq === null ? [] : [row]));
  return { rows, cursor: next, overflow: false };
}

/** Where a reader that wants only news starts, and the highest number there is. */
export async function outboxHead(db: Db): Promise<{ cursor: OutboxCursor; seq: number }> {
  const result = await sql<{ cursor: string; seq: number | null }>`
    select pg_current_snapshot()::text as cursor, (select max(seq) from outbox) as seq`.execute(db);
  const [row] = result.rows;
  if (row === undefined) throw new Error('no snapshot');
  return { cursor: row.cursor, seq: row.seq ?? 0 };
}

/** A transaction that wrote hints takes at most this long; the pool's time limits see to it. */
const LATE_COMMIT_SECONDS_MAX = 60;

/**
 * What somebody whose last number was `seq` may have missed: the rows after it and, because transactions commit out of
 * order, those of the minute before. Null when the row is gone or there are more than `max`: refetch everything.
 */
export async function outboxSince(db: Db, seq: number, max: number): Promise<OutboxRow[] | null> {
  const last = await db.selectFrom('outbox').select('at').where('seq', '=', seq).executeTakeFirst();
  if (last === undefined) return null;
  const from = new Date(last.at.getTime() - LATE_COMMIT_SECONDS_MAX * 1000);
  const rows = await db
    .selectFrom('outbox')
    .select([
      'seq',
      'kind',
      'ref',
      'organization_id as organizationId',
      'project_id as projectId',
      'instance_id as instanceId',
      'version',
    ])
    .where('at', '>=', from)
    .where('seq', '!=', seq)
    .orderBy('seq')
    .limit(max + 1)
    .execute();
  return rows.length > max ? null : (rows as OutboxRow[]);
}

/** Wakes every replica and edge; called outside any writing transaction. */
export async function notifyOutbox(db: Db, seq: number): Promise<void> {
  await sql`select pg_notify('berth_outbox', ${String(seq)})`.execute(db);
}

const SWEEP_BATCH_MAX = 5_000;

/** Deletes hints older than `olderThan`; returns how many. The newest row always stays: it is the readers' anchor. */
export async function sweepOutbox(db: Db, olderThan: Date): Promise<number> {
  const result = await sql`
    delete from outbox where seq in (
      select seq from outbox where at < ${olderThan} and seq < (select max(seq) from outbox) order by seq limit ${SWEEP_BATCH_MAX}
    )`.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}
