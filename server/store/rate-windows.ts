/** Counters of attempts, shared by all replicas. Subjects are digests: the table names nobody. */
import { sql } from 'kysely';
import type { Db } from './database.ts';

/** Adds one hit to the window that starts at `start` and answers it together with the hits of the window before. */
export async function addHit(
  db: Db,
  hit: { class: string; subject: string; start: Date; previous: Date },
): Promise<{ current: number; previous: number }> {
  const result = await sql<{ current: number; previous: number | null }>`
    insert into rate_window as w (class, subject, window_start, hits)
    values (${hit.class}, ${hit.subject}, ${hit.start}, 1)
    on conflict (class, subject, window_start) do update set hits = w.hits + 1
    returning hits as current,
      (select p.hits from rate_window p
        where p.class = ${hit.class} and p.subject = ${hit.subject} and p.window_start = ${hit.previous}) as previous`.execute(
    db,
  );
  const row = result.rows[0];
  return { current: row?.current ?? 1, previous: row?.previous ?? 0 };
}

/** Takes one hit back: the attempt was refused or turned out to be the rightful person. */
export async function removeHit(db: Db, hit: { class: string; subject: string; start: Date }): Promise<void> {
  await sql`update rate_window set hits = greatest(hits - 1, 0)
    where class = ${hit.class} and subject = ${hit.subject} and window_start = ${hit.start}`.execute(db);
}

/** Forgets windows that began before `before`; returns how many. */
export async function sweepRateWindows(db: Db, before: Date): Promise<number> {
  const result = await sql`delete from rate_window where window_start < ${before}`.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}
