/** Endpoints of routes. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  checkRoute,
  createRoute,
  deleteRoute,
  listProjectRoutes,
  listRoutes,
  updateRoute,
} from '#server/app/routes.ts';
import type { Http } from './server.ts';

export function registerRoutes(http: Http, app: AppContext): void {
  http.register(api.routesListProject, async ({ caller, params, query }) =>
    listProjectRoutes(app, caller, params.project, query),
  );
  http.register(api.routesList, async ({ caller, params }) => ({
    items: await listRoutes(app, caller, params.instance),
  }));
  http.register(api.routesCreate, async ({ caller, params, body }) => createRoute(app, caller, params.instance, body));
  http.register(api.routesUpdate, async ({ caller, params, body }) => updateRoute(app, caller, params.route, body));
  http.register(api.routesCheck, async ({ caller, params }) => checkRoute(app, caller, params.route));
  http.register(api.routesDelete, async ({ caller, params }) => {
    await deleteRoute(app, caller, params.route);
    return undefined;
  });
}
