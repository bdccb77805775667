/** Backups of instances; what is in them is in their repositories, the row says what each holds and who made it. */
import type { BackupState } from '#domain/backups.ts';
import type { BackupId, BackupRepositoryId, ImageId, InstanceId, ProjectId, UserId } from '#domain/ids.ts';
import type { Size } from '#domain/sizes.ts';
import { type RepositoryRecord, repositoryHint, rowToRepository } from './backup-repositories.ts';
import type { Db, Trx } from './database.ts';

export type BackupRecord = {
  id: BackupId;
  repository: RepositoryRecord;
  note: string;
  state: BackupState;
  size: Size;
  image: ImageId;
  imageFingerprint: string;
  dataBytes: number | null;
  addedBytes: number | null;
  files: number | null;
  createdBy: UserId;
  createdByName: string;
  createdAt: Date;
  finishedAt: Date | null;
  /** Title of the operation that works on its repository. */
  busyWith: string | null;
};

const backups = (db: Db) =>
  db
    .selectFrom('backup as b')
    .innerJoin('backup_repository as r', 'r.id', 'b.repository_id')
    .innerJoin('app_user as u', 'u.id', 'b.created_by')
    .leftJoin('instance as i', 'i.id', 'r.instance_id')
    .leftJoin('operation as o', 'o.id', 'r.operation_id')
    .selectAll('r')
    .select([
      'i.name as current_name',
      'b.id as backup_id',
      'b.note',
      'b.state as backup_state',
      'b.cpus',
      'b.memory_bytes',
      'b.disk_bytes',
      'b.image_id',
      'b.image_fingerprint',
      'b.data_bytes',
      'b.added_bytes',
      'b.files',
      'b.created_by',
      'b.created_at as backup_created_at',
      'b.finished_at',
      'u.name as created_by_name',
      'o.title as busy_with',
    ]);
type BackupRow = Awaited<ReturnType<ReturnType<typeof backups>['execute']>>[number];

const numberOr = (value: number | null): number | null => (value === null ? null : Number(value));

function rowToBackup(row: BackupRow): BackupRecord {
  return {
    id: row.backup_id,
    repository: rowToRepository(row),
    note: row.note,
    state: row.backup_state,
    size: { cpus: row.cpus, memoryBytes: Number(row.memory_bytes), diskBytes: Number(row.disk_bytes) },
    image: row.image_id,
    imageFingerprint: row.image_fingerprint,
    dataBytes: numberOr(row.data_bytes),
    addedBytes: numberOr(row.added_bytes),
    files: numberOr(row.files),
    createdBy: row.created_by,
    createdByName: row.created_by_name,
    createdAt: row.backup_created_at,
    finishedAt: row.finished_at,
    busyWith: row.busy_with,
  };
}

export async function findBackup(db: Db, id: BackupId): Promise<BackupRecord | null> {
  const row = await backups(db).where('b.id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToBackup(row);
}

/** Newest first; bounded by BACKUPS_PER_INSTANCE_MAX. */
export async function backupsOfInstance(db: Db, instance: InstanceId): Promise<BackupRecord[]> {
  const rows = await backups(db).where('r.instance_id', '=', instance).orderBy('b.id', 'desc').execute();
  return rows.map(rowToBackup);
}

/** Newest first, those of instances that are gone included; `before` is the last of the page before. */
export async function backupsOfProject(
  db: Db,
  project: ProjectId,
  page: { before?: BackupId | undefined; limit: number },
): Promise<BackupRecord[]> {
  const { before } = page;
  const rows = await backups(db)
    .where('r.project_id', '=', project)
    .$if(before !== undefined, (query) => query.where('b.id', '<', before as BackupId))
    .orderBy('b.id', 'desc')
    .limit(page.limit)
    .execute();
  return rows.map(rowToBackup);
}

/** How many backups a project has; they keep it from being deleted. */
export async function countProjectBackups(db: Db, project: ProjectId): Promise<number> {
  const { count } = await db
    .selectFrom('backup as b')
    .innerJoin('backup_repository as r', 'r.id', 'b.repository_id')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('r.project_id', '=', project)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** How many backups a repository has, leaving one out. */
export async function countBackups(db: Db, repository: BackupRepositoryId, except?: BackupId): Promise<number> {
  const { count } = await db
    .selectFrom('backup')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('repository_id', '=', repository)
    .$if(except !== undefined, (query) => query.where('id', '<>', except as BackupId))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Writes the backup as `creating`; what it may add counts from now on (the caller has reserved it). */
export async function insertBackup(
  tx: Trx,
  repository: Pick<RepositoryRecord, 'id' | 'organization' | 'project' | 'instance'>,
  backup: Pick<BackupRecord, 'id' | 'note' | 'size' | 'image' | 'imageFingerprint' | 'createdBy'>,
  bytesMax: number,
  now: number,
): Promise<void> {
  await tx
    .insertInto('backup')
    .values({
      id: backup.id,
      repository_id: repository.id,
      note: backup.note,
      cpus: backup.size.cpus,
      memory_bytes: backup.size.memoryBytes,
      disk_bytes: backup.size.diskBytes,
      image_id: backup.image,
      image_fingerprint: backup.imageFingerprint,
      created_by: backup.createdBy,
      created_at: new Date(now),
    })
    .execute();
  await tx.updateTable('backup_repository').set({ reserved_bytes: bytesMax }).where('id', '=', repository.id).execute();
  await backupHint(tx, repository, backup.id);
}

/** Writes down what it holds; it is `ready` with the end of its operation. */
export async function recordContent(
  tx: Trx,
  backup: BackupId,
  made: { dataBytes: number; addedBytes: number; files: number },
): Promise<void> {
  await tx
    .updateTable('backup')
    .set({ data_bytes: made.dataBytes, added_bytes: made.addedBytes, files: made.files })
    .where('id', '=', backup)
    .execute();
}

export async function setBackupState(
  tx: Trx,
  backup: BackupRecord,
  state: 'ready' | 'deleting',
  now: number,
): Promise<void> {
  const finished = backup.finishedAt ?? new Date(now);
  await tx.updateTable('backup').set({ state, finished_at: finished }).where('id', '=', backup.id).execute();
  await backupHint(tx, backup.repository, backup.id);
}

/** False when it was gone already. */
export async function deleteBackupRow(tx: Trx, backup: BackupRecord): Promise<boolean> {
  const row = await tx.deleteFrom('backup').where('id', '=', backup.id).returning('id').executeTakeFirst();
  if (row !== undefined) await backupHint(tx, backup.repository, backup.id);
  return row !== undefined;
}

async function backupHint(
  tx: Trx,
  repository: Pick<RepositoryRecord, 'organization' | 'project' | 'instance'>,
  id: BackupId,
): Promise<void> {
  await repositoryHint(tx, {
    id,
    organization_id: repository.organization,
    project_id: repository.project,
    instance_id: repository.instance,
  });
}
