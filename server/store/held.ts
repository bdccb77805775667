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
 * null for none. `organization` and `project` are SQL expressions.
 */
export function rolesHeld(
  user: UserId | null,
  organization: RawBuilder<unknown>,
  project: RawBuilder<unknown>,
): RawBuilder<Role[] | null> {
  const groups = groupsOf(user);
  return sql`(select array_agg(held.role) from (
      select m.role from membership m where m.organization_id = ${organization} and m.user_id = ${user}
      union all
      select g.role from user_group g
       where g.organization_id = ${organization} and g.role is not null and g.id in ${groups}
      union all
      select p.role from project_role p
       where p.project_id = ${project} and (p.user_id = ${user} or p.group_id in ${groups})
      union all
      select ${sql.lit(ENTRY_ROLE)} from tenant_entry e join app_user u on u.id = e.user_id
       where e.organization_id = ${organization} and e.user_id = ${user} and u.platform_admin
         and e.ended_at is null and e.expires_at > now()
    ) held)`;
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
