/** Endpoints of hosts. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { getHost, listHosts } from '#server/app/hosts.ts';
import type { Http } from './server.ts';

export function registerHosts(http: Http, app: AppContext): void {
  http.register(api.hostsList, async ({ caller }) => ({ items: await listHosts(app, caller) }));
  http.register(api.hostsGet, async ({ caller, params }) => getHost(app, caller, params.host));
}
