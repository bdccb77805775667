/**
 * The chains of the audit log: links, heads, tombstones, what was found when checking. Entries get their links from
 * the database itself; nothing here can change or remove one except `removeEntries`, and that only what is old.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import {
  AUDIT_RETENTION_DAYS_DEFAULT,
  type AuditContent,
  type AuditHead,
  type AuditTombstone,
  EMPTY_LINK,
  PLATFORM_CHAIN,
} from '#domain/audit.ts';
import type { OrganizationId } from '#domain/ids.ts';
import type { AuditProof } from './audit.ts';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { cutPage, decodeTextCursor } from './page.ts';

/** Name of the chain a proof opens. */
export function chainOf(proof: Pick<AuditProof, 'organizationId'>): string {
  return proof.organizationId ?? PLATFORM_CHAIN;
}

/**
 * Whose log tells what happens to a chain itself: its own, while there is an organization. A deleted one's chain is
 * closed: what is done to it is told by the log of the installation.
 */
export async function tellerOf(db: Db, chain: string): Promise<OrganizationId | null> {
  if (chain === PLATFORM_CHAIN) return null;
  const row = await db
    .selectFrom('organization')
    .select('id')
    .where('id', '=', chain as OrganizationId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  return row?.id ?? null;
}

export type DeletedLog = {
  organization: OrganizationId;
  name: string;
  title: string;
  deletedAt: Date;
  entries: number;
  first: number;
  /** Of the newest entry; null when retention has removed them all. */
  lastAt: Date | null;
  retentionDays: number | null;
};

/** Logs of deleted organizations, the newest organization first; also those of which only the tombstones are left. */
export async function listDeletedLogs(
  db: Db,
  _proof: Authorized<'platform', 'platform.audit.read'>,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: DeletedLog[]; nextCursor: string | null }> {
  const after = decodeTextCursor(page.cursor, /^org_[0-9a-z]{26}$/);
  const pattern = `%${(page.search ?? '').replace(/[\\%_]/g, '\\$&')}%`;
  const rows = await db
    .selectFrom('organization as o')
    .innerJoin('audit_chain as c', (join) => join.on(sql`c.chain`, '=', sql`o.id`))
    .leftJoin('audit_setting as s', 's.chain', 'c.chain')
    .leftJoin('audit_link as l', (join) => join.onRef('l.chain', '=', 'c.chain').onRef('l.position', '=', 'c.position'))
    .leftJoin('audit as a', 'a.seq', 'l.seq')
    .select(['o.id', 'o.name', 'o.title', 'o.deleted_at', 'c.position', 'a.at', 's.chain as set', 's.retention_days'])
    .select((eb) =>
      eb
        .selectFrom('audit_tombstone as t')
        .select((inner) => inner.fn.max('t.to_position').as('to'))
        .whereRef('t.chain', '=', 'c.chain')
        .as('removed'),
    )
    .where('o.deleted_at', 'is not', null)
    .$if(page.search !== undefined, (query) =>
      query.where((eb) =>
        eb.or([eb('o.name', 'ilike', pattern), eb('o.title', 'ilike', pattern), eb(sql`o.id`, '=', page.search ?? '')]),
      ),
    )
    .$if(after !== null, (query) => query.where(sql`o.id`, '<', after as string))
    .orderBy('o.id', 'desc')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.id);
  return {
    items: cut.rows.map((row) => ({
      organization: row.id,
      name: row.name,
      title: row.title,
      deletedAt: row.deleted_at as Date,
      entries: row.position,
      first: (row.removed ?? 0) + 1,
      lastAt: row.at,
      retentionDays: row.set === null ? AUDIT_RETENTION_DAYS_DEFAULT : row.retention_days,
    })),
    nextCursor: cut.nextCursor,
  };
}

export type ChainPoint = { position: number; link: string };

export async function listChains(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('audit_chain').select('chain').orderBy('chain').execute();
  return rows.map((row) => row.chain);
}

/** The newest entry's place; position 0 for a chain without entries. */
export async function chainEnd(db: Db, chain: string): Promise<ChainPoint> {
  const row = await db
    .selectFrom('audit_chain')
    .select(['position', 'link'])
    .where('chain', '=', chain)
    .executeTakeFirst();
  return row === undefined
    ? { position: 0, link: EMPTY_LINK }
    : { position: row.position, link: row.link.toString('hex') };
}

/** What comes before the oldest entry that is still there. */
export async function chainStart(db: Db, chain: string): Promise<ChainPoint> {
  const last = (await readTombstones(db, chain)).at(-1);
  return last === undefined ? { position: 0, link: EMPTY_LINK } : { position: last.to, link: last.link };
}

export async function linkAt(db: Db, chain: string, position: number): Promise<string | null> {
  const row = await db
    .selectFrom('audit_link')
    .select('link')
    .where('chain', '=', chain)
    .where('position', '=', position)
    .executeTakeFirst();
  return row?.link.toString('hex') ?? null;
}

/** `content` is null when the link has no entry, which must never be. */
export type LinkedEntry = { position: number; link: string; content: AuditContent | null };

export const ENTRIES_READ_MAX = 500;

/** Up to ENTRIES_READ_MAX entries after `position` and up to `to`, in order. */
export async function readEntries(db: Db, chain: string, position: number, to: number): Promise<LinkedEntry[]> {
  const rows = await db
    .selectFrom('audit_link as l')
    .leftJoin('audit as a', 'a.seq', 'l.seq')
    .selectAll('a')
    .select(['l.position', 'l.link'])
    .where('l.chain', '=', chain)
    .where('l.position', '>', position)
    .where('l.position', '<=', to)
    .orderBy('l.position')
    .limit(ENTRIES_READ_MAX)
    .execute();
  return rows.map((row) => ({
    position: row.position,
    link: row.link.toString('hex'),
    content:
      row.id === null
        ? null
        : ({
            id: row.id,
            at: row.at?.toISOString(),
            actorKind: row.actor_kind,
            actorId: row.actor_id,
            actor: row.actor,
            action: row.action,
            targetKind: row.target_kind,
            targetId: row.target_id,
            target: row.target,
            result: row.result,
            organization: row.organization_id,
            project: row.project_id,
            address: row.address,
            userAgent: row.user_agent,
            requestId: row.request_id,
            before: row.before,
            after: row.after,
          } as AuditContent),
  }));
}

/** Positions of a time range up to `end`: the first entry at or after `since`, the last one before `until`. */
export async function positionsBetween(
  db: Db,
  chain: string,
  since: Date | null,
  until: Date | null,
  end: number,
): Promise<{ first: number | null; last: number | null }> {
  const row = await db
    .selectFrom('audit_link as l')
    .innerJoin('audit as a', 'a.seq', 'l.seq')
    .select((eb) => [eb.fn.min('l.position').as('first'), eb.fn.max('l.position').as('last')])
    .where('l.chain', '=', chain)
    .where('l.position', '<=', end)
    .$if(since !== null, (query) => query.where('a.at', '>=', since as Date))
    .$if(until !== null, (query) => query.where('a.at', '<', until as Date))
    .executeTakeFirst();
  return { first: row?.first ?? null, last: row?.last ?? null };
}

// ---- heads and tombstones ----------------------------------------------------------------------------------------

/** Newest first. */
export async function readHeads(db: Db, chain: string, limit: number, upTo?: number): Promise<AuditHead[]> {
  const rows = await db
    .selectFrom('audit_head')
    .selectAll()
    .where('chain', '=', chain)
    .$if(upTo !== undefined, (query) => query.where('position', '<=', upTo as number))
    .orderBy('position', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    at: row.at.toISOString(),
    chain: row.chain,
    key: row.key_id,
    link: row.link,
    position: row.position,
    signature: row.signature,
  }));
}

/** Keeps a head; the first one of a position stays. */
export async function insertHead(db: Db, head: AuditHead): Promise<void> {
  await db
    .insertInto('audit_head')
    .values({
      chain: head.chain,
      position: head.position,
      link: head.link,
      at: new Date(head.at),
      key_id: head.key,
      signature: head.signature,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Oldest first. */
export async function readTombstones(db: Db, chain: string): Promise<AuditTombstone[]> {
  const rows = await db
    .selectFrom('audit_tombstone')
    .select('statement')
    .where('chain', '=', chain)
    .orderBy('to_position')
    .execute();
  return rows.map((row) => row.statement);
}

/** Entries one tombstone covers at most. */
export const REMOVED_AT_ONCE_MAX = 10_000;

/** The oldest entries that were all written before `before`; null when the oldest one is younger. */
export async function oldEntries(
  db: Db,
  chain: string,
  before: Date,
): Promise<{ from: number; to: number; firstAt: Date; lastAt: Date; link: string } | null> {
  const { rows } = await sql<{ from: number; to: number; firstAt: Date; lastAt: Date }>`
    with oldest as (
      select l.position, a.at from audit_link l join audit a on a.seq = l.seq
       where l.chain = ${chain} order by l.position limit ${REMOVED_AT_ONCE_MAX}
    )
    select min(position) as "from", max(position) as "to", min(at) as "firstAt", max(at) as "lastAt"
      from oldest
     where position < coalesce((select min(position) from oldest where at >= ${before}), 9223372036854775807)
    having count(*) > 0`.execute(db);
  const row = rows[0];
  if (row === undefined) return null;
  const link = await linkAt(db, chain, row.to);
  return link === null ? null : { ...row, link };
}

/** Removes what the tombstone tells of; answers how many entries. Errors: the database's, for anything but the oldest. */
export async function removeEntries(trx: Trx, tombstone: AuditTombstone): Promise<number> {
  const { rows } = await sql<{ removed: number }>`
    select audit_remove(${tombstone.chain}, ${tombstone.to}, ${JSON.stringify(tombstone)}::jsonb) as removed`.execute(
    trx,
  );
  return rows[0]?.removed ?? 0;
}

// ---- settings and checks -----------------------------------------------------------------------------------------

/** Null: nothing is ever removed. */
export async function readRetention(db: Db, chain: string): Promise<number | null> {
  const row = await db
    .selectFrom('audit_setting')
    .select('retention_days')
    .where('chain', '=', chain)
    .executeTakeFirst();
  return row === undefined ? AUDIT_RETENTION_DAYS_DEFAULT : row.retention_days;
}

export async function updateRetention(
  trx: Trx,
  proof: Authorized<'organization', 'audit.update'> | Authorized<'platform', 'platform.audit.update'>,
  days: number | null,
): Promise<void> {
  await trx
    .insertInto('audit_setting')
    .values({ chain: chainOf(proof), retention_days: days })
    .onConflict((conflict) => conflict.column('chain').doUpdateSet({ retention_days: days }))
    .execute();
}

export type ChainCheck = {
  verifiedTo: number;
  verifiedAt: Date;
  /** When the whole chain was last checked, not only what was new. */
  wholeAt: Date;
  problem: { position: number; message: string } | null;
};

export async function readCheck(db: Db, chain: string): Promise<ChainCheck | null> {
  const row = await db.selectFrom('audit_check').selectAll().where('chain', '=', chain).executeTakeFirst();
  if (row === undefined) return null;
  return {
    verifiedTo: row.verified_to,
    verifiedAt: row.verified_at,
    wholeAt: row.whole_at,
    problem: row.problem === null ? null : { position: row.problem_position ?? 0, message: row.problem },
  };
}

export async function writeCheck(db: Db, chain: string, check: ChainCheck): Promise<void> {
  const values = {
    verified_to: check.verifiedTo,
    verified_at: check.verifiedAt,
    whole_at: check.wholeAt,
    problem_position: check.problem?.position ?? null,
    problem: check.problem?.message ?? null,
  };
  await db
    .insertInto('audit_check')
    .values({ chain, ...values })
    .onConflict((conflict) => conflict.column('chain').doUpdateSet(values))
    .execute();
}

/** True the first time in this window of `minutes`; `subject` should name nobody. Safe over replicas. */
export async function firstInWindow(
  db: Db,
  kind: 'audit-read' | 'audit-limited',
  subject: string,
  minutes: number,
  now: Date,
): Promise<boolean> {
  const lengthMs = minutes * 60_000;
  const start = new Date(Math.floor(now.getTime() / lengthMs) * lengthMs);
  const row = await db
    .insertInto('rate_window')
    .values({
      class: kind,
      subject: createHash('sha256').update(subject).digest('base64url'),
      window_start: start,
      hits: 1,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('hits')
    .executeTakeFirst();
  return row !== undefined;
}
