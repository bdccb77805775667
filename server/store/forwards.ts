/** Port forwards: rows say what is wanted and, in `state`, what the host last made of it. */
import { sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { ForwardProtocol, ForwardState, PortRange } from '#domain/forwards.ts';
import type { ForwardId, InstanceId, OrganizationId, ProjectId } from '#domain/ids.ts';
import { type Db, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

export type ForwardRecord = {
  id: ForwardId;
  organization: OrganizationId;
  project: ProjectId;
  instance: InstanceId;
  instanceName: string;
  protocol: ForwardProtocol;
  hostPort: number;
  port: number;
  description: string;
  enabled: boolean;
  state: ForwardState;
  createdAt: Date;
  version: number;
};

export type NewForward = Omit<ForwardRecord, 'instanceName' | 'createdAt' | 'version' | 'state' | 'hostPort'>;

const selected = (db: Db) =>
  db
    .selectFrom('port_forward')
    .innerJoin('instance', 'instance.id', 'port_forward.instance_id')
    .selectAll('port_forward')
    .select('instance.name as instance_name');

type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToForward(row: Row): ForwardRecord {
  return {
    id: row.id,
    organization: row.organization_id,
    project: row.project_id,
    instance: row.instance_id,
    instanceName: row.instance_name,
    protocol: row.protocol,
    hostPort: row.host_port,
    port: row.port,
    description: row.description,
    enabled: row.enabled,
    state: row.state,
    createdAt: row.created_at,
    version: Number(row.version),
  };
}

export async function findForward(db: Db, id: ForwardId): Promise<ForwardRecord | null> {
  const row = await selected(db).where('port_forward.id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToForward(row);
}

export async function forwardsOfInstance(db: Db, instance: InstanceId): Promise<ForwardRecord[]> {
  const rows = await selected(db)
    .where('port_forward.instance_id', '=', instance)
    .orderBy('port_forward.host_port')
    .orderBy('port_forward.protocol')
    .execute();
  return rows.map(rowToForward);
}

/** In order of ports; `after` is the last of the page before. */
export async function forwardsOfProject(
  db: Db,
  project: ProjectId,
  page: { after?: { hostPort: number; protocol: ForwardProtocol } | undefined; limit: number },
): Promise<ForwardRecord[]> {
  const { after } = page;
  const rows = await selected(db)
    .where('port_forward.project_id', '=', project)
    .where('instance.phase', 'not in', ['archived', 'purging'])
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(host_port, protocol) > (${after?.hostPort}::integer, ${after?.protocol}::text)`),
    )
    .orderBy('port_forward.host_port')
    .orderBy('port_forward.protocol')
    .limit(page.limit)
    .execute();
  return rows.map(rowToForward);
}

/** What the host has to make true: forwards of instances that exist and are not archived. */
export async function wantedForwards(db: Db): Promise<ForwardRecord[]> {
  const rows = await selected(db)
    .where('port_forward.enabled', '=', true)
    .where('instance.phase', 'in', ['creating', 'ready'])
    .orderBy('port_forward.host_port')
    .orderBy('port_forward.protocol')
    .execute();
  return rows.map(rowToForward);
}

/**
 * Takes a port of the pool and writes the row: one statement, so that no two ever get the same port. `wish` asks for one
 * port. Null: that port, or the whole pool, is taken.
 */
export async function insertForward(
  tx: Trx,
  forward: NewForward,
  ports: { pool: PortRange; never: readonly number[]; wish: number | null },
  now: number,
): Promise<number | null> {
  const { first, last } = ports.wish === null ? ports.pool : { first: ports.wish, last: ports.wish };
  // Ports that somebody else is just taking look free until the insert waits for them; then the next one is tried.
  for (let tried = first; tried <= last; tried++) {
    const { rows } = await sql<{ host_port: number }>`
      insert into port_forward
        (id, organization_id, project_id, instance_id, protocol, host_port, port, description, enabled, created_at)
      select ${forward.id}, ${forward.organization}, ${forward.project}, ${forward.instance}, ${forward.protocol},
             candidate, ${forward.port}, ${forward.description}, ${forward.enabled}, ${new Date(now)}
        from generate_series(${first}::integer, ${last}::integer) candidate
       where candidate <> all(${[...ports.never]}::integer[])
         and not exists (select from port_forward p where p.protocol = ${forward.protocol} and p.host_port = candidate)
       order by candidate limit 1
      on conflict (protocol, host_port) do nothing
      returning host_port`.execute(tx);
    const taken = rows[0]?.host_port;
    if (taken !== undefined) {
      await forwardHint(tx, forward, 1);
      return taken;
    }
    if (!(await freeIn(tx, forward.protocol, { first, last }, ports.never))) return null;
  }
  return null;
}

async function freeIn(tx: Trx, protocol: ForwardProtocol, range: PortRange, never: readonly number[]) {
  const { rows } = await sql`
    select from generate_series(${range.first}::integer, ${range.last}::integer) candidate
     where candidate <> all(${[...never]}::integer[])
       and not exists (select from port_forward p where p.protocol = ${protocol} and p.host_port = candidate)
     limit 1`.execute(tx);
  return rows.length > 0;
}

export async function updateForward(
  tx: Trx,
  forward: ForwardRecord,
  change: { port?: number; description?: string },
): Promise<void> {
  const { version } = await tx
    .updateTable('port_forward')
    .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
    .where('id', '=', forward.id)
    .returning('version')
    .executeTakeFirstOrThrow();
  await forwardHint(tx, forward, Number(version));
}

/** False when it was gone already. */
export async function deleteForward(tx: Trx, forward: ForwardRecord): Promise<boolean> {
  const row = await tx.deleteFrom('port_forward').where('id', '=', forward.id).returning('id').executeTakeFirst();
  if (row === undefined) return false;
  await forwardHint(tx, forward, forward.version + 1);
  return true;
}

/** Switches every forward of an instance off or on. */
export async function enableForwards(tx: Trx, instance: InstanceId, enabled: boolean): Promise<void> {
  const rows = await tx
    .updateTable('port_forward')
    .set((eb) => ({ enabled, state: 'pending' as const, version: eb('version', '+', 1) }))
    .where('instance_id', '=', instance)
    .where('enabled', '<>', enabled)
    .returning(['id', 'organization_id', 'project_id', 'version'])
    .execute();
  for (const row of rows) {
    const where = { id: row.id, organization: row.organization_id, project: row.project_id, instance };
    await forwardHint(tx, where, Number(row.version));
  }
}

export async function countForwards(db: Db, instance: InstanceId): Promise<number> {
  const { count } = await db
    .selectFrom('port_forward')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('instance_id', '=', instance)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Writes what the host made of one forward; true when that is news. */
export async function recordForwardState(db: Db, forward: ForwardRecord, state: ForwardState): Promise<boolean> {
  if (forward.state === state) return false;
  return transact(db, async (tx) => {
    const row = await tx
      .updateTable('port_forward')
      .set((eb) => ({ state, version: eb('version', '+', 1) }))
      .where('id', '=', forward.id)
      .where('version', '=', forward.version)
      .returning('version')
      .executeTakeFirst();
    if (row === undefined) return false;
    await forwardHint(tx, forward, Number(row.version));
    return true;
  });
}

/** The instance has moved: its forwards with their ports are in the other project from now on. */
export async function moveForwards(
  tx: Trx,
  instance: InstanceId,
  from: { organization: OrganizationId; project: ProjectId },
  to: { organization: OrganizationId; project: ProjectId },
): Promise<void> {
  const rows = await tx
    .updateTable('port_forward')
    .set((eb) => ({
      organization_id: to.organization,
      project_id: to.project,
      state: 'pending' as const,
      version: eb('version', '+', 1),
    }))
    .where('instance_id', '=', instance)
    .returning(['id', 'version'])
    .execute();
  for (const row of rows) {
    for (const place of [from, to]) {
      await forwardHint(tx, { id: row.id, ...place, instance }, Number(row.version));
    }
  }
}

/** Errors: conflict. */
export function portTaken(protocol: ForwardProtocol, port: number): BerthError {
  const message = `${protocol.toUpperCase()} port ${port} is taken.`;
  return new BerthError('conflict', message, { fields: [{ field: 'hostPort', message }] });
}

async function forwardHint(
  tx: Trx,
  forward: Pick<ForwardRecord, 'id' | 'organization' | 'project' | 'instance'>,
  version: number,
): Promise<void> {
  await emit(tx, {
    kind: 'forward',
    ref: forward.id,
    organizationId: forward.organization,
    projectId: forward.project,
    instanceId: forward.instance,
    version,
  });
}
