/** Endpoints of the image cache. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { emptyRegistry, getRegistry, updateRegistry } from '#server/app/registry.ts';
import type { Http } from './server.ts';

export function registerRegistry(http: Http, app: AppContext): void {
  http.register(api.registryGet, async ({ caller }) => getRegistry(app, caller));
  http.register(api.registryUpdate, async ({ caller, body }) => updateRegistry(app, caller, body));
  http.register(api.registryEmpty, async ({ caller }) => {
    await emptyRegistry(app, caller);
    return undefined;
  });
}
