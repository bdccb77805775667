/** Endpoints of address sets. */
import { api } from '#contract/api.ts';
import { deleteAddressSet, listAddressSets, putAddressSet } from '#server/app/address-sets.ts';
import type { AppContext } from '#server/app/context.ts';
import type { Http } from './server.ts';

export function registerAddressSets(http: Http, app: AppContext): void {
  http.register(api.addressSetsList, async ({ caller, params }) => ({
    items: await listAddressSets(app, caller, params.project),
  }));
  http.register(api.addressSetsPut, async ({ caller, params, body }) =>
    putAddressSet(app, caller, params.project, { name: params.name, ...body }),
  );
  http.register(api.addressSetsDelete, async ({ caller, params }) => {
    await deleteAddressSet(app, caller, params.project, params.name);
    return undefined;
  });
}
