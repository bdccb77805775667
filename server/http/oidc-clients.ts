/** Endpoints of apps that sign people in with Berth. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createClient,
  deleteClient,
  listClients,
  type PresentedClient,
  renewClientSecret,
  updateClient,
} from '#server/app/oidc-clients.ts';
import type { OidcProvider } from '#server/app/oidc-provider.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentClient<C extends PresentedClient>(client: C) {
  return { ...client, createdAt: iso(client.createdAt) };
}

export function registerOidcClients(http: Http, app: AppContext, provider: () => Promise<OidcProvider>): void {
  http.register(api.oidcClientsList, async ({ caller }) => ({
    items: (await listClients(app, caller)).map(presentClient),
  }));
  http.register(api.oidcClientsCreate, async ({ caller, body }) =>
    presentClient(await createClient(app, caller, body)),
  );
  http.register(api.oidcClientsUpdate, async ({ caller, params, body }) =>
    presentClient(await updateClient(app, caller, params.client, body)),
  );
  http.register(api.oidcClientsSecret, async ({ caller, params }) =>
    presentClient(await renewClientSecret(app, caller, params.client)),
  );
  http.register(api.oidcClientsDelete, async ({ caller, params }) => {
    await deleteClient(app, caller, params.client);
    return undefined;
  });
  http.register(api.oidcQuestionGet, async ({ caller, params }) =>
    (await provider()).question(caller, params.interaction),
  );
  http.register(api.oidcQuestionAnswer, async ({ caller, params, body }) =>
    (await provider()).answer(caller, params.interaction, body.allow),
  );
}
