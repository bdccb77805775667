/**
 * SQL for "what does this person hold?": the one place that lists the ways to a role. Used by the door and by lists that
 * must agree with it.
 */
import { type RawBuilder, sql } from 'kysely';
import { ENTRY_ROLE, type GrantPermission, highestRole, type Role } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import type { OrganizationId, UserId } from '#domain/ids.ts';
import { serviceRole } from '#domain/service-accounts.ts';
import type { Db } from './database.ts';

/** The groups of a person, for `in (...)`. */
export function groupsOf(user: UserId | null): RawBuilder<unknown> {
  return sql`(select gm.group_id from user_group_member gm where gm.user_id = ${user})`;
}

/**
 * Every role held in an organization and, when `project` is not SQL's null, in that project; as an array, in no order,
 * null for none. `organization` and `project` are SQL expressions; the names used in here are not those of any query
 * around it.
 */
export function rolesHeld(
  user: UserId | null,
  organization: RawBuilder<unknown>,
  project: RawBuilder<unknown>,
): RawBuilder<Role[] | null> {
  const groups = groupsOf(user);
  return sql`(select array_agg(held.role) from (
      select own_role.role from membership own_role where own_role.organization_id = ${organization} and own_role.user_id = ${user}
      union all
      select by_group.role from user_group by_group
       where by_group.organization_id = ${organization} and by_group.role is not null and by_group.id in ${groups}
      union all
      select in_project.role from project_role in_project
       where in_project.project_id = ${project} and (in_project.user_id = ${user} or in_project.group_id in ${groups})
      union all
      select ${sql.lit(ENTRY_ROLE)} from tenant_entry entry join app_user enterer on enterer.id = entry.user_id
       where entry.organization_id = ${organization} and entry.user_id = ${user} and enterer.platform_admin
         and entry.ended_at is null and entry.expires_at > now()
    ) held)`;
}

/** The role that counts in the whole organization, as it is now: for looking again inside a transaction. */
export async function roleNow(
  db: Db,
  actor: Pick<PersonCaller, 'userId' | 'serviceOf'>,
  organization: OrganizationId,
): Promise<Role | null> {
  const { rows } = await sql<{ roles: Role[] | null }>`
    select ${rolesHeld(actor.userId, sql`${organization}`, sql`null`)} as roles`.execute(db);
  const roles = rows[0]?.roles ?? [];
  return actor.serviceOf === null ? highestRole(roles) : serviceRole(roles);
}

/** What is granted to a person on some one instance of a project; null when nothing is on any. Stops at the first. */
export function someGrantIn(user: UserId | null, project: RawBuilder<unknown>): RawBuilder<GrantPermission[] | null> {
  return sql`(select a.permissions from app_grant a join instance i on i.id = a.instance_id
      where i.project_id = ${project} and (a.user_id = ${user} or a.group_id in ${groupsOf(user)}) limit 1)`;
}

/** What is granted to a person on the apps that `which` (a condition on app_grant as `a`) selects; null for nothing. */
export function grantsHeld(user: UserId | null, which: RawBuilder<unknown>): RawBuilder<GrantPermission[] | null> {
  return sql`(select array_agg(distinct permission) from app_grant a, unnest(a.permissions) permission
      where ${which} and (a.user_id = ${user} or a.group_id in ${groupsOf(user)}))`;
}

/** Everything somebody holds, for filters of many rows (event streams). */
export type Standing = {
  organizations: ReadonlyMap<string, Role>;
  projects: ReadonlyMap<string, Role>;
  /** What is granted on single instances. */
  instances: ReadonlyMap<string, readonly GrantPermission[]>;
};

export const nothingHeld: Standing = { organizations: new Map(), projects: new Map(), instances: new Map() };

/** Nothing of organizations that ask for a second factor which the person lacks. */
export async function standingOf(db: Db, user: UserId): Promise<Standing> {
  const reach = await sql<{ organization: string; roles: Role[] | null }>`
    select o.id as organization, ${rolesHeld(user, sql`o.id`, sql`null`)} as roles
      from organization o join app_user u on u.id = ${user}
     where o.deleted_at is null and (u.second_factor or u.service_of is not null or not o.second_factor_required)
       and (exists (select from membership m where m.organization_id = o.id and m.user_id = u.id)
         or exists (select from tenant_entry e where e.organization_id = o.id and e.user_id = u.id and e.ended_at is null))`.execute(
    db,
  );
  const organizations = new Map<string, Role>();
  for (const row of reach.rows) {
    const role = highestRole(row.roles ?? []);
    if (role !== null) organizations.set(row.organization, role);
  }
  const entered = [...organizations.keys()];
  const roles = await sql<{ project: string; roles: Role[] }>`
    select r.project_id as project, array_agg(r.role) as roles from project_role r
     where r.organization_id = any(${entered}) and (r.user_id = ${user} or r.group_id in ${groupsOf(user)})
     group by r.project_id`.execute(db);
  const projects = new Map<string, Role>();
  for (const row of roles.rows) {
    const role = highestRole(row.roles);
    if (role !== null) projects.set(row.project, role);
  }
  const grants = await sql<{ instance: string; permissions: GrantPermission[] }>`
    select a.instance_id as instance, array_agg(distinct permission) as permissions
      from app_grant a, unnest(a.permissions) permission
     where a.instance_id is not null and a.organization_id = any(${entered})
       and (a.user_id = ${user} or a.group_id in ${groupsOf(user)})
     group by a.instance_id`.execute(db);
  return { organizations, projects, instances: new Map(grants.rows.map((row) => [row.instance, row.permissions])) };
}
