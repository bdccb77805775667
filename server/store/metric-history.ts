/** The history of metrics: read as series, rolled up from tier to tier, and forgotten. */
import { sql } from 'kysely';
import type { InstanceId } from '#domain/ids.ts';
import { type MetricRange, metricGrid, metricRanges, metricTiers } from '#domain/metrics.ts';
import type { Authorized, InstanceProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { columnList, merged, overwritten, type PointColumn } from './metric-columns.ts';

/** Rows that one statement deletes at most. */
const DELETED_AT_ONCE_MAX = 20_000;
/** Samples may come so late: what a host kept while nobody asked, with room. */
const LATE_SECONDS_MAX = 600;

export type HistoryRow = { slot: number } & Record<PointColumn, number | null>;

/** What is known of the range up to `now`, by place in its grid; places of which nothing is known are missing. */
export async function metricHistory(
  db: Db,
  proof: InstanceProof<'instance.inspect'> | Authorized<'host', 'platform.host.read'>,
  range: MetricRange,
  now: number,
): Promise<HistoryRow[]> {
  const { first, step, count } = metricGrid(range, now);
  const { rows } = await sql<HistoryRow>`
    select floor((extract(epoch from at) - ${first}::float8) / ${step}::float8)::int as slot, ${merged}
      from metric_point
     where subject = ${proof.id} and tier = ${metricRanges[range].tier}
       and at >= to_timestamp(${first}::float8) and at < to_timestamp(${first + step * count}::float8)
     group by 1 order by 1`.execute(db);
  return rows;
}

/**
 * Makes a tier's values from the tier before, from a little before the newest value on: whatever came late is counted
 * in, and what is counted twice gives the same again.
 */
export async function rollUp(db: Db, tier: 60 | 3600 | 86400): Promise<number> {
  const source = metricTiers[metricTiers.findIndex((one) => one.seconds === tier) - 1];
  if (source === undefined) return 0;
  const back = Math.max(LATE_SECONDS_MAX, tier);
  const width = sql`make_interval(secs => ${tier}::float8)`;
  const result = await sql`
    insert into metric_point (subject, tier, at, ${columnList})
    select subject, ${tier}::int, date_bin(${width}, at, 'epoch'), ${merged}
      from metric_point
     where tier = ${source.seconds}
       and at >= coalesce((select date_bin(${width}, max(at) - make_interval(secs => ${back}::float8), 'epoch')
                             from metric_point where tier = ${tier}), '-infinity')
     group by 1, 3
    on conflict (subject, tier, at) do update set ${overwritten}`.execute(db);
  return Number(result.numAffectedRows ?? 0n);
}

/**
 * Forgets what is older than its tier keeps, whole values of the next tier at a time, so that none of them can be made
 * again from a part. At most so many rows a call; true when there may be more.
 */
export async function forgetMetrics(db: Db, now: number): Promise<boolean> {
  let more = false;
  for (const [index, tier] of metricTiers.entries()) {
    const width = (metricTiers[index + 1]?.seconds ?? tier.seconds) * 1000;
    const before = new Date(Math.floor((now - tier.keptSeconds * 1000) / width) * width);
    const result = await sql`
      delete from metric_point where ctid = any(array(
        select ctid from metric_point where tier = ${tier.seconds} and at < ${before} limit ${DELETED_AT_ONCE_MAX}))`.execute(
      db,
    );
    more ||= Number(result.numAffectedRows ?? 0n) >= DELETED_AT_ONCE_MAX;
  }
  return more;
}

/** With the instance goes all that is known of it. */
export async function deleteMetrics(tx: Trx, instance: InstanceId): Promise<void> {
  await tx.deleteFrom('metric_point').where('subject', '=', instance).execute();
  await tx.deleteFrom('metric_latest').where('subject', '=', instance).execute();
}
