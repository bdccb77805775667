/** Endpoints of DNS providers: of organizations, and of the installation. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  checkDnsProvider,
  createDnsProvider,
  deleteDnsProvider,
  listDnsProviders,
  updateDnsProvider,
} from '#server/app/dns-providers.ts';
import type { Http } from './server.ts';

export function registerDnsProviders(http: Http, app: AppContext): void {
  http.register(api.dnsProvidersList, async ({ caller, params }) => ({
    items: await listDnsProviders(app, caller, params.organization),
  }));
  http.register(api.dnsProvidersCreate, async ({ caller, params, body }) =>
    createDnsProvider(app, caller, params.organization, body),
  );
  http.register(api.dnsProvidersUpdate, async ({ caller, params, body }) =>
    updateDnsProvider(app, caller, { owner: params.organization, id: params.provider }, body),
  );
  http.register(api.dnsProvidersCheck, async ({ caller, params }) =>
    checkDnsProvider(app, caller, { owner: params.organization, id: params.provider }),
  );
  http.register(api.dnsProvidersDelete, async ({ caller, params, query }) => {
    const ref = { owner: params.organization, id: params.provider };
    await deleteDnsProvider(app, caller, ref, query.leaveRecords === 'true');
    return undefined;
  });
  http.register(api.platformDnsProvidersList, async ({ caller }) => ({
    items: await listDnsProviders(app, caller, null),
  }));
  http.register(api.platformDnsProvidersCreate, async ({ caller, body }) => createDnsProvider(app, caller, null, body));
  http.register(api.platformDnsProvidersUpdate, async ({ caller, params, body }) =>
    updateDnsProvider(app, caller, { owner: null, id: params.provider }, body),
  );
  http.register(api.platformDnsProvidersCheck, async ({ caller, params }) =>
    checkDnsProvider(app, caller, { owner: null, id: params.provider }),
  );
  http.register(api.platformDnsProvidersDelete, async ({ caller, params, query }) => {
    await deleteDnsProvider(app, caller, { owner: null, id: params.provider }, query.leaveRecords === 'true');
    return undefined;
  });
}
