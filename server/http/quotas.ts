/** Endpoints of quotas. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  readOrganizationQuota,
  readPlatformQuota,
  readQuota,
  updatePlatformQuota,
  updateQuota,
} from '#server/app/quotas.ts';
import type { Http } from './server.ts';

export function registerQuotas(http: Http, app: AppContext): void {
  http.register(api.quotaGet, async ({ caller, params }) => readQuota(app, caller, params.project));
  http.register(api.quotaUpdate, async ({ caller, params, body }) => updateQuota(app, caller, params.project, body));
  http.register(api.organizationQuotaGet, async ({ caller, params }) =>
    readOrganizationQuota(app, caller, params.organization),
  );
  http.register(api.platformQuotaGet, async ({ caller, params }) =>
    readPlatformQuota(app, caller, params.organization),
  );
  http.register(api.platformQuotaUpdate, async ({ caller, params, body }) =>
    updatePlatformQuota(app, caller, params.organization, body),
  );
}
