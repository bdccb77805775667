/** Routes: plain functions. A committed row is the route; edge reads rows, so it works at once. */
import type { Route, RouteRulesInput } from '#contract/routes.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { DomainId, InstanceId, ProjectId, RouteId } from '#domain/ids.ts';
import { instanceAbility, ROUTES_PER_INSTANCE_MAX } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import type { RedirectStatus, RouteRules } from '#domain/route-rules.ts';
import { hashPassword } from '#server/runtime/passwords.ts';
import { lookAtCertificate } from '#server/runtime/tls-look.ts';
import { record } from '#server/store/audit.ts';
import { recordCertificate } from '#server/store/certificates.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { lockOwnerOf } from '#server/store/domains.ts';
import { lockInstance } from '#server/store/instances.ts';
import { releaseQuota, reserveQuota } from '#server/store/quotas.ts';
import * as store from '#server/store/routes.ts';
import { isMoving } from '#server/store/transfers.ts';
import { isPlatformName, routeHostnameProblem } from '#server/workflows/hostnames.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { type Page, pageOf } from './operations.ts';
import { publicUrl } from './present-instance.ts';

type Redirect = { to: string; status: RedirectStatus };
export type RouteInput = {
  hostname: string;
  path: string;
  port?: number | undefined;
  redirect?: Redirect | undefined;
  visibility: 'private' | 'public';
  rules?: RouteRulesInput | undefined;
};
export type RouteChangeInput = Partial<Omit<RouteInput, 'hostname' | 'path'>>;

export function presentRoute(app: Pick<AppContext, 'config'>, route: store.RouteRecord, role: Role | null): Route {
  const update = roleAbility(role, 'route.update');
  const remove = roleAbility(role, 'route.delete');
  return {
    id: route.id,
    project: route.project,
    instance: route.instance,
    instanceName: route.instanceName,
    hostname: route.hostname,
    path: route.path,
    target: route.target,
    port: route.port,
    redirect: route.redirect,
    visibility: route.visibility,
    primary: route.primary,
    domain: route.domain,
    rules: presentRules(route.rules),
    certificate:
      route.certificate === null
        ? null
        : {
            ...route.certificate,
            expiresAt: route.certificate.expiresAt?.toISOString() ?? null,
            checkedAt: route.certificate.checkedAt.toISOString(),
          },
    url: publicUrl(app.config, route.hostname) + (route.path === '/' ? '' : route.path),
    createdAt: route.createdAt.toISOString(),
    can: {
      check: update,
      update: update === true && route.target === 'screen' ? "A desktop's screen is always private." : update,
      delete: remove === true && route.primary ? 'This address follows the name of the instance.' : remove,
    },
  };
}

function presentRules({ basicAuth, ...rules }: RouteRules): Route['rules'] {
  return {
    allow: rules.allow ?? [],
    bodyBytesMax: rules.bodyBytesMax ?? null,
    protocol: rules.protocol ?? 'http1',
    requestHeaders: rules.requestHeaders ?? [],
    responseHeaders: rules.responseHeaders ?? [],
    basicAuth: basicAuth === undefined ? null : { user: basicAuth.user },
  };
}

/** What is kept of the rules: nothing for what has its default, a digest for the password. */
async function changedRules(before: RouteRules, input: RouteRulesInput): Promise<RouteRules> {
  const { basicAuth, ...plain } = input;
  const shown = { ...presentRules(before), ...plain };
  const auth =
    basicAuth === undefined
      ? before.basicAuth
      : basicAuth === null
        ? undefined
        : { user: basicAuth.user, hash: await hashPassword(basicAuth.password) };
  return {
    ...(shown.allow.length === 0 ? {} : { allow: shown.allow }),
    ...(shown.bodyBytesMax === null ? {} : { bodyBytesMax: shown.bodyBytesMax }),
    ...(shown.protocol === 'http1' ? {} : { protocol: shown.protocol }),
    ...(shown.requestHeaders.length === 0 ? {} : { requestHeaders: shown.requestHeaders }),
    ...(shown.responseHeaders.length === 0 ? {} : { responseHeaders: shown.responseHeaders }),
    ...(auth === undefined ? {} : { basicAuth: auth }),
  };
}

function fieldError(field: string, message: string): BerthError {
  return new BerthError('invalid_input', message, { fields: [{ field, message }] });
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
    (route) => route.hostname + route.path,
  );
}

/**
 * The domain that a new host name hangs on; null under the platform domain. It stays proven until `tx` has ended.
 * Errors: invalid_input (no proven domain of this project covers it, or a reserved name).
 */
async function domainOf(tx: Trx, hostname: string, project: ProjectId, platform: string): Promise<DomainId | null> {
  if (isPlatformName(hostname, platform)) {
    const problem = routeHostnameProblem(hostname, platform);
    if (problem !== null) throw fieldError('hostname', problem);
    return null;
  }
  const owner = await lockOwnerOf(tx, hostname);
  if (owner?.project !== project) {
    throw fieldError(
      'hostname',
      `Use a name under ${platform}, or add the domain under Domains first: nobody in this project has proven that ${hostname} is theirs.`,
    );
  }
  return owner.id;
}

/** Errors: name_taken, quota_exceeded, invalid_input (a domain that is not proven, a reserved name), state_conflict. */
export async function createRoute(app: AppContext, caller: Caller, id: InstanceId, input: RouteInput): Promise<Route> {
  if ((input.port === undefined) === (input.redirect === undefined)) {
    throw fieldError('port', 'Give either a port inside the instance or an address to redirect to.');
  }
  await authorize(app, caller, 'route.create', { kind: 'instance', id });
  const rules = await changedRules({}, input.rules ?? {});
  const route = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'route.create', { kind: 'instance', id });
    const instance = await lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    const able = instanceAbility('route', instance.kind, { ...instance, busyWith: null });
    if (able !== true) throw new BerthError('state_conflict', able);
    await requireSettled(tx, instance.id);
    const domain = await domainOf(tx, input.hostname, instance.project, app.config.domain);
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
        path: input.path,
        target: input.redirect === undefined ? 'port' : 'redirect',
        port: input.port ?? null,
        redirect: input.redirect ?? null,
        visibility: input.visibility,
        domain,
        rules,
        primary: false,
        enabled: true,
      },
      app.services.now(),
    );
    await record(tx, proof.actor, {
      action: 'route.create',
      targetKind: 'route',
      targetId: routeId,
      target: store.placeOf(input),
      organizationId: instance.organization,
      projectId: instance.project,
      after: { ...input, rules: presentRules(rules), instance: instance.name, instanceId: instance.id },
    });
    return { id: routeId, role: proof.role };
  });
  app.services.nudge('dns-keeper');
  return shown(app, route.id, route.role);
}

export async function updateRoute(
  app: AppContext,
  caller: Caller,
  id: RouteId,
  change: RouteChangeInput,
): Promise<Route> {
  const { id: known } = await authorize(app, caller, 'route.update', { kind: 'route', id });
  const seen = await store.findRoute(app.db, known);
  // A digest takes long: not while others wait for rows.
  const rules = change.rules === undefined ? undefined : await changedRules(seen?.rules ?? {}, change.rules);
  const role = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'route.update', { kind: 'route', id });
    const route = await store.findRoute(tx, proof.id);
    if (route === null) throw notFound('route');
    if (route.target === 'screen') {
      throw new BerthError('state_conflict', "A desktop's screen is always private and has no port.");
    }
    if (route.version !== seen?.version) throw new BerthError('conflict', 'Somebody changed it meanwhile. Try again.');
    if (route.target === 'port' ? change.redirect !== undefined : change.port !== undefined) {
      throw new BerthError(
        'state_conflict',
        'A route to a port cannot become a redirect, or the other way. Remove it and add another.',
      );
    }
    await store.updateRoute(tx, route, {
      ...(change.redirect === undefined ? {} : { redirect: change.redirect }),
      ...(rules === undefined ? {} : { rules }),
      ...(change.port === undefined ? {} : { port: change.port }),
      ...(change.visibility === undefined ? {} : { visibility: change.visibility }),
    });
    await record(tx, proof.actor, {
      action: 'route.update',
      targetKind: 'route',
      targetId: route.id,
      target: store.placeOf(route),
      organizationId: route.organization,
      projectId: route.project,
      before: {
        port: route.port,
        redirect: route.redirect,
        visibility: route.visibility,
        ...(rules === undefined ? {} : { rules: presentRules(route.rules) }),
        instanceId: route.instance,
      },
      after: {
        ...change,
        ...(rules === undefined ? {} : { rules: presentRules(rules) }),
        instanceId: route.instance,
      },
    });
    return proof.role;
  });
  return shown(app, id, role);
}

/** Looks at the certificate of the host name now. Errors: not_found. */
export async function checkRoute(app: AppContext, caller: Caller, id: RouteId): Promise<Route> {
  const proof = await authorize(app, caller, 'route.update', { kind: 'route', id });
  const route = await store.findRoute(app.db, proof.id);
  if (route === null) throw notFound('route');
  const seen = await lookAtCertificate(route.hostname, app.config.ports.https);
  await recordCertificate(app.db, route.hostname, seen, app.clock.now());
  await transact(app.db, (trx) =>
    record(trx, proof.actor, {
      action: 'route.check',
      targetKind: 'route',
      targetId: route.id,
      target: store.placeOf(route),
      organizationId: route.organization,
      projectId: route.project,
      after: { certificate: seen.state, problem: seen.problem, instanceId: route.instance },
    }),
  );
  return shown(app, id, proof.role);
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
      target: store.placeOf(route),
      organizationId: route.organization,
      projectId: route.project,
      before: {
        port: route.port,
        redirect: route.redirect,
        visibility: route.visibility,
        instance: route.instanceName,
        instanceId: route.instance,
      },
    });
  });
  app.services.nudge('dns-keeper');
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
