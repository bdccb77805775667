/** Endpoints of the containers inside servers. */
import { api } from '#contract/api.ts';
import { actOnContainer, cleanDocker, containersUsage, dockerUsage, listContainers } from '#server/app/containers.ts';
import type { AppContext } from '#server/app/context.ts';
import type { Http } from './server.ts';

export function registerContainers(http: Http, app: AppContext): void {
  http.register(api.instancesContainers, async ({ caller, params }) => ({
    items: await listContainers(app, caller, params.instance),
  }));
  http.register(api.containersUsage, async ({ caller, params }) => ({
    items: await containersUsage(app, caller, params.instance),
  }));
  http.register(api.containersAct, async ({ caller, params }) => {
    await actOnContainer(app, caller, params.instance, params.container, params.action);
    return { done: true as const };
  });
  http.register(api.dockerUsage, async ({ caller, params }) => dockerUsage(app, caller, params.instance));
  http.register(api.dockerClean, async ({ caller, params, body, idempotencyKey }) =>
    cleanDocker(app, { caller, instance: params.instance, idempotencyKey }, body.parts),
  );
}
