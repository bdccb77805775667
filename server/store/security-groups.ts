/** Security groups, and which instances have them. `applied_version` is observed: what the host has. */
import { type RawBuilder, sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId, OrganizationId, ProjectId, SecurityGroupId } from '#domain/ids.ts';
import { type NetworkRule, withSourceRenamed } from '#domain/network-rules.ts';
import type { ProjectProof } from './authorized.ts';
import { type Db, isUniqueViolation, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type SecurityGroupRecord = {
  id: SecurityGroupId;
  organization: OrganizationId;
  project: ProjectId;
  name: string;
  description: string;
  rules: NetworkRule[];
  instances: { id: InstanceId; name: string }[];
  /** Other groups whose rules name it. */
  usedBy: string[];
  createdAt: Date;
  version: number;
  applied: boolean;
};

const names = (rules: string, name: RawBuilder<unknown>) =>
  sql<boolean>`jsonb_path_exists(${sql.ref(rules)}, '$[*].groups[*] ? (@ == $name)', jsonb_build_object('name', ${name}))`;

const selected = (db: Db) =>
  db
    .selectFrom('security_group as g')
    .selectAll('g')
    .select([
      sql<
        { id: InstanceId; name: string }[]
      >`coalesce((select jsonb_agg(jsonb_build_object('id', i.id, 'name', i.name) order by i.name)
        from security_group_instance m join instance i on i.id = m.instance_id where m.group_id = g.id), '[]')`.as(
        'members',
      ),
      sql<string[]>`array(select o.name from security_group o
        where o.project_id = g.project_id and o.id <> g.id and ${names('o.rules', sql.ref('g.name'))} order by o.name)`.as(
        'users',
      ),
    ]);
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToGroup(row: Row): SecurityGroupRecord {
  return {
    id: row.id,
    organization: row.organization_id,
    project: row.project_id,
    name: row.name,
    description: row.description,
    rules: row.rules,
    instances: row.members,
    usedBy: row.users,
    createdAt: row.created_at,
    version: Number(row.version),
    applied: Number(row.applied_version) === Number(row.version),
  };
}

/** By name; there are at most SECURITY_GROUPS_PER_PROJECT_MAX. */
export async function securityGroupsOf(
  db: Db,
  proof: ProjectProof<'security-group.read' | 'security-group.create' | 'security-group.update'>,
): Promise<SecurityGroupRecord[]> {
  const rows = await selected(db).where('g.project_id', '=', proof.id).orderBy('g.name').execute();
  return rows.map(rowToGroup);
}

export async function findSecurityGroup(db: Db, id: SecurityGroupId): Promise<SecurityGroupRecord | null> {
  const row = await selected(db).where('g.id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToGroup(row);
}

/** Every group there is: for the host. */
export async function allSecurityGroups(db: Db): Promise<SecurityGroupRecord[]> {
  return (await selected(db).orderBy('g.id').execute()).map(rowToGroup);
}

export type NewSecurityGroup = Pick<
  SecurityGroupRecord,
  'id' | 'organization' | 'project' | 'name' | 'description' | 'rules'
>;

/** Errors: name_taken. */
export async function insertSecurityGroup(tx: Trx, group: NewSecurityGroup, now: number): Promise<void> {
  const { id, name, description } = group;
  try {
    await tx
      .insertInto('security_group')
      .values({
        id,
        organization_id: group.organization,
        project_id: group.project,
        name,
        description,
        rules: json(group.rules),
        created_at: new Date(now),
      })
      .execute();
  } catch (error) {
    if (isUniqueViolation(error)) throw nameTaken(name);
    throw error;
  }
  await groupHint(tx, group, 1);
}

/** Errors: name_taken. `instances` replaces who has it. */
export async function updateSecurityGroup(
  tx: Trx,
  group: SecurityGroupRecord,
  change: { name?: string; description?: string; rules?: NetworkRule[]; instances?: readonly InstanceId[] },
): Promise<void> {
  const { rules, instances, ...words } = change;
  try {
    const { version } = await tx
      .updateTable('security_group')
      .set((eb) => ({
        ...words,
        ...(rules === undefined ? {} : { rules: json(rules) }),
        version: eb('version', '+', 1),
      }))
      .where('id', '=', group.id)
      .returning('version')
      .executeTakeFirstOrThrow();
    await groupHint(tx, group, Number(version));
  } catch (error) {
    if (isUniqueViolation(error)) throw nameTaken(change.name ?? group.name);
    throw error;
  }
  if (instances === undefined) return;
  await tx.deleteFrom('security_group_instance').where('group_id', '=', group.id).execute();
  if (instances.length === 0) return;
  await tx
    .insertInto('security_group_instance')
    .values(instances.map((instance) => ({ group_id: group.id, instance_id: instance })))
    .execute();
}

/** From here to the end of the transaction nobody else changes, renames or deletes a group of the project. */
export async function lockGroups(tx: Trx, project: ProjectId): Promise<void> {
  await tx
    .selectFrom('security_group')
    .select('id')
    .where('project_id', '=', project)
    .orderBy('id')
    .forUpdate()
    .execute();
}

/** Rules of the project that name the group say its new name from now on. */
export async function renameSource(tx: Trx, group: SecurityGroupRecord, name: string): Promise<void> {
  const others = await selected(tx)
    .where('g.project_id', '=', group.project)
    .where(names('g.rules', sql`${group.name}::text`))
    .execute();
  for (const other of others) {
    await updateSecurityGroup(tx, rowToGroup(other), { rules: withSourceRenamed(other.rules, group.name, name) });
  }
}

/** Those of `instances` that are in the project, locked until the transaction ends, with how many other groups they have. */
export async function lockMembers(
  tx: Trx,
  group: SecurityGroupRecord,
  instances: readonly InstanceId[],
): Promise<{ id: InstanceId; name: string; groups: number }[]> {
  const { rows } = await sql<{ id: InstanceId; name: string; groups: string }>`
    select i.id, i.name, (select count(*) from security_group_instance m
        where m.instance_id = i.id and m.group_id <> ${group.id}) as groups
      from instance i
     where i.project_id = ${group.project} and i.id = any(${[...instances]}::text[]) and i.phase in ('creating', 'ready', 'archived')
     order by i.id for update of i`.execute(tx);
  return rows.map((row) => ({ ...row, groups: Number(row.groups) }));
}

export async function deleteSecurityGroup(tx: Trx, group: SecurityGroupRecord): Promise<boolean> {
  const row = await tx.deleteFrom('security_group').where('id', '=', group.id).returning('id').executeTakeFirst();
  if (row === undefined) return false;
  await groupHint(tx, group, group.version + 1);
  return true;
}

/** The instance leaves the project, whose groups stay behind. */
export async function leaveSecurityGroups(tx: Trx, instance: InstanceId): Promise<void> {
  const left = await tx
    .deleteFrom('security_group_instance')
    .where('instance_id', '=', instance)
    .returning('group_id')
    .execute();
  for (const { group_id } of left) {
    const group = await findSecurityGroup(tx, group_id);
    if (group !== null) await groupHint(tx, group, group.version);
  }
}

/** The host has these rules. */
export async function recordGroupApplied(tx: Trx, group: SecurityGroupRecord): Promise<void> {
  await tx
    .updateTable('security_group')
    .set({ applied_version: group.version })
    .where('id', '=', group.id)
    .where('version', '=', group.version)
    .execute();
  await groupHint(tx, group, group.version);
}

function nameTaken(name: string): BerthError {
  return new BerthError('name_taken', `The project has a security group called "${name}" already.`, {
    fields: [{ field: 'name', message: 'This name is taken.' }],
  });
}

async function groupHint(
  tx: Trx,
  group: Pick<SecurityGroupRecord, 'id' | 'organization' | 'project'>,
  version: number,
): Promise<void> {
  await emit(tx, {
    kind: 'security-group',
    ref: group.id,
    organizationId: group.organization,
    projectId: group.project,
    version,
  });
}
