/** What left instances: written by the collector, read with a proof, forgotten by age and number. */
import { sql } from 'kysely';
import {
  FLOW_DAYS_KEPT,
  FLOW_TOP_MAX,
  FLOWS_PER_HOUR_MAX,
  FLOWS_PER_INSTANCE_MAX,
  type Flow,
  type FlowProtocol,
  type FlowVerdict,
} from '#domain/flows.ts';
import type { HostId, InstanceId } from '#domain/ids.ts';
import type { ProjectProof } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import { cutPage, decodeTextCursor } from './page.ts';

type FlowProof = ProjectProof<'flow.read'>;

export async function lastFlowBatch(db: Db, host: HostId): Promise<string | null> {
  const row = await db.selectFrom('flow_batch').select('batch').where('host_id', '=', host).executeTakeFirst();
  return row?.batch ?? null;
}

/**
 * Adds a piece once. Of each instance and hour at most FLOWS_PER_HOUR_MAX destinations have rows of their own; the rest
 * is one row without address. What is no instance of this installation is left out.
 */
export async function recordFlows(
  tx: Trx,
  host: HostId,
  batch: string,
  flows: readonly (Flow & { instance: InstanceId })[],
): Promise<void> {
  const taken = await tx
    .insertInto('flow_batch')
    .values({ host_id: host, batch })
    .onConflict((conflict) => conflict.column('host_id').doUpdateSet({ batch }).where('flow_batch.batch', '<>', batch))
    .returning('batch')
    .executeTakeFirst();
  // Another replica, or this one before it was killed, was quicker.
  if (taken === undefined) return;
  const rows = flows.map(({ instance, firstAt, lastAt, sentBytes, receivedBytes, ...flow }) => ({
    ...flow,
    instance_id: instance,
    sent_bytes: sentBytes,
    received_bytes: receivedBytes,
    first_at: firstAt,
    last_at: lastAt,
  }));
  await sql`
    with given as (
      select g.*, date_trunc('hour', g.last_at, 'UTC') as hour, i.project_id
        from jsonb_to_recordset(${json(rows)}::jsonb) as g (instance_id text, address text, protocol text, port int,
               verdict text, name text, connections bigint, sent_bytes bigint, received_bytes bigint,
               first_at timestamptz, last_at timestamptz)
        join instance i on i.id = g.instance_id
    ), counted as (
      select f.instance_id, f.hour, count(*) as rows from flow f
       where (f.instance_id, f.hour) in (select distinct instance_id, hour from given) group by 1, 2
    ), ranked as (
      select g.*, f.instance_id is not null or g.address = '' as known, coalesce(c.rows, 0)
             + row_number() over (partition by g.instance_id, g.hour, f.instance_id is null order by g.sent_bytes desc) as place
        from given g
        left join flow f using (instance_id, hour, verdict, address, protocol, port)
        left join counted c on c.instance_id = g.instance_id and c.hour = g.hour
    ), bounded as (
      select instance_id, hour, project_id,
             verdict, case when fits then address else '' end as address, case when fits then protocol else 'any' end as protocol,
             case when fits then port else 0 end as port, case when fits then name end as name,
             connections, sent_bytes, received_bytes, first_at, last_at
        from (select *, known or place <= ${FLOWS_PER_HOUR_MAX}::int as fits from ranked) r
    )
    insert into flow as f (instance_id, hour, verdict, address, protocol, port, project_id, name,
        connections, sent_bytes, received_bytes, first_at, last_at)
    select instance_id, hour, verdict, address, protocol, port, min(project_id), max(name),
           sum(connections), sum(sent_bytes), sum(received_bytes), min(first_at), max(last_at)
      from bounded group by 1, 2, 3, 4, 5, 6
    on conflict (instance_id, hour, verdict, address, protocol, port) do update set
      name = coalesce(excluded.name, f.name), connections = f.connections + excluded.connections,
      sent_bytes = f.sent_bytes + excluded.sent_bytes, received_bytes = f.received_bytes + excluded.received_bytes,
      first_at = least(f.first_at, excluded.first_at), last_at = greatest(f.last_at, excluded.last_at)`.execute(tx);
}

/** Takes away what is old, belongs to nothing any more or is too much; false when there was nothing. */
export async function forgetFlows(db: Db, now: number): Promise<boolean> {
  const oldest = new Date(now - FLOW_DAYS_KEPT * 86_400_000);
  const old = await sql`
    delete from flow where ctid in (select ctid from flow where hour < ${oldest}::timestamptz limit ${FORGOTTEN_AT_ONCE})`.execute(
    db,
  );
  const orphaned = await sql`
    delete from flow where ctid in (select f.ctid from flow f
      where not exists (select 1 from instance i where i.id = f.instance_id) limit ${FORGOTTEN_AT_ONCE})`.execute(db);
  const many = await sql`
    delete from flow where ctid in (
      select ctid from (select ctid, row_number() over (partition by instance_id order by last_at desc) as place from flow
          where instance_id in (select instance_id from flow group by 1 having count(*) > ${FLOWS_PER_INSTANCE_MAX}::int)) f
       where place > ${FLOWS_PER_INSTANCE_MAX}::int limit ${FORGOTTEN_AT_ONCE})`.execute(db);
  return [old, orphaned, many].some(({ numAffectedRows }) => (numAffectedRows ?? 0n) > 0n);
}
const FORGOTTEN_AT_ONCE = 10_000;

export type FlowFilter = {
  instance?: InstanceId | undefined;
  /** Address or range. */
  address?: string | undefined;
  name?: string | undefined;
  port?: number | undefined;
  protocol?: FlowProtocol | undefined;
  verdict?: FlowVerdict | undefined;
  since?: string | undefined;
  until?: string | undefined;
};
export type FlowRecord = {
  instance: { id: InstanceId; name: string };
  address: string;
  protocol: FlowProtocol;
  port: number;
  verdict: FlowVerdict;
  name: string | null;
  connections: number;
  sentBytes: number;
  receivedBytes: number;
  firstAt: Date;
  lastAt: Date;
  /** Where the next page goes on. */
  key: string;
};

function conditions(proof: FlowProof, filter: FlowFilter) {
  const parts = [sql`f.project_id = ${proof.id}`];
  if (filter.instance !== undefined) parts.push(sql`f.instance_id = ${filter.instance}`);
  // Everything but the bound's own row is an address: what is written before the comparison is looked at first.
  if (filter.address !== undefined)
    parts.push(sql`(case when f.address <> '' then f.address::inet <<= ${filter.address}::inet else false end)`);
  if (filter.name !== undefined) parts.push(sql`strpos(f.name, lower(${filter.name}::text)) > 0`);
  if (filter.port !== undefined) parts.push(sql`f.port = ${filter.port}::int`);
  if (filter.protocol !== undefined) parts.push(sql`f.protocol = ${filter.protocol}`);
  if (filter.verdict !== undefined) parts.push(sql`f.verdict = ${filter.verdict}`);
  if (filter.since !== undefined) parts.push(sql`f.last_at >= ${filter.since}::timestamptz`);
  if (filter.until !== undefined) parts.push(sql`f.first_at < ${filter.until}::timestamptz`);
  return sql.join(parts, sql` and `);
}

type Row = Omit<FlowRecord, 'instance' | 'connections' | 'sentBytes' | 'receivedBytes' | 'firstAt' | 'lastAt'> & {
  instance_id: InstanceId;
  instance_name: string;
  connections: string;
  sent_bytes: string;
  received_bytes: string;
  first_at: Date;
  last_at: Date;
};

function fromRow({ instance_id, instance_name, first_at, last_at, ...row }: Row): FlowRecord {
  return {
    address: row.address,
    protocol: row.protocol,
    port: row.port,
    verdict: row.verdict,
    name: row.name,
    key: row.key,
    instance: { id: instance_id, name: instance_name },
    connections: Number(row.connections),
    sentBytes: Number(row.sent_bytes),
    receivedBytes: Number(row.received_bytes),
    firstAt: first_at,
    lastAt: last_at,
  };
}

const CURSOR = /^[0-9]{1,20} [a-z0-9_]{1,40} [0-9a-z:./ ]{1,120}$/;
/** Unique, and in the order of the list. */
const key = sql`(floor(extract(epoch from f.last_at) * 1000000)::bigint)`;
const tie = sql`concat_ws(' ', f.instance_id, f.verdict, f.protocol, f.port, floor(extract(epoch from f.hour))::bigint, f.address)`;

export async function listFlows(
  db: Db,
  proof: FlowProof,
  { cursor, limit, ...filter }: FlowFilter & { cursor?: string | undefined; limit: number },
): Promise<{ rows: FlowRecord[]; nextCursor: string | null }> {
  const after = decodeTextCursor(cursor, CURSOR);
  const [moment = '0', ...rest] = after?.split(' ') ?? [];
  const further =
    after === null
      ? sql``
      : sql`and (${key}, ${tie} collate "C") < (${moment}::bigint, ${rest.join(' ')}::text collate "C")`;
  const { rows } = await sql<Row>`
    select f.*, i.name as instance_name, concat_ws(' ', ${key}, ${tie}) as key
      from flow f join instance i on i.id = f.instance_id
     where ${conditions(proof, filter)} ${further}
     order by ${key} desc, ${tie} collate "C" desc limit ${limit + 1}`.execute(db);
  return cutPage(rows.map(fromRow), limit, (row) => row.key);
}

export type TopDestination = {
  destination: string;
  connections: number;
  denied: number;
  sentBytes: number;
  receivedBytes: number;
};

export async function topFlows(db: Db, proof: FlowProof, filter: FlowFilter): Promise<TopDestination[]> {
  const { rows } = await sql<Record<'destination' | 'connections' | 'denied' | 'sent' | 'received', string>>`
    select coalesce(f.name, f.address) as destination,
           coalesce(sum(f.connections) filter (where f.verdict = 'allowed'), 0) as connections,
           coalesce(sum(f.connections) filter (where f.verdict = 'denied'), 0) as denied,
           sum(f.sent_bytes) as sent, sum(f.received_bytes) as received
      from flow f where ${conditions(proof, filter)} and f.address <> ''
     group by 1 order by sum(f.sent_bytes + f.received_bytes) desc, sum(f.connections) desc, 1 limit ${FLOW_TOP_MAX}`.execute(
    db,
  );
  return rows.map((row) => ({
    destination: row.destination,
    connections: Number(row.connections),
    denied: Number(row.denied),
    sentBytes: Number(row.sent),
    receivedBytes: Number(row.received),
  }));
}
