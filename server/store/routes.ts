/** Routes: rows are the routing table. Edge reads them; a committed row works at once. */
import { sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { DomainId, InstanceId, OrganizationId, ProjectId, RouteId } from '#domain/ids.ts';
import type { RedirectStatus, RouteRules, RouteTarget } from '#domain/route-rules.ts';
import type { CertificateLook } from './certificates.ts';
import { type Db, isUniqueViolation, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type RouteRecord = {
  id: RouteId;
  organization: OrganizationId;
  project: ProjectId;
  instance: InstanceId;
  instanceName: string;
  hostname: string;
  /** Which paths of the host name: '/' is all that no other route of it covers. */
  path: string;
  target: RouteTarget;
  port: number | null;
  redirect: { to: string; status: RedirectStatus } | null;
  visibility: 'private' | 'public';
  /** The proven domain it hangs on; null under the platform domain. */
  domain: DomainId | null;
  rules: RouteRules;
  /** What was last seen of the host name's certificate; null: nobody has looked. */
  certificate: (CertificateLook & { checkedAt: Date }) | null;
  primary: boolean;
  enabled: boolean;
  createdAt: Date;
  version: number;
};

export type NewRoute = Omit<RouteRecord, 'instanceName' | 'certificate' | 'createdAt' | 'version'>;

const selected = (db: Db) =>
  db
    .selectFrom('route')
    .innerJoin('instance', 'instance.id', 'route.instance_id')
    .leftJoin('certificate', 'certificate.hostname', 'route.hostname')
    .select([
      'certificate.state as certificate_state',
      'certificate.issuer as certificate_issuer',
      'certificate.expires_at as certificate_expires_at',
      'certificate.problem as certificate_problem',
      'certificate.checked_at as certificate_checked_at',
      'route.id',
      'route.organization_id',
      'route.project_id',
      'route.instance_id',
      'instance.name as instance_name',
      'route.hostname',
      'route.path',
      'route.redirect_to',
      'route.redirect_status',
      'route.domain_id',
      'route.options',
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
    path: row.path,
    target: row.target,
    port: row.port,
    redirect: row.redirect_to === null ? null : { to: row.redirect_to, status: row.redirect_status as RedirectStatus },
    visibility: row.visibility as 'private' | 'public',
    domain: row.domain_id,
    rules: row.options,
    certificate:
      row.certificate_state === null || row.certificate_checked_at === null
        ? null
        : {
            state: row.certificate_state,
            issuer: row.certificate_issuer,
            expiresAt: row.certificate_expires_at,
            problem: row.certificate_problem,
            checkedAt: row.certificate_checked_at,
          },
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
    .orderBy('route.path')
    .execute();
  return rows.map(rowToRoute);
}

/** In order of host names and paths; `after` is host name and path of the last one of the page before. */
export async function routesOfProject(
  db: Db,
  project: ProjectId,
  page: { after?: string | undefined; limit: number },
): Promise<RouteRecord[]> {
  let query = selected(db)
    .where('route.project_id', '=', project)
    .where('instance.phase', 'not in', ['archived', 'purging'])
    .orderBy('route.hostname')
    .orderBy('route.path')
    .limit(page.limit);
  if (page.after !== undefined) {
    const slash = page.after.indexOf('/');
    const [hostname, path] = slash === -1 ? [page.after, ''] : [page.after.slice(0, slash), page.after.slice(slash)];
    query = query.where(sql<boolean>`(route.hostname, route.path) > (${hostname}, ${path})`);
  }
  return (await query.execute()).map(rowToRoute);
}

/** True when some route has this host name. */
export async function hostnameTaken(db: Db, hostname: string): Promise<boolean> {
  const row = await db.selectFrom('route').select('id').where('hostname', '=', hostname).executeTakeFirst();
  return row !== undefined;
}

/**
 * Makes everybody who wants a route of this host name wait until this transaction has ended. All paths of a host name
 * lead to one instance; no constraint of the database can say that.
 */
async function lockHostname(tx: Trx, hostname: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`route ${hostname}`}, 0))`.execute(tx);
}

/** Errors: name_taken. */
export async function insertRoute(tx: Trx, route: NewRoute, now: number): Promise<void> {
  if (!(await tryInsertRoute(tx, route, now))) {
    throw new BerthError('name_taken', `${placeOf(route)} is taken.`);
  }
}

/** Host name, and the path when it is not all of it. */
export function placeOf(route: { hostname: string; path: string }): string {
  return route.path === '/' ? route.hostname : route.hostname + route.path;
}

/** False when the place is taken, or the host name leads to another instance; the transaction stays usable. */
export async function tryInsertRoute(tx: Trx, route: NewRoute, now: number): Promise<boolean> {
  await lockHostname(tx, route.hostname);
  const other = await tx
    .selectFrom('route')
    .select('id')
    .where('hostname', '=', route.hostname)
    .where('instance_id', '<>', route.instance)
    .limit(1)
    .executeTakeFirst();
  if (other !== undefined) return false;
  const row = await tx
    .insertInto('route')
    .values({
      id: route.id,
      organization_id: route.organization,
      project_id: route.project,
      instance_id: route.instance,
      hostname: route.hostname,
      path: route.path,
      target: route.target,
      port: route.port,
      redirect_to: route.redirect?.to ?? null,
      redirect_status: route.redirect?.status ?? null,
      domain_id: route.domain,
      options: json(route.rules),
      visibility: route.visibility,
      is_primary: route.primary,
      enabled: route.enabled,
      created_at: new Date(now),
    })
    .onConflict((conflict) => conflict.columns(['hostname', 'path']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await routeHint(tx, route, 1);
  return true;
}

export type RouteChange = {
  port?: number;
  redirect?: { to: string; status: RedirectStatus };
  visibility?: 'private' | 'public';
  rules?: RouteRules;
};

export async function updateRoute(tx: Trx, route: RouteRecord, change: RouteChange): Promise<void> {
  const { redirect, rules, ...plain } = change;
  const row = await tx
    .updateTable('route')
    .set((eb) => ({
      ...plain,
      ...(redirect === undefined ? {} : { redirect_to: redirect.to, redirect_status: redirect.status }),
      ...(rules === undefined ? {} : { options: json(rules) }),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', route.id)
    .returning('version')
    .executeTakeFirst();
  if (row !== undefined) await routeHint(tx, route, Number(row.version));
}

/**
 * Moves every path of a platform address to another host name. Errors: name_taken when that one is (the transaction is
 * broken then).
 */
export async function moveRoutes(tx: Trx, instance: InstanceId, from: string, to: string): Promise<void> {
  await lockHostname(tx, to);
  try {
    const rows = await tx
      .updateTable('route')
      .set((eb) => ({ hostname: to, version: eb('version', '+', 1) }))
      .where('instance_id', '=', instance)
      .where('hostname', '=', from)
      .returning(['id', 'organization_id', 'project_id', 'version'])
      .execute();
    for (const row of rows) await routeHint(tx, hintOf(row, instance), Number(row.version));
  } catch (error) {
    if (isUniqueViolation(error)) throw new BerthError('name_taken', `${to} is taken.`);
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
    await routeHint(tx, hintOf(row, instance), Number(row.version));
  }
}

/** True when some route of the instance hangs on a domain of its project. */
export async function hasDomainRoutes(db: Db, instance: InstanceId): Promise<boolean> {
  const row = await db
    .selectFrom('route')
    .select('id')
    .where('instance_id', '=', instance)
    .where('domain_id', 'is not', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function countRoutes(db: Db, instance: InstanceId): Promise<number> {
  const row = await db
    .selectFrom('route')
    .select(sql<string>`count(*)`.as('count'))
    .where('instance_id', '=', instance)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Tells edge and consoles that routes on this domain (dis)appear with its proof. */
export async function touchDomainRoutes(tx: Trx, domain: DomainId): Promise<number> {
  const rows = await tx
    .updateTable('route')
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .where('domain_id', '=', domain)
    .returning(['id', 'organization_id', 'project_id', 'instance_id', 'version'])
    .execute();
  for (const row of rows) await routeHint(tx, hintOf(row, row.instance_id), Number(row.version));
  return rows.length;
}

function hintOf(
  row: { id: string; organization_id: string; project_id: string },
  instance: InstanceId,
): Pick<RouteRecord, 'id' | 'organization' | 'project' | 'instance'> {
  return {
    id: row.id as RouteId,
    organization: row.organization_id as OrganizationId,
    project: row.project_id as ProjectId,
    instance,
  };
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
