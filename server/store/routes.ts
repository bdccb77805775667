/** Routes: rows are the routing table. Edge reads them; a committed row works at once. */
import { sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId, OrganizationId, ProjectId, RouteId } from '#domain/ids.ts';
import { type Db, isUniqueViolation, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type RouteRecord = {
  id: RouteId;
  organization: OrganizationId;
  project: ProjectId;
  instance: InstanceId;
  instanceName: string;
  hostname: string;
  target: 'port' | 'screen';
  port: number | null;
  visibility: 'private' | 'public';
  primary: boolean;
  enabled: boolean;
  createdAt: Date;
  version: number;
};

export type NewRoute = Omit<RouteRecord, 'instanceName' | 'createdAt' | 'version'>;

const selected = (db: Db) =>
  db
    .selectFrom('route')
    .innerJoin('instance', 'instance.id', 'route.instance_id')
    .select([
      'route.id',
      'route.organization_id',
      'route.project_id',
      'route.instance_id',
      'instance.name as instance_name',
      'route.hostname',
      'route.target',
      'route.port',
      'route.visibility',
      'route.is_primary',
      'route.enabled',
      'route.created_at',
      'route.version',
    ]);

type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToRoute(row: Row): RouteRecord {
  return {
    id: row.id as RouteId,
    organization: row.organization_id as OrganizationId,
    project: row.project_id as ProjectId,
    instance: row.instance_id as InstanceId,
    instanceName: row.instance_name,
    hostname: row.hostname,
    target: row.target as 'port' | 'screen',
    port: row.port,
    visibility: row.visibility as 'private' | 'public',
    primary: row.is_primary,
    enabled: row.enabled,
    createdAt: row.created_at,
    version: Number(row.version),
  };
}

export async function findRoute(db: Db, id: RouteId): Promise<RouteRecord | null> {
  const row = await selected(db).where('route.id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToRoute(row);
}

export async function routesOfInstance(db: Db, instance: InstanceId): Promise<RouteRecord[]> {
  const rows = await selected(db)
    .where('route.instance_id', '=', instance)
    .orderBy('route.is_primary', 'desc')
    .orderBy('route.hostname')
    .execute();
  return rows.map(rowToRoute);
}

/** In order of host names; `after` is the last host name of the page before. */
export async function routesOfProject(
  db: Db,
  project: ProjectId,
  page: { after?: string | undefined; limit: number },
): Promise<RouteRecord[]> {
  let query = selected(db)
    .where('route.project_id', '=', project)
    .where('instance.phase', 'not in', ['archived', 'purging'])
    .orderBy('route.hostname')
    .limit(page.limit);
  if (page.after !== undefined) query = query.where('route.hostname', '>', page.after);
  return (await query.execute()).map(rowToRoute);
}

/** True when some route has this host name. */
export async function hostnameTaken(db: Db, hostname: string): Promise<boolean> {
  const row = await db.selectFrom('route').select('id').where('hostname', '=', hostname).executeTakeFirst();
  return row !== undefined;
}

/** Errors: name_taken. */
export async function insertRoute(tx: Trx, route: NewRoute, now: number): Promise<void> {
  if (!(await tryInsertRoute(tx, route, now))) {
    throw new BerthError('name_taken', `${route.hostname} is taken.`);
  }
}

/** False when the host name is taken; the transaction stays usable. */
export async function tryInsertRoute(tx: Trx, route: NewRoute, now: number): Promise<boolean> {
  const row = await tx
    .insertInto('route')
    .values({
      id: route.id,
      organization_id: route.organization,
      project_id: route.project,
      instance_id: route.instance,
      hostname: route.hostname,
      target: route.target,
      port: route.port,
      visibility: route.visibility,
      is_primary: route.primary,
      enabled: route.enabled,
      created_at: new Date(now),
    })
    .onConflict((conflict) => conflict.column('hostname').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await routeHint(tx, route, 1);
  return true;
}

export type RouteChange = {
  hostname?: string;
  port?: number;
  visibility?: 'private' | 'public';
  enabled?: boolean;
};

/** Errors: name_taken when the new host name is (the transaction is broken then). */
export async function updateRoute(tx: Trx, route: RouteRecord, change: RouteChange): Promise<void> {
  try {
    const row = await tx
      .updateTable('route')
      .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
      .where('id', '=', route.id)
      .returning('version')
      .executeTakeFirst();
    if (row !== undefined) await routeHint(tx, route, Number(row.version));
  } catch (error) {
    if (isUniqueViolation(error)) throw new BerthError('name_taken', `${change.hostname} is taken.`);
    throw error;
  }
}

/** False when it was gone already. */
export async function deleteRoute(tx: Trx, route: RouteRecord): Promise<boolean> {
  const row = await tx.deleteFrom('route').where('id', '=', route.id).returning('id').executeTakeFirst();
  if (row === undefined) return false;
  await routeHint(tx, route, route.version + 1);
  return true;
}

/** Switches every route of an instance off or on. */
export async function enableRoutes(tx: Trx, instance: InstanceId, enabled: boolean): Promise<void> {
  const rows = await tx
    .updateTable('route')
    .set((eb) => ({ enabled, version: eb('version', '+', 1) }))
    .where('instance_id', '=', instance)
    .where('enabled', '<>', enabled)
    .returning(['id', 'organization_id', 'project_id', 'version'])
    .execute();
  for (const row of rows) {
    await routeHint(
      tx,
      {
        id: row.id as RouteId,
        organization: row.organization_id as OrganizationId,
        project: row.project_id as ProjectId,
        instance,
      },
      Number(row.version),
    );
  }
}

export async function countRoutes(db: Db, instance: InstanceId): Promise<number> {
  const row = await db
    .selectFrom('route')
    .select(sql<string>`count(*)`.as('count'))
    .where('instance_id', '=', instance)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

async function routeHint(
  tx: Trx,
  route: Pick<RouteRecord, 'id' | 'organization' | 'project' | 'instance'>,
  version: number,
): Promise<void> {
  await emit(tx, {
    kind: 'route',
    ref: route.id,
    organizationId: route.organization,
    projectId: route.project,
    instanceId: route.instance,
    version,
  });
}
