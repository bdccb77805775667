/** Snapshots of instances; the data is the engine's, the row says that it exists and who made it. */
import { BerthError } from '#domain/errors.ts';
import type { InstanceId, OrganizationId, ProjectId, SnapshotId, UserId } from '#domain/ids.ts';
import { type Db, isUniqueViolation, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type SnapshotState = 'creating' | 'ready' | 'deleting' | 'failed';
export type SnapshotRecord = {
  id: SnapshotId;
  organization: OrganizationId;
  project: ProjectId;
  instance: InstanceId;
  name: string;
  state: SnapshotState;
  createdBy: UserId;
  createdByName: string;
  createdAt: Date;
};

const selected = (db: Db) =>
  db
    .selectFrom('snapshot')
    .innerJoin('app_user', 'app_user.id', 'snapshot.created_by')
    .select([
      'snapshot.id',
      'snapshot.organization_id',
      'snapshot.project_id',
      'snapshot.instance_id',
      'snapshot.name',
      'snapshot.state',
      'snapshot.created_by',
      'app_user.name as created_by_name',
      'snapshot.created_at',
    ]);
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToSnapshot(row: Row): SnapshotRecord {
  return {
    id: row.id as SnapshotId,
    organization: row.organization_id as OrganizationId,
    project: row.project_id as ProjectId,
    instance: row.instance_id as InstanceId,
    name: row.name,
    state: row.state as SnapshotState,
    createdBy: row.created_by as UserId,
    createdByName: row.created_by_name,
    createdAt: row.created_at,
  };
}

export async function findSnapshot(db: Db, instance: InstanceId, id: SnapshotId): Promise<SnapshotRecord | null> {
  const row = await selected(db)
    .where('snapshot.id', '=', id)
    .where('snapshot.instance_id', '=', instance)
    .executeTakeFirst();
  return row === undefined ? null : rowToSnapshot(row);
}

/** Newest first; bounded by SNAPSHOTS_PER_INSTANCE_MAX. */
export async function snapshotsOf(db: Db, instance: InstanceId): Promise<SnapshotRecord[]> {
  const rows = await selected(db).where('snapshot.instance_id', '=', instance).orderBy('snapshot.id', 'desc').execute();
  return rows.map(rowToSnapshot);
}

/** Errors: name_taken. */
export async function insertSnapshot(
  tx: Trx,
  snapshot: Omit<SnapshotRecord, 'createdByName' | 'createdAt' | 'state'>,
  now: number,
): Promise<void> {
  try {
    await tx
      .insertInto('snapshot')
      .values({
        id: snapshot.id,
        organization_id: snapshot.organization,
        project_id: snapshot.project,
        instance_id: snapshot.instance,
        name: snapshot.name,
        state: 'creating',
        created_by: snapshot.createdBy,
        created_at: new Date(now),
      })
      .execute();
  } catch (error) {
    if (isUniqueViolation(error)) throw new BerthError('name_taken', 'This instance has a snapshot of that name.');
    throw error;
  }
  await snapshotHint(tx, snapshot);
}

export async function setSnapshotState(tx: Trx, snapshot: SnapshotRecord, state: SnapshotState): Promise<void> {
  await tx.updateTable('snapshot').set({ state }).where('id', '=', snapshot.id).execute();
  await snapshotHint(tx, snapshot);
}

/** False when it was gone already. */
export async function deleteSnapshotRow(tx: Trx, snapshot: SnapshotRecord): Promise<boolean> {
  const row = await tx.deleteFrom('snapshot').where('id', '=', snapshot.id).returning('id').executeTakeFirst();
  if (row !== undefined) await snapshotHint(tx, snapshot);
  return row !== undefined;
}

async function snapshotHint(
  tx: Trx,
  snapshot: Pick<SnapshotRecord, 'id' | 'organization' | 'project' | 'instance'>,
): Promise<void> {
  await emit(tx, {
    kind: 'snapshot',
    ref: snapshot.id,
    organizationId: snapshot.organization,
    projectId: snapshot.project,
    instanceId: snapshot.instance,
    version: 1,
  });
}
