/** Counters of attempts and calls, shared by all replicas. Subjects are digests: the table names nobody. */
import { sql } from 'kysely';
import type { Db } from './database.ts';

type Window = { class: string; subject: string; start: Date; previous: Date };
type Counted = { current: number; previous: number };

/** Doubling stops here; far above any wait, far below an overflow. */
const DOUBLINGS_MAX = 20;

/**
 * Adds one hit to the window that starts at `start` and answers it together with the hits of the window before. With
 * `waits`, hits beyond `after` must keep 2, 4, 8 ... seconds of distance; one that comes too early is not counted and
 * `waitMs` says how long it should have waited.
 */
export async function addHit(
  db: Db,
  hit: Window & { now: Date; waits: { after: number; maxSeconds: number } | null },
): Promise<Counted & { waitMs: number }> {
  const { waits, now } = hit;
  // What the next hit must wait for, after `count` hits.
  const next = (count: ReturnType<typeof sql>) =>
    waits === null
      ? sql`'-infinity'::timestamptz`
      : sql`case when ${count} <= ${waits.after}::integer then '-infinity'::timestamptz
          else ${now}::timestamptz + make_interval(secs => least(${waits.maxSeconds}::float8,
            power(2, least(${count} - ${waits.after}::integer, ${DOUBLINGS_MAX}::integer)))) end`;
  const result = await sql<{ current: number; previous: number | null }>`
    insert into rate_window as w (class, subject, window_start, hits, next_at)
    values (${hit.class}, ${hit.subject}, ${hit.start}, 1, ${next(sql`1`)})
    on conflict (class, subject, window_start) do update set hits = w.hits + 1, next_at = ${next(sql`(w.hits + 1)`)}
      where w.next_at <= ${now}
    returning hits as current,
      (select p.hits from rate_window p
        where p.class = ${hit.class} and p.subject = ${hit.subject} and p.window_start = ${hit.previous}) as previous`.execute(
    db,
  );
  const row = result.rows[0];
  if (row !== undefined) return { current: row.current, previous: row.previous ?? 0, waitMs: 0 };
  const early = await db
    .selectFrom('rate_window')
    .select(['hits', 'next_at'])
    .where('class', '=', hit.class)
    .where('subject', '=', hit.subject)
    .where('window_start', '=', hit.start)
    .executeTakeFirst();
  const waitMs = early === undefined ? 1 : early.next_at.getTime() - now.getTime();
  // At least a moment: the wait may have been lifted since.
  return { current: early?.hits ?? 1, previous: 0, waitMs: Math.max(1, Number.isFinite(waitMs) ? waitMs : 1) };
}

/** Takes one hit back: the attempt was refused or turned out to be the rightful person, for whom nobody has to wait. */
export async function removeHit(db: Db, hit: { class: string; subject: string; start: Date }): Promise<void> {
  await sql`update rate_window set hits = greatest(hits - 1, 0), next_at = '-infinity'
    where class = ${hit.class} and subject = ${hit.subject} and window_start = ${hit.start}`.execute(db);
}

/** Adds what a replica counted by itself (negative: taken back); answers the totals in the order of `hits`. */
export async function shareHits(db: Db, hits: readonly (Window & { hits: number })[]): Promise<Counted[]> {
  if (hits.length === 0) return [];
  const { rows } = await sql<Counted>`
    with given as (
      select * from unnest(
        ${hits.map((hit) => hit.class)}::text[], ${hits.map((hit) => hit.subject)}::text[],
        ${hits.map((hit) => hit.start)}::timestamptz[], ${hits.map((hit) => hit.previous)}::timestamptz[],
        ${hits.map((hit) => hit.hits)}::integer[]
      ) with ordinality as g (class, subject, start, previous, hits, n)),
    added as (
      insert into rate_window as w (class, subject, window_start, hits)
      select class, subject, start, sum(hits) from given group by class, subject, start order by class, subject, start
      on conflict (class, subject, window_start) do update set hits = w.hits + excluded.hits
      returning class, subject, window_start, hits)
    select a.hits as current, coalesce(p.hits, 0) as previous
      from given g
      join added a on a.class = g.class and a.subject = g.subject and a.window_start = g.start
      left join rate_window p on p.class = g.class and p.subject = g.subject and p.window_start = g.previous
     order by g.n`.execute(db);
  return rows;
}

/** Forgets windows that began before `before`; those of `short` classes before `shortBefore`. Returns how many. */
export async function sweepRateWindows(
  db: Db,
  before: Date,
  short: readonly string[],
  shortBefore: Date,
): Promise<number> {
  const result = await sql`delete from rate_window
    where window_start < ${before} or (class = any(${short}::text[]) and window_start < ${shortBefore})`.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}
