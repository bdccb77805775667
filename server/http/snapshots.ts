/** Endpoints of snapshots. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { createSnapshot, deleteSnapshot, listSnapshots, rollbackSnapshot } from '#server/app/snapshots.ts';
import type { Http } from './server.ts';

export function registerSnapshots(http: Http, app: AppContext): void {
  http.register(api.snapshotsList, async ({ caller, params }) => ({
    items: await listSnapshots(app, caller, params.instance),
  }));
  http.register(api.snapshotsCreate, async ({ caller, params, body, idempotencyKey }) =>
    createSnapshot(app, { caller, instance: params.instance, idempotencyKey }, body.name),
  );
  http.register(api.snapshotsRollback, async ({ caller, params, idempotencyKey }) =>
    rollbackSnapshot(app, { caller, instance: params.instance, idempotencyKey }, params.snapshot),
  );
  http.register(api.snapshotsDelete, async ({ caller, params, idempotencyKey }) =>
    deleteSnapshot(app, { caller, instance: params.instance, idempotencyKey }, params.snapshot),
  );
}
