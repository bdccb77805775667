/**
 * Instances. Three writers, three sets of columns: the app layer and workflows write what is wanted (phase, desired,
 * size, name), the watcher and workflow steps that looked write what was seen (observed_*, health*, usage), and
 * `operation_id` is the lock that only conditional updates set and clear.
 */
import { type SelectQueryBuilder, sql, type Updateable } from 'kysely';
import { type GrantPermission, roleCoversGrants, roleMay } from '#domain/authz.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId, OperationId, ProjectId, UserId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import type { Authorized } from './authorized.ts';
import { type Db, isUniqueViolation, type Trx } from './database.ts';
import { type InstanceRecord, type InstanceView, rowToInstance, rowToView } from './instance-rows.ts';
import { deleteMetrics } from './metric-history.ts';
import { emit } from './outbox.ts';
import type { Tables } from './tables.ts';

export type { InstanceRecord, InstanceView } from './instance-rows.ts';

export type NewInstance = Pick<
  InstanceRecord,
  | 'id'
  | 'organization'
  | 'project'
  | 'kind'
  | 'name'
  | 'description'
  | 'size'
  | 'image'
  | 'hostNumber'
  | 'address4'
  | 'address6'
  | 'createdBy'
  | 'operation'
> & { host: InstanceRecord['host'] };

/** What may be written about an instance; column names, so that one look at a call shows what it touches. */
export type InstanceChange = Omit<
  Updateable<Tables['instance']>,
  'id' | 'organization_id' | 'project_id' | 'created_by' | 'version'
>;

/** Names that a person may give are unique in a project among those that are alive. */
const NAME_INDEX = 'instance_name';

/** Errors: name_taken. */
export async function insertInstance(tx: Trx, instance: NewInstance, now: number): Promise<void> {
  try {
    await tx
      .insertInto('instance')
      .values({
        id: instance.id,
        organization_id: instance.organization,
        project_id: instance.project,
        host_id: instance.host,
        kind: instance.kind,
        name: instance.name,
        description: instance.description,
        phase: 'creating',
        cpus: instance.size.cpus,
        memory_bytes: instance.size.memoryBytes,
        disk_bytes: instance.size.diskBytes,
        image_id: instance.image,
        host_number: instance.hostNumber,
        address4: instance.address4,
        address6: instance.address6,
        desired: 'running',
        created_by: instance.createdBy,
        created_at: new Date(now),
        operation_id: instance.operation,
      })
      .execute();
  } catch (error) {
    if (isUniqueViolation(error, NAME_INDEX)) throw nameTaken(instance.name);
    throw error;
  }
  await instanceHint(tx, { ...instance, version: 1 });
}

export function nameTaken(name: string): BerthError {
  return new BerthError('name_taken', `This project has an instance called "${name}" already.`);
}

/** For workflows and reconcilers; people's requests go through `getInstance` with a proof. */
export async function findInstance(db: Db, id: InstanceId): Promise<InstanceRecord | null> {
  const row = await db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToInstance(row);
}

/** The row, locked until the transaction ends. */
export async function lockInstance(tx: Trx, id: InstanceId): Promise<InstanceRecord | null> {
  const row = await tx.selectFrom('instance').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  return row === undefined ? null : rowToInstance(row);
}

/** Every living row; the watcher compares it with what the engine has. */
export async function allInstances(db: Db): Promise<InstanceRecord[]> {
  const rows = await db.selectFrom('instance').selectAll().orderBy('id').execute();
  return rows.map(rowToInstance);
}

/** Those that should run, do, and that nothing works on: whose health is worth asking for. */
export async function runningInstances(db: Db): Promise<InstanceRecord[]> {
  const rows = await db
    .selectFrom('instance')
    .selectAll()
    .where('phase', '=', 'ready')
    .where('operation_id', 'is', null)
    .where('desired', '=', 'running')
    .where('observed', '=', 'running')
    .orderBy('id')
    .execute();
  return rows.map(rowToInstance);
}

/** Archived ones whose time is over, failed ones older than `failedBefore`, and purges that did not get to their end. */
export async function instancesToPurge(
  db: Db,
  now: Date,
  failedBefore: Date,
  limit: number,
): Promise<InstanceRecord[]> {
  const rows = await db
    .selectFrom('instance')
    .selectAll()
    .where('operation_id', 'is', null)
    .where((eb) =>
      eb.or([
        eb.and([eb('phase', '=', 'archived'), eb('purge_at', '<=', now)]),
        eb.and([eb('phase', '=', 'failed'), eb('created_at', '<=', failedBefore)]),
        eb('phase', '=', 'purging'),
      ]),
    )
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(rowToInstance);
}

/**
 * Takes the instance for one operation; false when another one holds it. The lock is a column, so it outlives restarts,
 * and every operation lets go of it in its last transaction.
 */
export async function holdInstance(tx: Trx, id: InstanceId, operation: OperationId): Promise<boolean> {
  const row = await tx
    .updateTable('instance')
    .set({ operation_id: operation })
    .where('id', '=', id)
    .where('operation_id', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Writes columns, counts the version up and tells everybody. Errors: name_taken. */
export async function changeInstance(
  tx: Trx,
  instance: Pick<InstanceRecord, 'id' | 'organization' | 'project'>,
  change: InstanceChange,
): Promise<void> {
  try {
    const row = await tx
      .updateTable('instance')
      .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
      .where('id', '=', instance.id)
      .returning('version')
      .executeTakeFirst();
    if (row !== undefined) await instanceHint(tx, { ...instance, version: row.version });
  } catch (error) {
    if (isUniqueViolation(error, NAME_INDEX)) throw nameTaken(String(change.name ?? ''));
    throw error;
  }
}

export async function deleteInstanceRow(tx: Trx, instance: InstanceRecord): Promise<void> {
  await tx.deleteFrom('instance').where('id', '=', instance.id).execute();
  await deleteMetrics(tx, instance.id);
  await instanceHint(tx, { ...instance, version: instance.version + 1 });
}

/** Host numbers of a project that are in use, by archived and failed ones and those on their way here too. */
export async function usedHostNumbers(db: Db, project: ProjectId): Promise<Set<number>> {
  const rows = await db
    .selectFrom('instance')
    .select('host_number')
    .where('project_id', '=', project)
    .unionAll(db.selectFrom('instance_transfer').select('host_number').where('project_id', '=', project))
    .execute();
  return new Set(rows.map((row) => row.host_number));
}

/** True when a living instance of the project, or one on its way there, has this name. */
export async function instanceNameTaken(db: Db, project: ProjectId, name: string): Promise<boolean> {
  const row = await db
    .selectFrom('instance')
    .select('id')
    .where('project_id', '=', project)
    .where('name', '=', name)
    .where('phase', 'not in', ['archived', 'purging', 'failed'])
    .unionAll(
      db
        .selectFrom('instance_transfer')
        .select('instance_id as id')
        .where('project_id', '=', project)
        .where('name', '=', name),
    )
    .executeTakeFirst();
  return row !== undefined;
}

export type InstanceFilter = {
  kind?: InstanceKind | undefined;
  archived: boolean;
  search?: string | undefined;
  before?: InstanceId | undefined;
  limit: number;
};

/** An instance of a list, with what is granted on it to the person who asks (on top of their role). */
export type ListedInstance = { instance: InstanceView; permissions: GrantPermission[] };

/** Newest first. Whoever has no role that reads the project sees only what is granted to them. */
export async function listInstances(
  db: Db,
  proof: Authorized<'project', 'instance.list'>,
  filter: InstanceFilter,
): Promise<ListedInstance[]> {
  const { actor, role } = proof;
  // Whoever may do by their role what grants give is not asked for grants.
  const asked = actor.kind === 'person' && proof.permissions.length > 0 && (role === null || !roleCoversGrants(role));
  const grants = asked ? await grantsOfPerson(db, proof.id, actor.userId) : null;
  const all = actor.kind === 'system' || (role !== null && roleMay(role, 'instance.read'));
  let query = view(db)
    .$if(!all, (narrowed) => narrowed.where('instance.id', 'in', [...(grants ?? new Map()).keys(), NO_INSTANCE]))
    .where('instance.project_id', '=', proof.id)
    .where('instance.phase', filter.archived ? '=' : '<>', 'archived')
    .orderBy('instance.id', 'desc')
    .limit(filter.limit);
  if (filter.kind !== undefined) query = query.where('instance.kind', '=', filter.kind);
  if (filter.before !== undefined) query = query.where('instance.id', '<', filter.before);
  if (filter.search !== undefined && filter.search !== '') {
    const pattern = `%${filter.search.replace(/[\\%_]/g, '\\$&')}%`;
    query = query.where((eb) =>
      eb.or([eb('instance.name', 'ilike', pattern), eb('instance.description', 'ilike', pattern)]),
    );
  }
  return (await query.execute()).map((row) => ({
    instance: rowToView(row),
    permissions: grants?.get(row.id) ?? [],
  }));
}

/** Keeps `in (...)` valid when nothing is granted; no instance has this id. */
const NO_INSTANCE = 'ins_' as InstanceId;

/** What is granted in one project to a person, by themselves and by their groups. */
async function grantsOfPerson(db: Db, project: ProjectId, user: UserId): Promise<Map<InstanceId, GrantPermission[]>> {
  const { rows } = await sql<{ id: InstanceId; permissions: GrantPermission[] }>`
    select a.instance_id as id, array_agg(distinct p) as permissions
      from app_grant a join instance i on i.id = a.instance_id, unnest(a.permissions) p
     where i.project_id = ${project}
       and (a.user_id = ${user} or a.group_id in (select group_id from user_group_member where user_id = ${user}))
     group by a.instance_id`.execute(db);
  return new Map(rows.map((row) => [row.id, row.permissions]));
}

/** The instance with everything that is shown of it; null when it was removed since the proof was made. */
export async function getInstance(
  db: Db,
  proof: Authorized<'instance', 'instance.read'>,
): Promise<InstanceView | null> {
  const row = await view(db).where('instance.id', '=', proof.id).executeTakeFirst();
  return row === undefined ? null : rowToView(row);
}

/** Instances per host: all living ones and those that run. */
export async function countByHost(db: Db): Promise<Map<string, { total: number; running: number }>> {
  const rows = await db
    .selectFrom('instance')
    .select([
      'host_id',
      sql<number>`count(*)`.as('total'),
      sql<number>`count(*) filter (where observed = 'running')`.as('running'),
    ])
    .where('host_id', 'is not', null)
    .where('phase', 'in', ['creating', 'ready'])
    .groupBy('host_id')
    .execute();
  return new Map(rows.map((row) => [String(row.host_id), { total: row.total, running: row.running }]));
}

/** One query for what a page shows: the row, the names around it, its platform address, and what is changing it. */
function view(db: Db) {
  return db
    .selectFrom('instance')
    .innerJoin('image', 'image.id', 'instance.image_id')
    .innerJoin('app_user', 'app_user.id', 'instance.created_by')
    .leftJoin('host', 'host.id', 'instance.host_id')
    .leftJoin('operation', 'operation.id', 'instance.operation_id')
    .leftJoin('route', (join) =>
      join
        .onRef('route.instance_id', '=', 'instance.id')
        .on('route.is_primary', '=', true)
        .on('route.enabled', '=', true),
    )
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('operation_step')
          .select(['operation_step.title as step_title', 'operation_step.percent as step_percent'])
          .whereRef('operation_step.operation_id', '=', 'instance.operation_id')
          .where('operation_step.state', 'in', ['running', 'pending'])
          .orderBy('operation_step.seq')
          .limit(1)
          .as('step'),
      (join) => join.onTrue(),
    )
    .selectAll('instance')
    .select([
      'image.name as image_name',
      'app_user.name as created_by_name',
      'host.name as host_name',
      'operation.title as operation_title',
      'operation.state as operation_state',
      'route.hostname as primary_hostname',
      'step.step_title',
      'step.step_percent',
    ]);
}

/** Row of `view`. */
type QueryRow<Q> = Q extends SelectQueryBuilder<infer _D, infer _T, infer O> ? O : never;
export type InstanceViewRow = QueryRow<ReturnType<typeof view>>;

export async function instanceHint(
  tx: Trx,
  instance: Pick<InstanceRecord, 'id' | 'organization' | 'project' | 'version'>,
): Promise<void> {
  await emit(tx, {
    kind: 'instance',
    ref: instance.id,
    organizationId: instance.organization,
    projectId: instance.project,
    instanceId: instance.id,
    version: instance.version,
  });
}
