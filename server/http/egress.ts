/** Endpoints of what projects may reach. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { readEgress, updateEgress } from '#server/app/egress.ts';
import type { Http } from './server.ts';

export function registerEgress(http: Http, app: AppContext): void {
  http.register(api.egressGet, async ({ caller, params }) => readEgress(app, caller, params.project));
  http.register(api.egressUpdate, async ({ caller, params, body }) => updateEgress(app, caller, params.project, body));
}
