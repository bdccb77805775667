/** Endpoints of service accounts and their tokens. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createServiceAccount,
  createServiceToken,
  deleteServiceAccount,
  listOrganizationServiceAccounts,
  listServiceTokens,
  type PresentedServiceAccount,
  revokeServiceToken,
  updateServiceAccount,
} from '#server/app/service-accounts.ts';
import { presentToken } from './identity.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function presentAccount(account: PresentedServiceAccount) {
  return { ...account, lastUsedAt: isoOrNull(account.lastUsedAt), createdAt: iso(account.createdAt) };
}

/** They all end. */
function presentServiceToken(token: Parameters<typeof presentToken>[0]) {
  return { ...presentToken(token), expiresAt: iso(token.expiresAt ?? token.createdAt) };
}

export function registerServiceAccounts(http: Http, app: AppContext): void {
  http.register(api.serviceAccountsList, async ({ caller, params }) => ({
    items: (await listOrganizationServiceAccounts(app, caller, params.organization)).map(presentAccount),
  }));
  http.register(api.serviceAccountsCreate, async ({ caller, params, body }) =>
    presentAccount(await createServiceAccount(app, caller, params.organization, body)),
  );
  http.register(api.serviceAccountsUpdate, async ({ caller, params, body }) =>
    presentAccount(await updateServiceAccount(app, caller, params, body)),
  );
  http.register(api.serviceAccountsDelete, async ({ caller, params }) => {
    await deleteServiceAccount(app, caller, params);
    return undefined;
  });
  http.register(api.serviceTokensList, async ({ caller, params }) => ({
    items: (await listServiceTokens(app, caller, params)).map(presentServiceToken),
  }));
  http.register(api.serviceTokensCreate, async ({ caller, params, body }) => {
    const token = await createServiceToken(app, caller, params, body);
    return { ...presentServiceToken(token), secret: token.secret };
  });
  http.register(api.serviceTokensRevoke, async ({ caller, params }) => {
    await revokeServiceToken(app, caller, params);
    return undefined;
  });
}
