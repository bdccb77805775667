/** What hosts and instances have used: written by the collector, read with a proof. History: metric-history.ts. */
import { sql } from 'kysely';
import type { HostId, InstanceId } from '#domain/ids.ts';
import { type Counters, type Rates, type Reading, SAMPLE_SECONDS } from '#domain/metrics.ts';
import type { Authorized, InstanceProof, ProjectProof } from './authorized.ts';
import { type Db, json } from './database.ts';

export type MetricSubject = InstanceId | HostId;
/** Reading of one host or instance, with what it means per second. */
export type Measured = { subject: MetricSubject; reading: Reading; rates: Rates };

/** What was seen last of one host or instance. */
export type LatestMetrics = Counters & {
  subject: MetricSubject;
  at: Date;
  rates: Rates;
  cpuLimit: number | null;
  memoryBytes: number;
  memoryLimitBytes: number | null;
  diskBytes: number | null;
  diskLimitBytes: number | null;
  processes: number | null;
};

/** A disk figure older than this is not told as if it were of now. */
const DISK_MINUTES_MAX = 5;

const latestColumns = [
  'cpu_seconds',
  'read_bytes',
  'written_bytes',
  'received_bytes',
  'sent_bytes',
  'cpu',
  'cpu_limit',
  'memory',
  'memory_limit',
  'disk',
  'disk_limit',
  'read',
  'written',
  'received',
  'sent',
  'processes',
] as const;
const given = sql.raw(
  latestColumns
    .filter((name) => name !== 'disk' && name !== 'disk_limit')
    .map((name) => `${name} float8`)
    .join(', '),
);
const columns = sql.raw(latestColumns.join(', '));
const newer = sql.raw(['at', ...latestColumns].map((name) => `${name} = excluded.${name}`).join(', '));

/**
 * Writes what was measured at one moment: history and latest, in one statement. What is not (or no longer) an instance
 * or host of this installation is left out; the same moment again changes nothing. How full disks are comes from what
 * the watchers saw, which ask the storage anyway.
 */
export async function recordMetrics(db: Db, at: Date, measured: readonly Measured[]): Promise<void> {
  const rows = measured.map(({ subject, reading, rates }) => ({
    subject,
    cpu_seconds: reading.cpuSeconds,
    read_bytes: reading.readBytes,
    written_bytes: reading.writtenBytes,
    received_bytes: reading.receivedBytes,
    sent_bytes: reading.sentBytes,
    cpu_limit: reading.cpuLimit,
    memory: reading.memoryBytes,
    memory_limit: reading.memoryLimitBytes,
    processes: reading.processes,
    ...rates,
  }));
  await sql`
    with given as (
      select * from jsonb_to_recordset(${json(rows)}::jsonb) as g (subject text, ${given})
    ), known as (
      select g.*, i.disk_bytes::float8 as disk_limit,
             case when i.observed_at > ${at}::timestamptz - make_interval(mins => ${DISK_MINUTES_MAX}::int)
                  then (i.usage->>'diskBytes')::float8 end as disk
        from given g join instance i on i.id = g.subject
      union all
      select g.*, (h.facts->>'poolBytes')::float8, (h.facts->>'poolUsedBytes')::float8
        from given g join host h on h.id = g.subject
    ), added as (
      insert into metric_point (subject, tier, at, samples, rated,
          cpu, cpu_max, read, read_max, written, written_max, received, received_max, sent, sent_max,
          memory, memory_max, processes, processes_max, cpu_limit, memory_limit, disk, disk_limit)
      select subject, ${SAMPLE_SECONDS}::int, date_bin(make_interval(secs => ${SAMPLE_SECONDS}::float8), ${at}::timestamptz, 'epoch'),
             1, (cpu is not null)::int,
             cpu, cpu, read, read, written, written, received, received, sent, sent,
             memory, memory, processes, processes, cpu_limit, memory_limit, disk, disk_limit
        from known
      on conflict do nothing
    )
    insert into metric_latest as l (subject, at, ${columns})
    select subject, ${at}::timestamptz, ${columns} from known
    on conflict (subject) do update set ${newer} where l.at < excluded.at`.execute(db);
}

type LatestRow = Record<(typeof latestColumns)[number], number | null> & { subject: string; at: Date };

function fromRow(row: LatestRow): LatestMetrics {
  return {
    subject: row.subject as MetricSubject,
    at: row.at,
    cpuSeconds: row.cpu_seconds ?? 0,
    readBytes: row.read_bytes,
    writtenBytes: row.written_bytes,
    receivedBytes: row.received_bytes ?? 0,
    sentBytes: row.sent_bytes ?? 0,
    rates: { cpu: row.cpu, read: row.read, written: row.written, received: row.received, sent: row.sent },
    cpuLimit: row.cpu_limit,
    memoryBytes: row.memory ?? 0,
    memoryLimitBytes: row.memory_limit,
    diskBytes: row.disk,
    diskLimitBytes: row.disk_limit,
    processes: row.processes,
  };
}

/** For the collector: what rates are counted from. */
export async function latestOf(db: Db, subjects: readonly MetricSubject[]): Promise<Map<MetricSubject, LatestMetrics>> {
  const { rows } = await sql<LatestRow>`
    select * from metric_latest where subject = any(${[...subjects]}::text[])`.execute(db);
  return new Map(rows.map((row) => [row.subject as MetricSubject, fromRow(row)]));
}

/** Null: nothing was ever seen of it. */
export async function latestMetrics(
  db: Db,
  proof: InstanceProof<'instance.inspect'> | Authorized<'host', 'platform.host.read'>,
): Promise<LatestMetrics | null> {
  return (await latestOf(db, [proof.id])).get(proof.id) ?? null;
}

/** Everything seen of instances in a project. */
export async function projectMetrics(db: Db, proof: ProjectProof<'instance.inspect'>): Promise<LatestMetrics[]> {
  const { rows } = await sql<LatestRow>`
    select l.* from metric_latest l join instance i on i.id = l.subject
     where i.project_id = ${proof.id} and i.phase = 'ready' order by l.subject`.execute(db);
  return rows.map(fromRow);
}

/** With the names that Prometheus' labels carry; `host` is null for instances. */
export type NamedMetrics = LatestMetrics & {
  host: string | null;
  name: string | null;
  kind: string | null;
  project: string | null;
  organization: string | null;
};
type NamedRow = LatestRow & Pick<NamedMetrics, 'host' | 'name' | 'kind' | 'project' | 'organization'>;

const instanceNames = sql`select l.*, null::text as host, i.name, i.kind, p.name as project, o.name as organization
  from metric_latest l
  join instance i on i.id = l.subject and i.phase = 'ready'
  join project p on p.id = i.project_id
  join organization o on o.id = i.organization_id`;

function fromNamedRow(row: NamedRow): NamedMetrics {
  const { host, name, kind, project, organization } = row;
  return { ...fromRow(row), host, name, kind, project, organization };
}

/** Every host and instance of the installation. */
export async function everyMetric(
  db: Db,
  _proof: Authorized<'platform', 'platform.metric.read'>,
): Promise<NamedMetrics[]> {
  const { rows } = await sql<NamedRow>`
    select l.*, h.name as host, null::text as name, null::text as kind, null::text as project, null::text as organization
      from metric_latest l join host h on h.id = l.subject
    union all ${instanceNames}
    order by subject`.execute(db);
  return rows.map(fromNamedRow);
}

export async function projectMetricsNamed(db: Db, proof: ProjectProof<'instance.inspect'>): Promise<NamedMetrics[]> {
  const { rows } = await sql<NamedRow>`${instanceNames} where i.project_id = ${proof.id} order by l.subject`.execute(
    db,
  );
  return rows.map(fromNamedRow);
}
