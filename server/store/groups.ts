/** Groups of an organization and who is in them. What a group holds, every member of it holds. */
import { sql } from 'kysely';
import type { Role, WorkingRole } from '#domain/authz.ts';
import type { GroupId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type { Authorized, OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { askToRenewSessions } from './sessions.ts';

export const GROUPS_PER_ORGANIZATION_MAX = 200;
export const GROUP_MEMBERS_MAX = 500;

export type Group = {
  id: GroupId;
  organization: OrganizationId;
  name: string;
  title: string;
  role: WorkingRole | null;
  /** What it gives in single projects. */
  projectRoles: WorkingRole[];
  members: number;
  createdAt: Date;
};
export type GroupProof<A extends 'group.read' | 'group.update' | 'group.delete'> = Authorized<'group', A>;
export type GroupMember = { user: { id: UserId; email: string; name: string }; addedAt: Date };

function groupQuery(db: Db) {
  return db
    .selectFrom('user_group as g')
    .select(['g.id', 'g.organization_id', 'g.name', 'g.title', 'g.role', 'g.created_at'])
    .select((eb) =>
      eb
        .selectFrom('user_group_member as m')
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .whereRef('m.group_id', '=', 'g.id')
        .as('members'),
    )
    .select(
      sql<WorkingRole[] | null>`(select array_agg(distinct p.role) from project_role p where p.group_id = g.id)`.as(
        'project_roles',
      ),
    );
}

type GroupRow = {
  id: GroupId;
  organization_id: OrganizationId;
  name: string;
  title: string;
  role: WorkingRole | null;
  created_at: Date;
  members: number | null;
  project_roles: WorkingRole[] | null;
};

function rowToGroup(row: GroupRow): Group {
  return {
    id: row.id,
    organization: row.organization_id,
    name: row.name,
    title: row.title,
    role: row.role,
    projectRoles: row.project_roles ?? [],
    members: row.members ?? 0,
    createdAt: row.created_at,
  };
}

/** By name; at most GROUPS_PER_ORGANIZATION_MAX exist. */
export async function listGroups(db: Db, proof: OrganizationProof<'group.read'>): Promise<Group[]> {
  const rows = await groupQuery(db).where('g.organization_id', '=', proof.id).orderBy('g.name').execute();
  return rows.map(rowToGroup);
}

/** The group; nobody changes it until the transaction ends. Null when it is gone meanwhile. */
export async function lockGroup(
  trx: Trx,
  proof: GroupProof<'group.update'> | GroupProof<'group.delete'>,
): Promise<Group | null> {
  // Whose role it has in a project may change meanwhile, so the lock is taken before looking.
  await trx.selectFrom('user_group').select('id').where('id', '=', proof.id).forUpdate().execute();
  const row = await groupQuery(trx)
    .where('g.id', '=', proof.id)
    .where('g.organization_id', '=', proof.organization)
    .executeTakeFirst();
  return row === undefined ? null : rowToGroup(row);
}

/** Locks the organization and counts its groups. */
export async function countGroups(trx: Trx, proof: OrganizationProof<'group.create'>): Promise<number> {
  await trx.selectFrom('organization').select('id').where('id', '=', proof.id).forUpdate().execute();
  const { count } = await trx
    .selectFrom('user_group')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return count;
}

/** Errors: unique violation of (organization, name). */
export async function insertGroup(
  trx: Trx,
  proof: OrganizationProof<'group.create'>,
  group: { id: GroupId; name: string; title: string; role: WorkingRole | null },
): Promise<Group> {
  const row = await trx
    .insertInto('user_group')
    .values({ ...group, organization_id: proof.id })
    .returning(['id', 'organization_id', 'name', 'title', 'role', 'created_at'])
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'member', ref: group.id, organizationId: proof.id });
  return rowToGroup({ ...row, members: 0, project_roles: null });
}

/** Errors: unique violation of (organization, name). */
export async function updateGroup(
  trx: Trx,
  proof: GroupProof<'group.update'>,
  change: { name: string; title: string; role: WorkingRole | null },
): Promise<void> {
  const before = await trx
    .selectFrom('user_group')
    .select('role')
    .where('id', '=', proof.id)
    .forUpdate()
    .executeTakeFirstOrThrow();
  await trx.updateTable('user_group').set(change).where('id', '=', proof.id).execute();
  await tellMembers(trx, proof.organization, proof.id, before.role !== change.role);
}

export async function deleteGroup(trx: Trx, proof: GroupProof<'group.delete'>): Promise<void> {
  await tellMembers(trx, proof.organization, proof.id);
  await trx.deleteFrom('user_group').where('id', '=', proof.id).execute();
}

/** One hint for the group and one for everybody in it; `rights`: what they may do has changed. */
export async function tellMembers(
  trx: Trx,
  organizationId: OrganizationId,
  group: GroupId,
  rights = true,
): Promise<void> {
  const rows = await trx.selectFrom('user_group_member').select('user_id').where('group_id', '=', group).execute();
  const people = rows.map((row) => row.user_id);
  if (rights) await askToRenewSessions(trx, people);
  await emit(trx, ...[group, ...people].map((ref) => ({ kind: 'member' as const, ref, organizationId })));
}

export async function listGroupMembers(db: Db, proof: GroupProof<'group.read'>): Promise<GroupMember[]> {
  const rows = await db
    .selectFrom('user_group_member as m')
    .innerJoin('app_user as u', 'u.id', 'm.user_id')
    .select(['u.id', 'u.email', 'u.name', 'm.added_at'])
    .where('m.group_id', '=', proof.id)
    .orderBy('u.name')
    .limit(GROUP_MEMBERS_MAX)
    .execute();
  return rows.map((row) => ({ user: { id: row.id, email: row.email, name: row.name }, addedAt: row.added_at }));
}

/** E-mail address of a member of the group's organization; null when the person does not belong to it. */
export async function memberEmail(trx: Trx, proof: GroupProof<'group.update'>, user: UserId): Promise<string | null> {
  const row = await trx
    .selectFrom('membership as m')
    .innerJoin('app_user as u', 'u.id', 'm.user_id')
    .select('u.email')
    .where('m.organization_id', '=', proof.organization)
    .where('m.user_id', '=', user)
    .executeTakeFirst();
  return row?.email ?? null;
}

/** Sessions and consoles hear of a person who came or went; passes on whether one did. */
async function tellGroupChange(
  trx: Trx,
  proof: GroupProof<'group.update'>,
  user: UserId,
  changed: boolean,
): Promise<boolean> {
  if (changed) await askToRenewSessions(trx, [user]);
  await emit(
    trx,
    { kind: 'member', ref: user, organizationId: proof.organization },
    { kind: 'member', ref: proof.id, organizationId: proof.organization },
  );
  return changed;
}

/** False when they are in it already. */
export async function insertGroupMember(trx: Trx, proof: GroupProof<'group.update'>, user: UserId): Promise<boolean> {
  const row = await trx
    .insertInto('user_group_member')
    .values({ organization_id: proof.organization, group_id: proof.id, user_id: user })
    .onConflict((conflict) => conflict.doNothing())
    .returning('user_id')
    .executeTakeFirst();
  return tellGroupChange(trx, proof, user, row !== undefined);
}

/** False when they are not in it. */
export async function deleteGroupMember(trx: Trx, proof: GroupProof<'group.update'>, user: UserId): Promise<boolean> {
  const row = await trx
    .deleteFrom('user_group_member')
    .where('group_id', '=', proof.id)
    .where('user_id', '=', user)
    .returning('user_id')
    .executeTakeFirst();
  return tellGroupChange(trx, proof, user, row !== undefined);
}

/** Every role that a person holds in an organization or in one of its projects, by themselves and by groups. */
export async function rolesAnywhere(trx: Trx, organization: OrganizationId, user: UserId): Promise<Role[]> {
  const { rows } = await sql<{ role: Role }>`
    select m.role from membership m where m.organization_id = ${organization} and m.user_id = ${user}
    union select g.role from user_group g join user_group_member gm on gm.group_id = g.id
     where g.organization_id = ${organization} and gm.user_id = ${user} and g.role is not null
    union select p.role from project_role p where p.organization_id = ${organization}
       and (p.user_id = ${user} or p.group_id in (select group_id from user_group_member where user_id = ${user}))`.execute(
    trx,
  );
  return rows.map((row) => row.role);
}

export type ProjectRole = {
  subject: UserId | GroupId;
  kind: 'person' | 'group';
  /** Name of the person or title of the group. */
  name: string;
  email: string | null;
  role: WorkingRole;
};

export const ROLES_PER_PROJECT_MAX = 500;

const projectRoleQuery = (db: Db, project: ProjectId) =>
  db
    .selectFrom('project_role as r')
    .leftJoin('app_user as u', 'u.id', 'r.user_id')
    .leftJoin('user_group as g', 'g.id', 'r.group_id')
    .select(['r.subject', 'r.user_id', 'r.role', 'u.email', 'u.name', 'g.title'])
    .where('r.project_id', '=', project);

type ProjectRoleRow = {
  subject: UserId | GroupId;
  user_id: UserId | null;
  role: WorkingRole;
  email: string | null;
  name: string | null;
  title: string | null;
};

function rowToProjectRole(row: ProjectRoleRow): ProjectRole {
  return {
    subject: row.subject,
    kind: row.user_id === null ? 'group' : 'person',
    name: row.name ?? row.title ?? '',
    email: row.email,
    role: row.role,
  };
}

export async function listProjectRoles(db: Db, proof: Authorized<'project', 'project.read'>): Promise<ProjectRole[]> {
  const rows = await projectRoleQuery(db, proof.id).orderBy('r.subject').limit(ROLES_PER_PROJECT_MAX).execute();
  return rows.map(rowToProjectRole);
}

export type SharingProof = Authorized<'project', 'project.share'>;

/** Locks the project's roles; the present role of `subject` (null: none) and how many roles there are. */
export async function lockProjectRole(
  trx: Trx,
  proof: SharingProof,
  subject: UserId | GroupId,
): Promise<{ held: ProjectRole | null; count: number }> {
  await trx.selectFrom('project').select('id').where('id', '=', proof.id).forUpdate().execute();
  const row = await projectRoleQuery(trx, proof.id).where('r.subject', '=', subject).executeTakeFirst();
  const { count } = await trx
    .selectFrom('project_role')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('project_id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return { held: row === undefined ? null : rowToProjectRole(row), count };
}

/** Sets the role; null takes it away. Errors: foreign-key violation when the subject does not belong to the organization. */
export async function setProjectRole(
  trx: Trx,
  proof: SharingProof,
  subject: UserId | GroupId,
  role: WorkingRole | null,
): Promise<ProjectRole | null> {
  const user = subject.startsWith('usr_') ? (subject as UserId) : null;
  const group = user === null ? (subject as GroupId) : null;
  const before = await trx
    .deleteFrom('project_role')
    .where('project_id', '=', proof.id)
    .where('subject', '=', subject)
    .returning('role')
    .executeTakeFirst();
  const rights = (before?.role ?? null) !== role;
  if (role !== null) {
    await trx
      .insertInto('project_role')
      .values({ project_id: proof.id, organization_id: proof.organization, user_id: user, group_id: group, role })
      .execute();
  }
  if (user !== null && rights) await askToRenewSessions(trx, [user]);
  if (group === null) await emit(trx, { kind: 'member', ref: subject, organizationId: proof.organization });
  else await tellMembers(trx, proof.organization, group, rights);
  const row = await projectRoleQuery(trx, proof.id).where('r.subject', '=', subject).executeTakeFirst();
  return row === undefined ? null : rowToProjectRole(row);
}
