/** Endpoints of app permissions. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  changeGrants,
  listAccessCandidates,
  listOrganizationApps,
  listOrganizationGrants,
  listOwnApps,
  type PresentedAccess,
  readInstanceAccess,
  setInstanceAccess,
} from '#server/app/grants.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentAccess({ grants, roles, entries, can }: PresentedAccess) {
  return {
    grants: grants.map((grant) => ({ ...grant, createdAt: iso(grant.createdAt) })),
    roles,
    entries: entries.map((entry) => ({ ...entry, expiresAt: iso(entry.expiresAt) })),
    can,
  };
}

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
  http.register(api.instanceAccessGet, async ({ caller, params }) =>
    presentAccess(await readInstanceAccess(app, caller, params.instance)),
  );
  http.register(api.instanceAccessCandidates, async ({ caller, params, query }) =>
    listAccessCandidates(app, caller, params.instance, query.search),
  );
  http.register(api.instanceAccessSet, async ({ caller, params, body }) =>
    presentAccess(
      await setInstanceAccess(app, caller, {
        app: params.instance,
        subject: params.subject,
        permissions: body.permissions,
      }),
    ),
  );
}
