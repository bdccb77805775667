/**
 * Where backups are kept: one repository per instance, which may outlive it. What it takes counts as it is; while a backup
 * is made, what that may add at most counts too. One operation at a time works on a repository: it holds the row, as others
 * hold instances.
 */
import { type RawBuilder, sql } from 'kysely';
import type { RepositoryState } from '#domain/backups.ts';
import { BerthError } from '#domain/errors.ts';
import type { BackupRepositoryId, InstanceId, OperationId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { noUse, type Quota } from '#domain/quotas.ts';
import type { Db, Trx } from './database.ts';
import type { InstanceRecord } from './instance-rows.ts';
import { emit } from './outbox.ts';
import { releaseQuota } from './quotas.ts';

export type RepositoryRecord = {
  id: BackupRepositoryId;
  organization: OrganizationId;
  project: ProjectId;
  /** Null when the instance is gone. */
  instance: InstanceId | null;
  /** What the instance is called, or was. */
  instanceName: string;
  kind: InstanceKind;
  passwordSealed: string;
  storedBytes: number;
  reservedBytes: number;
  closed: boolean;
  state: RepositoryState;
  problem: string | null;
  checkedAt: Date | null;
  operation: OperationId | null;
};

/** Where the password of a repository is sealed. */
export const repositoryPasswordPlace = (id: BackupRepositoryId) =>
  ({ table: 'backup_repository', row: id, column: 'password_sealed' }) as const;

const repositories = (db: Db) =>
  db
    .selectFrom('backup_repository as r')
    .leftJoin('instance as i', 'i.id', 'r.instance_id')
    .selectAll('r')
    .select('i.name as current_name');
export type RepositoryRow = Awaited<ReturnType<ReturnType<typeof repositories>['execute']>>[number];

export function rowToRepository(row: RepositoryRow): RepositoryRecord {
  return {
    id: row.id,
    organization: row.organization_id,
    project: row.project_id,
    instance: row.instance_id,
    instanceName: row.current_name ?? row.instance_name,
    kind: row.kind,
    passwordSealed: row.password_sealed,
    storedBytes: Number(row.stored_bytes),
    reservedBytes: Number(row.reserved_bytes),
    closed: row.closed,
    state: row.state,
    problem: row.problem,
    checkedAt: row.checked_at,
    operation: row.operation_id,
  };
}

export async function findRepository(db: Db, id: BackupRepositoryId): Promise<RepositoryRecord | null> {
  const row = await repositories(db).where('r.id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToRepository(row);
}

export async function lockRepository(tx: Trx, id: BackupRepositoryId): Promise<RepositoryRecord | null> {
  const row = await repositories(tx).where('r.id', '=', id).forUpdate('r').executeTakeFirst();
  return row === undefined ? null : rowToRepository(row);
}

/** The repository that new backups of an instance go to, locked; null: none yet, or the last one was closed. */
export async function lockCurrentRepository(tx: Trx, instance: InstanceId): Promise<RepositoryRecord | null> {
  const row = await repositories(tx)
    .where('r.instance_id', '=', instance)
    .where('r.closed', '=', false)
    .forUpdate('r')
    .executeTakeFirst();
  return row === undefined ? null : rowToRepository(row);
}

/** Every repository; the keeper compares them with what the host has. */
export async function allRepositories(db: Db): Promise<RepositoryRecord[]> {
  return (await repositories(db).orderBy('r.id').execute()).map(rowToRepository);
}

export async function insertRepository(
  tx: Trx,
  repository: Pick<RepositoryRecord, 'id' | 'organization' | 'project' | 'instanceName' | 'kind' | 'passwordSealed'> & {
    instance: InstanceId;
  },
  now: number,
): Promise<void> {
  await tx
    .insertInto('backup_repository')
    .values({
      id: repository.id,
      organization_id: repository.organization,
      project_id: repository.project,
      instance_id: repository.instance,
      instance_name: repository.instanceName,
      kind: repository.kind,
      password_sealed: repository.passwordSealed,
      created_at: new Date(now),
    })
    .execute();
}

/** Takes the repository for this operation. Errors: state_conflict, naming what runs. */
export async function holdRepository(tx: Trx, id: BackupRepositoryId, operation: OperationId): Promise<void> {
  const held = await tx
    .updateTable('backup_repository')
    .set({ operation_id: operation })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('operation_id', 'is', null), eb('operation_id', '=', operation)]))
    .returning('id')
    .executeTakeFirst();
  if (held !== undefined) return;
  throw await repositoryBusy(tx, sql`r.id = ${id}`);
}

/** Errors: state_conflict while something works on backups of the instance, naming it. */
export async function requireNoBackupWork(tx: Trx, instance: InstanceId): Promise<void> {
  const { rows } = await sql`select from backup_repository where instance_id = ${instance}
    and operation_id is not null limit 1`.execute(tx);
  if (rows.length > 0) throw await repositoryBusy(tx, sql`r.instance_id = ${instance} and r.operation_id is not null`);
}

async function repositoryBusy(tx: Trx, which: RawBuilder<unknown>): Promise<BerthError> {
  const { rows } = await sql<{ title: string; id: string }>`select o.title, o.id
    from backup_repository r join operation o on o.id = r.operation_id where ${which} limit 1`.execute(tx);
  const [row] = rows;
  return new BerthError(
    'state_conflict',
    row === undefined
      ? 'Something works on its backups. Try again.'
      : `Something works on its backups: ${row.title} (${row.id}). Wait until it is done.`,
  );
}

/** Lets go of every repository that this operation holds. */
export async function releaseRepositories(tx: Trx, operation: OperationId): Promise<void> {
  const rows = await tx
    .updateTable('backup_repository')
    .set({ operation_id: null })
    .where('operation_id', '=', operation)
    .returning(['id', 'organization_id', 'project_id', 'instance_id'])
    .execute();
  for (const row of rows) await repositoryHint(tx, row);
}

/** From now on it counts with what it really takes, and nothing is reserved any more. */
export async function settleBytes(tx: Trx, repository: RepositoryRecord, storedBytes: number): Promise<void> {
  const counted = repository.storedBytes + repository.reservedBytes;
  await tx
    .updateTable('backup_repository')
    .set({ stored_bytes: storedBytes, reserved_bytes: 0 })
    .where('id', '=', repository.id)
    .execute();
  // What was given up comes back; a repository that grew by itself (its index, for example) counts as it is.
  if (counted !== storedBytes) {
    await releaseQuota(tx, repository.project, { ...noUse, backupBytes: counted - storedBytes });
  }
}

/** The row of a repository that is gone from its host and has no backups any more. */
export async function deleteRepositoryRow(tx: Trx, id: BackupRepositoryId): Promise<void> {
  await tx.deleteFrom('backup_repository').where('id', '=', id).execute();
}

/** What a check found. A damaged one is closed: what is in it stays, the next backup begins another. */
export async function recordCheck(
  tx: Trx,
  repository: RepositoryRecord,
  problem: string | null,
  now: number,
): Promise<void> {
  await tx
    .updateTable('backup_repository')
    .set({
      state: problem === null ? 'sound' : 'damaged',
      problem,
      checked_at: new Date(now),
      ...(problem === null ? {} : { closed: true }),
    })
    .where('id', '=', repository.id)
    .execute();
  await repositoryHint(tx, {
    organization_id: repository.organization,
    project_id: repository.project,
    instance_id: repository.instance,
    id: repository.id,
  });
}

/** What the backups of an instance take from the quota. */
export async function backupUse(db: Db, instance: InstanceId): Promise<Pick<Quota, 'backups' | 'backupBytes'>> {
  const { rows } = await sql<{ backups: number; bytes: number }>`
    select (select count(*) from backup b join backup_repository r on r.id = b.repository_id
             where r.instance_id = ${instance}) as backups,
           (select coalesce(sum(stored_bytes + reserved_bytes), 0)::bigint from backup_repository
             where instance_id = ${instance}) as bytes`.execute(db);
  return { backups: Number(rows[0]?.backups ?? 0), backupBytes: Number(rows[0]?.bytes ?? 0) };
}

/** The instance has moved, its backups with it. In another organization they count as made by `owner`. */
export async function moveBackups(
  tx: Trx,
  instance: InstanceRecord,
  to: { organization: OrganizationId; project: ProjectId },
  owner: UserId | null,
): Promise<void> {
  const moved = await tx
    .updateTable('backup_repository')
    .set({ organization_id: to.organization, project_id: to.project })
    .where('instance_id', '=', instance.id)
    .returning('id')
    .execute();
  for (const { id } of moved) {
    if (owner !== null)
      await tx.updateTable('backup').set({ created_by: owner }).where('repository_id', '=', id).execute();
    for (const place of [instance, to]) {
      await repositoryHint(tx, {
        id,
        organization_id: place.organization,
        project_id: place.project,
        instance_id: instance.id,
      });
    }
  }
}

/** The instance is about to go; its backups stay, under the name it had. */
export async function leaveBackups(tx: Trx, instance: InstanceRecord): Promise<void> {
  const left = await tx
    .updateTable('backup_repository')
    .set({ instance_id: null, instance_name: instance.name })
    .where('instance_id', '=', instance.id)
    .returning(['id', 'organization_id', 'project_id', 'instance_id'])
    .execute();
  for (const row of left) await repositoryHint(tx, row);
}

export async function repositoryHint(
  tx: Trx,
  row: { id: string; organization_id: string; project_id: string; instance_id: string | null },
): Promise<void> {
  await emit(tx, {
    kind: 'backup',
    ref: row.id,
    organizationId: row.organization_id,
    projectId: row.project_id,
    instanceId: row.instance_id,
    version: 1,
  });
}
