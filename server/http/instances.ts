/** Endpoints of instances. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import * as actions from '#server/app/instance-actions.ts';
import { readLogs } from '#server/app/instance-insight.ts';
import { transferInstance } from '#server/app/instance-transfer.ts';
import {
  checkInstanceName,
  createInstance,
  getInstance,
  listInstances,
  updateInstance,
} from '#server/app/instances.ts';
import type { Http } from './server.ts';

export function registerInstances(http: Http, app: AppContext): void {
  http.register(
    api.instancesList,
    async ({ caller, params, query }) => listInstances(app, caller, params.project, query),
    // presentInstance builds every key itself.
    { answerIsPresented: true },
  );
  http.register(api.instancesCreate, async ({ caller, params, body, idempotencyKey }) =>
    createInstance(app, caller, params.project, body, idempotencyKey),
  );
  http.register(api.instanceNamesCheck, async ({ caller, params }) =>
    checkInstanceName(app, caller, params.project, params.name),
  );
  http.register(api.instancesGet, async ({ caller, params }) => getInstance(app, caller, params.instance));
  http.register(api.instancesUpdate, async ({ caller, params, body }) =>
    updateInstance(app, caller, params.instance, body),
  );
  http.register(api.instancesRename, async ({ caller, params, body, idempotencyKey }) =>
    actions.renameInstance(app, { caller, instance: params.instance, idempotencyKey }, body.name),
  );
  http.register(api.instancesResize, async ({ caller, params, body, idempotencyKey }) =>
    actions.resizeInstance(app, { caller, instance: params.instance, idempotencyKey }, body.size),
  );
  http.register(api.instancesPower, async ({ caller, params, body, idempotencyKey }) =>
    actions.powerInstance(app, { caller, instance: params.instance, idempotencyKey }, params.action, body.force),
  );
  http.register(api.instancesClone, async ({ caller, params, body, idempotencyKey }) =>
    actions.cloneInstance(app, { caller, instance: params.instance, idempotencyKey }, body),
  );
  http.register(api.instancesTransfer, async ({ caller, params, body, idempotencyKey }) =>
    transferInstance(app, { caller, instance: params.instance, idempotencyKey }, body.project),
  );
  http.register(api.instancesArchive, async ({ caller, params, idempotencyKey }) =>
    actions.archiveInstance(app, { caller, instance: params.instance, idempotencyKey }),
  );
  http.register(api.instancesRestore, async ({ caller, params, body, idempotencyKey }) =>
    actions.restoreInstance(app, { caller, instance: params.instance, idempotencyKey }, body.name),
  );
  http.register(api.instancesPurge, async ({ caller, params, body, idempotencyKey }) =>
    actions.purgeInstance(app, { caller, instance: params.instance, idempotencyKey }, body.confirmName),
  );
  http.register(api.instancesLogs, async ({ caller, params, query }) => ({
    items: await readLogs(app, caller, params.instance, query),
  }));
}
