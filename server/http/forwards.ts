/** Endpoints of port forwards. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  createForward,
  deleteForward,
  listForwards,
  listProjectForwards,
  updateForward,
} from '#server/app/forwards.ts';
import type { Http } from './server.ts';

export function registerForwards(http: Http, app: AppContext): void {
  http.register(api.forwardsListProject, async ({ caller, params, query }) =>
    listProjectForwards(app, caller, params.project, query),
  );
  http.register(api.forwardsList, async ({ caller, params }) => ({
    items: await listForwards(app, caller, params.instance),
  }));
  http.register(api.forwardsCreate, async ({ caller, params, body }) =>
    createForward(app, caller, params.instance, body),
  );
  http.register(api.forwardsUpdate, async ({ caller, params, body }) =>
    updateForward(app, caller, params.forward, body),
  );
  http.register(api.forwardsDelete, async ({ caller, params }) => {
    await deleteForward(app, caller, params.forward);
    return undefined;
  });
}
