/** Routes: plain functions. A committed row is the route; edge reads rows, so it works at once. */
import type { Route } from '#contract/routes.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, ProjectId, RouteId } from '#domain/ids.ts';
import { instanceAbility, ROUTES_PER_INSTANCE_MAX } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import { record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { lockInstance } from '#server/store/instances.ts';
import { releaseQuota, reserveQuota } from '#server/store/quotas.ts';
import * as store from '#server/store/routes.ts';
import { isMoving } from '#server/store/transfers.ts';
import { routeHostnameProblem } from '#server/workflows/hostnames.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { type Page, pageOf } from './operations.ts';
import { publicUrl } from './present-instance.ts';

export type RouteInput = { hostname: string; port: number; visibility: 'private' | 'public' };

export function presentRoute(app: Pick<AppContext, 'config'>, route: store.RouteRecord, role: Role | null): Route {
  const update = roleAbility(role, 'route.update');
  const remove = roleAbility(role, 'route.delete');
  return {
    id: route.id,
    project: route.project,
    instance: route.instance,
    instanceName: route.instanceName,
    hostname: route.hostname,
    target: route.target,
    port: route.port,
    visibility: route.visibility,
    primary: route.primary,
    url: publicUrl(app.config, route.hostname),
    createdAt: route.createdAt.toISOString(),
    can: {
      update: update === true && route.target === 'screen' ? "A desktop's screen is always private." : update,
      delete: remove === true && route.primary ? 'This address follows the name of the instance.' : remove,
    },
  };
}

/** Primary first. */
export async function listRoutes(app: AppContext, caller: Caller, instance: InstanceId): Promise<Route[]> {
  const proof = await authorize(app, caller, 'route.read', { kind: 'instance', id: instance });
  const routes = await store.routesOfInstance(app.db, proof.id);
  return routes.map((route) => presentRoute(app, route, proof.role));
}

export async function listProjectRoutes(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  query: { cursor?: string | undefined; limit: number },
): Promise<Page<Route>> {
  const proof = await authorize(app, caller, 'route.read', { kind: 'project', id: project });
  const routes = await store.routesOfProject(app.db, proof.id, { after: query.cursor, limit: query.limit + 1 });
  return pageOf(
    routes.map((route) => presentRoute(app, route, proof.role)),
    query.limit,
    (route) => route.hostname,
  );
}

/** Errors: name_taken, quota_exceeded, invalid_input (another domain, a reserved name), state_conflict. */
export async function createRoute(app: AppContext, caller: Caller, id: InstanceId, input: RouteInput): Promise<Route> {
  const route = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'route.create', { kind: 'instance', id });
    const problem = routeHostnameProblem(input.hostname, app.config.domain);
    if (problem !== null) {
      throw new BerthError('invalid_input', problem, { fields: [{ field: 'hostname', message: problem }] });
    }
    const instance = await lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    const able = instanceAbility('route', instance.kind, { ...instance, busyWith: null });
    if (able !== true) throw new BerthError('state_conflict', able);
    await requireSettled(tx, instance.id);
    if ((await store.countRoutes(tx, instance.id)) >= ROUTES_PER_INSTANCE_MAX) {
      throw new BerthError('quota_exceeded', `An instance has at most ${ROUTES_PER_INSTANCE_MAX} routes.`);
    }
    await reserveQuota(tx, instance.project, { ...noUse, routes: 1 });
    const routeId = app.ids.make('rte');
    await store.insertRoute(
      tx,
      {
        id: routeId,
        organization: instance.organization,
        project: instance.project,
        instance: instance.id,
        hostname: input.hostname,
        target: 'port',
        port: input.port,
        visibility: input.visibility,
        primary: false,
        enabled: true,
      },
      app.services.now(),
    );
    await record(tx, proof.actor, {
      action: 'route.create',
      targetKind: 'route',
      targetId: routeId,
      target: input.hostname,
      organizationId: instance.organization,
      projectId: instance.project,
      after: { ...input, instance: instance.name, instanceId: instance.id },
    });
    return { id: routeId, role: proof.role };
  });
  return shown(app, route.id, route.role);
}

export async function updateRoute(
  app: AppContext,
  caller: Caller,
  id: RouteId,
  change: { port?: number | undefined; visibility?: 'private' | 'public' | undefined },
): Promise<Route> {
  const role = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'route.update', { kind: 'route', id });
    const route = await store.findRoute(tx, proof.id);
    if (route === null) throw notFound('route');
    if (route.target === 'screen') {
      throw new BerthError('state_conflict', "A desktop's screen is always private and has no port.");
    }
    await store.updateRoute(tx, route, {
      ...(change.port === undefined ? {} : { port: change.port }),
      ...(change.visibility === undefined ? {} : { visibility: change.visibility }),
    });
    await record(tx, proof.actor, {
      action: 'route.update',
      targetKind: 'route',
      targetId: route.id,
      target: route.hostname,
      organizationId: route.organization,
      projectId: route.project,
      before: { port: route.port, visibility: route.visibility, instanceId: route.instance },
      after: { ...change, instanceId: route.instance },
    });
    return proof.role;
  });
  return shown(app, id, role);
}

export async function deleteRoute(app: AppContext, caller: Caller, id: RouteId): Promise<void> {
  await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'route.delete', { kind: 'route', id });
    const route = await store.findRoute(tx, proof.id);
    if (route === null) throw notFound('route');
    if (route.primary) {
      throw new BerthError('state_conflict', 'This address follows the name of the instance. Rename the instance.');
    }
    await lockInstance(tx, route.instance);
    await requireSettled(tx, route.instance);
    if (!(await store.deleteRoute(tx, route))) throw notFound('route');
    await releaseQuota(tx, route.project, { ...noUse, routes: 1 });
    await record(tx, proof.actor, {
      action: 'route.delete',
      targetKind: 'route',
      targetId: route.id,
      target: route.hostname,
      organizationId: route.organization,
      projectId: route.project,
      before: {
        port: route.port,
        visibility: route.visibility,
        instance: route.instanceName,
        instanceId: route.instance,
      },
    });
  });
}

/** Errors: state_conflict while the instance is on its way to another project. */
async function requireSettled(tx: Trx, instance: InstanceId): Promise<void> {
  if (await isMoving(tx, instance)) {
    throw new BerthError('state_conflict', 'It is moving to another project. Change its routes when it is there.');
  }
}

async function shown(app: AppContext, id: RouteId, role: Role | null): Promise<Route> {
  const route = await store.findRoute(app.db, id);
  if (route === null) throw notFound('route');
  return presentRoute(app, route, role);
}
