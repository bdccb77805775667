/** Endpoints of domains. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  checkDomain,
  createDomain,
  deleteDomain,
  listDomains,
  repairDomain,
  updateDomain,
} from '#server/app/domains.ts';
import type { Http } from './server.ts';

export function registerDomains(http: Http, app: AppContext): void {
  http.register(api.domainsList, async ({ caller, params }) => ({
    items: await listDomains(app, caller, params.project),
  }));
  http.register(api.domainsCreate, async ({ caller, params, body }) => createDomain(app, caller, params.project, body));
  http.register(api.domainsCheck, async ({ caller, params }) => checkDomain(app, caller, params.domain));
  http.register(api.domainsUpdate, async ({ caller, params, body }) => updateDomain(app, caller, params.domain, body));
  http.register(api.domainsRepair, async ({ caller, params }) => repairDomain(app, caller, params.domain));
  http.register(api.domainsDelete, async ({ caller, params }) => {
    await deleteDomain(app, caller, params.domain);
    return undefined;
  });
}
