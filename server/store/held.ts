/**
 * SQL for "what does this person hold?": the one place that lists the ways to a role. Used by the door and by lists that
 * must agree with it.
 */
import { type RawBuilder, sql } from 'kysely';
import { ENTRY_ROLE, type GrantPermission, type Role } from '#domain/authz.ts';
import type { UserId } from '#domain/ids.ts';

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

/** What is granted to a person on the apps that `which` (a condition on app_grant as `a`) selects; null for nothing. */
export function grantsHeld(user: UserId | null, which: RawBuilder<unknown>): RawBuilder<GrantPermission[] | null> {
  return sql`(select array_agg(distinct permission) from app_grant a, unnest(a.permissions) permission
      where ${which} and (a.user_id = ${user} or a.group_id in ${groupsOf(user)}))`;
}
