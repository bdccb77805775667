/**
 * Hints for live consoles and for edge. `emit` runs inside the transaction of the change. Readers take rows in the order
 * (txid, seq) and only those whose transaction number is below every transaction still running: a row of a transaction
 * that commits late can therefore never land behind a reader's back.
 */
import { sql } from 'kysely';
import { type Db, markEmitted, type Trx } from './database.ts';

/** Kinds as in contract/events.ts; a test keeps the two equal. */
export const hintKinds = [
  'instance',
  'operation',
  'snapshot',
  'route',
  'image',
  'host',
  'member',
  'project',
  'quota',
  'session',
  'audit',
] as const;
export type HintKind = (typeof hintKinds)[number];

/** `ref` is the id of what changed; for `session` and `member` it is the user's id, for `quota` the project's. */
export type Hint = {
  kind: HintKind;
  ref: string;
  organizationId?: string | null;
  projectId?: string | null;
  instanceId?: string | null;
  version?: number;
};

export type OutboxRow = {
  seq: number;
  txid: string;
  kind: HintKind;
  ref: string;
  organizationId: string | null;
  projectId: string | null;
  instanceId: string | null;
  version: number;
};

/** Position of a reader: the last row it took. Transaction numbers are decimal text (64 bits). */
export type OutboxCursor = { txid: string; seq: number };

export const OUTBOX_BATCH_MAX = 500;

/** Writes hints in the transaction of the change they tell of. */
export async function emit(trx: Trx, ...hints: Hint[]): Promise<void> {
  if (hints.length === 0) return;
  await trx
    .insertInto('outbox')
    .values(
      hints.map((hint) => ({
        kind: hint.kind,
        ref: hint.ref,
        organization_id: hint.organizationId ?? null,
        project_id: hint.projectId ?? null,
        instance_id: hint.instanceId ?? null,
        version: hint.version ?? 1,
      })),
    )
    .execute();
  markEmitted(trx);
}

/**
 * The settled rows after `cursor`, at most OUTBOX_BATCH_MAX. `pending` is true when rows are visible that must wait for
 * an older transaction to end.
 */
export async function readOutbox(db: Db, cursor: OutboxCursor): Promise<{ rows: OutboxRow[]; pending: boolean }> {
  const result = await sql<OutboxRow & { settled: boolean }>`
    select seq, txid::text as txid, kind, ref, organization_id as "organizationId", project_id as "projectId",
           instance_id as "instanceId", version, txid < pg_snapshot_xmin(pg_current_snapshot()) as settled
      from outbox
     where (txid, seq) > (${cursor.txid}::xid8, ${cursor.seq}::bigint)
     order by outbox.txid, seq
     limit ${OUTBOX_BATCH_MAX}`.execute(db);
  const rows = result.rows.filter((row) => row.settled);
  return {
    rows: rows.map(({ settled: _, ...row }) => row),
    pending: rows.length < result.rows.length,
  };
}

/** Where a reader that wants only news starts: everything that could still appear lies behind it. */
export async function outboxHead(db: Db): Promise<OutboxCursor> {
  const result = await sql<OutboxCursor>`
    select txid::text as txid, seq from outbox
     where txid < pg_snapshot_xmin(pg_current_snapshot())
     order by outbox.txid desc, seq desc limit 1`.execute(db);
  return result.rows[0] ?? { txid: '0', seq: 0 };
}

/** The position of row `seq`; null when it was swept (the reader must start over) or never existed. */
export async function outboxPosition(db: Db, seq: number): Promise<OutboxCursor | null> {
  const result = await sql<OutboxCursor>`select txid::text as txid, seq from outbox where seq = ${seq}`.execute(db);
  return result.rows[0] ?? null;
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
