/** Endpoints of app permissions. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { changeGrants, listOrganizationApps, listOrganizationGrants, listOwnApps } from '#server/app/grants.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

export function registerGrants(http: Http, app: AppContext): void {
  http.register(api.ownApps, async ({ caller }) => ({ items: await listOwnApps(app, caller) }));
  http.register(api.appsList, async ({ caller, params, query }) =>
    listOrganizationApps(app, caller, params.organization, query),
  );
  http.register(api.grantsList, async ({ caller, params, query }) => {
    const { items, nextCursor } = await listOrganizationGrants(app, caller, params.organization, query);
    return { items: items.map((grant) => ({ ...grant, createdAt: iso(grant.createdAt) })), nextCursor };
  });
  http.register(api.grantsChange, async ({ caller, params, body }) => ({
    changed: await changeGrants(app, caller, params.organization, body.changes),
  }));
}
