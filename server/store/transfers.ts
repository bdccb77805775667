/**
 * Instances on their way into another project. What is promised to them there (name, host number, address) is a row of its
 * own; quota is reserved beside it. The instance's row changes once, at the end, together with everything that hangs on it.
 */
import type {
  GroupId,
  InstanceId,
  OperationId,
  OrganizationId,
  ProjectId,
  RouteId,
  SnapshotId,
  UserId,
} from '#domain/ids.ts';
import { instanceUse, type Quota } from '#domain/quotas.ts';
import { backupUse, moveBackups } from './backup-repositories.ts';
import { type Db, isUniqueViolation, type Trx } from './database.ts';
import { countForwards, moveForwards } from './forwards.ts';
import { tellSubjects } from './grants.ts';
import type { InstanceRecord } from './instance-rows.ts';
import { instanceHint, nameTaken } from './instances.ts';
import { emit } from './outbox.ts';
import { leaveSecurityGroups } from './security-groups.ts';

/** Where an instance is or goes to. */
export type Place = {
  organization: OrganizationId;
  project: ProjectId;
  hostNumber: number;
  address4: string;
  address6: string;
};

export function placeOf(instance: InstanceRecord): Place {
  const { organization, project, hostNumber, address4, address6 } = instance;
  return { organization, project, hostNumber, address4, address6 };
}

export type TargetProject = {
  organization: OrganizationId;
  name: string;
  organizationName: string;
  subnet4: string;
  subnet6: string;
};

/** The project somebody moves something to, kept from being deleted until the transaction ends; null: gone. */
export async function lockTarget(tx: Trx, project: ProjectId): Promise<TargetProject | null> {
  const row = await tx
    .selectFrom('project')
    .innerJoin('organization', 'organization.id', 'project.organization_id')
    .select(['project.organization_id', 'project.name', 'project.subnet4', 'project.subnet6'])
    .select('organization.name as organization_name')
    .where('project.id', '=', project)
    .forKeyShare('project')
    .executeTakeFirst();
  if (row === undefined) return null;
  const { organization_id: organization, name, organization_name: organizationName, subnet4, subnet6 } = row;
  return { organization, name, organizationName, subnet4, subnet6 };
}

/** Promises the place. Errors: name_taken. */
export async function insertTransfer(
  tx: Trx,
  instance: Pick<InstanceRecord, 'id' | 'name'>,
  operation: OperationId,
  to: Place,
): Promise<void> {
  try {
    await tx
      .insertInto('instance_transfer')
      .values({
        instance_id: instance.id,
        operation_id: operation,
        organization_id: to.organization,
        project_id: to.project,
        name: instance.name,
        host_number: to.hostNumber,
        address4: to.address4,
        address6: to.address6,
      })
      .execute();
  } catch (error) {
    if (isUniqueViolation(error, 'instance_transfer_name')) throw nameTaken(instance.name);
    throw error;
  }
}

/** Takes the promise back, or redeems it; false when there was none any more. */
export async function deleteTransfer(tx: Trx, operation: OperationId): Promise<boolean> {
  const row = await tx
    .deleteFrom('instance_transfer')
    .where('operation_id', '=', operation)
    .returning('instance_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** True while the instance is on its way; its routes stay as they are then, they are counted in two projects. */
export async function isMoving(db: Db, instance: InstanceId): Promise<boolean> {
  const row = await db
    .selectFrom('instance_transfer')
    .select('instance_id')
    .where('instance_id', '=', instance)
    .executeTakeFirst();
  return row !== undefined;
}

/** Everything of an instance that counts: itself, its added routes, its port forwards, its snapshots, its backups. */
export async function wholeUse(db: Db, instance: InstanceRecord): Promise<Quota> {
  const { routes } = await db
    .selectFrom('route')
    .select((eb) => eb.fn.countAll<number>().as('routes'))
    .where('instance_id', '=', instance.id)
    .where('is_primary', '=', false)
    .executeTakeFirstOrThrow();
  const { snapshots } = await db
    .selectFrom('snapshot')
    .select((eb) => eb.fn.countAll<number>().as('snapshots'))
    .where('instance_id', '=', instance.id)
    .executeTakeFirstOrThrow();
  return {
    ...instanceUse(instance),
    routes,
    snapshots,
    portForwards: await countForwards(db, instance.id),
    ...(await backupUse(db, instance.id)),
  };
}

/** How many people and groups have this one app granted. */
export async function countGrants(db: Db, instance: InstanceId): Promise<number> {
  const { count } = await db
    .selectFrom('app_grant')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('instance_id', '=', instance)
    .executeTakeFirstOrThrow();
  return count;
}

/**
 * The instance is at `to` from this moment: its row, routes, port forwards, snapshots and backups. Consoles of both projects and edge hear of it.
 * Leaving the organization ends every grant on it; `owner` then counts as the one who made it and its snapshots.
 */
export async function settleTransfer(tx: Trx, instance: InstanceRecord, to: Place, owner: UserId): Promise<void> {
  const leaves = to.organization !== instance.organization;
  const made = leaves ? { created_by: owner } : {};
  const scope = { organization_id: to.organization, project_id: to.project };
  const { version } = await tx
    .updateTable('instance')
    .set((eb) => ({
      ...scope,
      host_number: to.hostNumber,
      address4: to.address4,
      address6: to.address6,
      drift: null,
      ...made,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', instance.id)
    .returning('version')
    .executeTakeFirstOrThrow();
  await instanceHint(tx, { ...instance, version });
  await instanceHint(tx, { ...instance, organization: to.organization, project: to.project, version });
  const routes = await tx
    .updateTable('route')
    .set((eb) => ({ ...scope, version: eb('version', '+', 1) }))
    .where('instance_id', '=', instance.id)
    .returning(['id', 'version'])
    .execute();
  await leaveSecurityGroups(tx, instance.id);
  await moveForwards(tx, instance.id, instance, to);
  await moveBackups(tx, instance, to, leaves ? owner : null);
  const snapshots = await tx
    .updateTable('snapshot')
    .set({ ...scope, ...made })
    .where('instance_id', '=', instance.id)
    .returning('id')
    .execute();
  const moved: { kind: 'route' | 'snapshot'; ref: RouteId | SnapshotId; version: number }[] = [
    ...routes.map((route) => ({ kind: 'route' as const, ref: route.id, version: route.version })),
    ...snapshots.map((snapshot) => ({ kind: 'snapshot' as const, ref: snapshot.id, version })),
  ];
  for (const hint of moved) {
    for (const place of [instance, to]) {
      await emit(tx, {
        ...hint,
        organizationId: place.organization,
        projectId: place.project,
        instanceId: instance.id,
      });
    }
  }
  if (leaves) await endGrants(tx, instance);
}

async function endGrants(tx: Trx, instance: InstanceRecord): Promise<void> {
  const ended = await tx
    .deleteFrom('app_grant')
    .where('instance_id', '=', instance.id)
    .returning(['user_id', 'group_id'])
    .execute();
  const subjects = new Set(
    ended.flatMap(({ user_id, group_id }): (UserId | GroupId)[] => [user_id ?? group_id ?? []].flat()),
  );
  await tellSubjects(tx, instance.organization, subjects);
}
