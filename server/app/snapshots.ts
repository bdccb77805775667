/** Snapshots of an instance. */
import type { z } from 'zod';
import type { snapshotSchema } from '#contract/instances.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, SnapshotId } from '#domain/ids.ts';
import { SNAPSHOTS_PER_INSTANCE_MAX } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import { reserveQuota } from '#server/store/quotas.ts';
import * as store from '#server/store/snapshots.ts';
import { type SnapshotInput, snapshotCreate } from '#server/workflows/snapshot-create.ts';
import { snapshotDelete } from '#server/workflows/snapshot-delete.ts';
import { snapshotRestore } from '#server/workflows/snapshot-restore.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { act, begin, type Request } from './instance-actions.ts';
import type { Accepted } from './operations.ts';

export type Snapshot = z.output<typeof snapshotSchema>;

export function presentSnapshot(snapshot: store.SnapshotRecord): Snapshot {
  return {
    id: snapshot.id,
    instance: snapshot.instance,
    name: snapshot.name,
    state: snapshot.state,
    createdAt: snapshot.createdAt.toISOString(),
    createdBy: snapshot.createdByName,
  };
}

/** Newest first. */
export async function listSnapshots(app: AppContext, caller: Caller, instance: InstanceId): Promise<Snapshot[]> {
  const proof = await authorize(app, caller, 'snapshot.read', { kind: 'instance', id: instance });
  return (await store.snapshotsOf(app.db, proof.id)).map(presentSnapshot);
}

/** Errors: quota_exceeded, name_taken, state_conflict. */
export async function createSnapshot(app: AppContext, request: Request, name: string): Promise<Accepted> {
  return act(app, request, 'snapshot', { name }, async (held) => {
    const { tx, instance, proof } = held;
    const present = await store.snapshotsOf(tx, instance.id);
    if (present.length >= SNAPSHOTS_PER_INSTANCE_MAX) {
      throw new BerthError(
        'quota_exceeded',
        `An instance has at most ${SNAPSHOTS_PER_INSTANCE_MAX} snapshots. Delete one first.`,
      );
    }
    await reserveQuota(tx, instance.project, { ...noUse, snapshots: 1 });
    const snapshot = app.ids.make('snp');
    await store.insertSnapshot(
      tx,
      {
        id: snapshot,
        organization: instance.organization,
        project: instance.project,
        instance: instance.id,
        name,
        createdBy: proof.person.userId,
      },
      app.services.now(),
    );
    return begin(app, held, {
      kind: 'snapshot.create',
      title: `Snapshot ${instance.name}`,
      workflow: snapshotCreate,
      input: { snapshot } satisfies SnapshotInput,
      after: { snapshot: name },
    });
  });
}

export async function rollbackSnapshot(app: AppContext, request: Request, id: SnapshotId): Promise<Accepted> {
  return act(app, request, 'rollback', { snapshot: id }, async (held) => {
    const snapshot = await readySnapshot(held.tx, held.instance.id, id);
    return begin(app, held, {
      kind: 'snapshot.restore',
      title: `Roll ${held.instance.name} back to ${snapshot.name}`,
      workflow: snapshotRestore,
      input: { snapshot: id } satisfies SnapshotInput,
      after: { snapshot: snapshot.name },
    });
  });
}

export async function deleteSnapshot(app: AppContext, request: Request, id: SnapshotId): Promise<Accepted> {
  return act(app, request, 'snapshot', { delete: id }, async (held) => {
    const snapshot = await readySnapshot(held.tx, held.instance.id, id);
    const operation = await begin(app, held, {
      kind: 'snapshot.delete',
      title: `Delete the snapshot ${snapshot.name} of ${held.instance.name}`,
      workflow: snapshotDelete,
      input: { snapshot: id } satisfies SnapshotInput,
      before: { snapshot: snapshot.name },
    });
    await store.setSnapshotState(held.tx, snapshot, 'deleting');
    return operation;
  });
}

async function readySnapshot(
  tx: Parameters<typeof store.findSnapshot>[0],
  instance: InstanceId,
  id: SnapshotId,
): Promise<store.SnapshotRecord> {
  const snapshot = await store.findSnapshot(tx, instance, id);
  if (snapshot === null) throw notFound('snapshot');
  if (snapshot.state !== 'ready') throw new BerthError('state_conflict', `This snapshot is ${snapshot.state}.`);
  return snapshot;
}
