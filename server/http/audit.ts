/** Endpoints of the audit log and of project activity. */
import { api } from '#contract/api.ts';
import { readActivity, readAudit } from '#server/app/audit.ts';
import type { AppContext } from '#server/app/context.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

export function registerAudit(http: Http, app: AppContext): void {
  http.register(api.auditList, async ({ caller, params, query }) => {
    const page = await readAudit(app, caller, params.organization, query);
    return { items: page.items.map((row) => ({ ...row, at: iso(row.at) })), nextCursor: page.nextCursor };
  });
  http.register(api.activityList, async ({ caller, params, query }) => {
    const page = await readActivity(app, caller, params.project, query);
    return { items: page.items.map((row) => ({ ...row, at: iso(row.at) })), nextCursor: page.nextCursor };
  });
}
