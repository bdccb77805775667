/** The registry of app permissions: who may use which app (person or group x instance), and the apps a person may open. */
import { sql } from 'kysely';
import { type GrantPermission, type Role, roles } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import type { GrantId, GroupId, InstanceId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import type { InstanceProof, OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { tellMembers } from './groups.ts';
import { grantsHeld, rolesHeld } from './held.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';
import { askToRenewSessions } from './sessions.ts';

export const GRANTS_PER_ORGANIZATION_MAX = 20_000;
export const OWN_APPS_MAX = 1_000;

export type Grant = {
  id: GrantId;
  app: InstanceId;
  subject: UserId | GroupId;
  permissions: GrantPermission[];
  grantedBy: string;
  createdAt: Date;
};

/** An app that may be granted. */
export type App = { app: InstanceId; name: string; kind: InstanceKind; project: { id: ProjectId; name: string } };

type PageOf<T> = { items: T[]; nextCursor: string | null };
type PageQuery = { cursor?: string | undefined; limit: number };

/** Oldest first. */
export async function listGrants(
  db: Db,
  proof: OrganizationProof<'grant.read'>,
  page: PageQuery & { app?: InstanceId | undefined; subject?: UserId | GroupId | undefined },
): Promise<PageOf<Grant>> {
  const after = decodeTextCursor(page.cursor, /^grt_[0-9a-z]{26}$/);
  const rows = await db
    .selectFrom('app_grant as a')
    .innerJoin('app_user as u', 'u.id', 'a.granted_by')
    .select(['a.id', 'a.app', 'a.subject', 'a.permissions', 'u.email as granted_by', 'a.created_at'])
    .where('a.organization_id', '=', proof.id)
    .$if(page.app !== undefined, (query) => query.where('a.app', '=', page.app ?? ''))
    .$if(page.subject !== undefined, (query) => query.where('a.subject', '=', page.subject as UserId))
    .$if(after !== null, (query) => query.where('a.id', '>', after as GrantId))
    .orderBy('a.id')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.id);
  const items = cut.rows.map((row) => ({
    id: row.id,
    app: row.app as InstanceId,
    subject: row.subject,
    permissions: row.permissions,
    grantedBy: row.granted_by,
    createdAt: row.created_at,
  }));
  return { items, nextCursor: cut.nextCursor };
}

/** Instances of the organization by id; archived and failed ones cannot be opened and are left out. */
export async function listApps(
  db: Db,
  proof: OrganizationProof<'grant.read'>,
  page: PageQuery & { search?: string | undefined },
): Promise<PageOf<App>> {
  const after = decodeTextCursor(page.cursor, /^ins_[0-9a-z]{26}$/);
  const pattern = `%${(page.search ?? '').replace(/[\\%_]/g, '\\$&')}%`;
  const rows = await db
    .selectFrom('instance as i')
    .innerJoin('project as p', 'p.id', 'i.project_id')
    .select(['i.id', 'i.name', 'i.kind', 'p.id as project_id', 'p.name as project_name'])
    .where('i.organization_id', '=', proof.id)
    .where('i.phase', 'in', ['creating', 'ready'])
    .$if(page.search !== undefined, (query) => query.where('i.name', 'ilike', pattern))
    .$if(after !== null, (query) => query.where('i.id', '>', after as InstanceId))
    .orderBy('i.id')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.id);
  const items = cut.rows.map((row) => ({
    app: row.id,
    name: row.name,
    kind: row.kind,
    project: { id: row.project_id, name: row.project_name },
  }));
  return { items, nextCursor: cut.nextCursor };
}

/** May change every grant of an organization, or those on one instance. */
type GrantProof = OrganizationProof<'grant.update'> | InstanceProof<'grant.update'>;

/** Nobody else changes grants of the organization until the transaction ends. */
export async function lockRegistry(trx: Trx, organization: OrganizationId): Promise<void> {
  await trx.selectFrom('organization').select('id').where('id', '=', organization).forUpdate().execute();
}

/** Locks the organization's registry against other changes; those of `apps` that belong to it, and the registry's size. */
export async function lockGrants(
  trx: Trx,
  proof: GrantProof,
  apps: readonly InstanceId[],
): Promise<{ known: Map<InstanceId, { name: string; project: ProjectId }>; count: number }> {
  const { organization } = proof;
  await lockRegistry(trx, organization);
  const rows = await trx
    .selectFrom('instance')
    .select(['id', 'name', 'project_id'])
    .where('organization_id', '=', organization)
    .$if(proof.kind === 'instance', (query) => query.where('id', '=', proof.id as InstanceId))
    .where('id', 'in', apps)
    .execute();
  const { count } = await trx
    .selectFrom('app_grant')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_id', '=', organization)
    .executeTakeFirstOrThrow();
  return { known: new Map(rows.map((row) => [row.id, { name: row.name, project: row.project_id }])), count };
}

/** Names (e-mail address, title of a group) of those of `subjects` that belong to the organization. */
export async function subjectNames(
  trx: Trx,
  organization: OrganizationId,
  subjects: readonly string[],
): Promise<Map<string, string>> {
  const { rows } = await sql<{ id: string; name: string }>`
    select u.id, u.email as name from membership m join app_user u on u.id = m.user_id
     where m.organization_id = ${organization} and m.user_id = any(${[...subjects]})
    union all
    select g.id, g.title from user_group g where g.organization_id = ${organization} and g.id = any(${[...subjects]})`.execute(
    trx,
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}

export type Candidate = {
  subject: UserId | GroupId;
  kind: 'person' | 'group';
  name: string;
  email: string | null;
  /** Of a group: how many people. */
  members: number | null;
};

/**
 * Whom an app can be shared with and is not yet: groups first, then people, by name. `whole`: everybody of the
 * organization; else those with a role of their own in the project, and whoever has exactly this e-mail address.
 */
export async function listCandidates(
  db: Db,
  proof: InstanceProof<'grant.update'>,
  wanted: { search: string; whole: boolean; limit: number },
): Promise<Candidate[]> {
  const { search, whole, limit } = wanted;
  const pattern = `%${search.replace(/[\\%_]/g, '\\$&')}%`;
  const { rows } = await sql<Candidate>`
    select * from (
      select g.id as subject, 'group' as kind, g.title as name, null as email,
             (select count(*)::integer from user_group_member m join app_user u on u.id = m.user_id
               where m.group_id = g.id and u.service_of is null) as members
        from user_group g
       where g.organization_id = ${proof.organization} and (g.title ilike ${pattern} or g.name ilike ${pattern})
         and (${whole} or exists (select from project_role r where r.project_id = ${proof.project} and r.group_id = g.id))
      union all
      select u.id, 'person', u.name, u.email, null
        from membership m join app_user u on u.id = m.user_id
       where m.organization_id = ${proof.organization} and u.service_of is null
         and (u.name ilike ${pattern} or u.email ilike ${pattern})
         and (${whole} or lower(u.email) = lower(${search})
              or exists (select from project_role r where r.project_id = ${proof.project} and r.user_id = u.id))
    ) c
     where not exists (select from app_grant a where a.app = ${proof.id} and coalesce(a.user_id, a.group_id) = c.subject)
     order by kind, lower(name), subject limit ${limit}`.execute(db);
  return rows;
}

/** Sets what `subject` may do with `app` (nothing: takes the grant away) and answers what it was before. */
export async function setGrant(
  trx: Trx,
  proof: GrantProof,
  grant: { id: GrantId; app: InstanceId; subject: UserId | GroupId; permissions: readonly GrantPermission[] },
): Promise<GrantPermission[]> {
  const user = grant.subject.startsWith('usr_') ? (grant.subject as UserId) : null;
  const old = await trx
    .deleteFrom('app_grant')
    .where('organization_id', '=', proof.organization)
    .where('app', '=', grant.app)
    .where('subject', '=', grant.subject)
    .returning('permissions')
    .executeTakeFirst();
  if (grant.permissions.length > 0) {
    await trx
      .insertInto('app_grant')
      .values({
        id: grant.id,
        organization_id: proof.organization,
        app: grant.app,
        user_id: user,
        group_id: user === null ? (grant.subject as GroupId) : null,
        permissions: [...grant.permissions],
        granted_by: proof.person.userId,
      })
      .execute();
  }
  return old?.permissions ?? [];
}

/** Tells everybody whose rights a change of grants touched: edge and their consoles. */
export async function tellSubjects(
  trx: Trx,
  organizationId: OrganizationId,
  subjects: ReadonlySet<UserId | GroupId>,
): Promise<void> {
  for (const subject of subjects) {
    if (subject.startsWith('grp_')) {
      await tellMembers(trx, organizationId, subject as GroupId);
      continue;
    }
    await askToRenewSessions(trx, [subject as UserId]);
    await emit(trx, { kind: 'member', ref: subject, organizationId });
  }
}

export type OwnApp = App & {
  organization: { id: OrganizationId; title: string };
  observed: string;
  url: string | null;
  roles: Role[] | null;
  permissions: GrantPermission[] | null;
};

/** Instances of everything the person belongs to, with what they hold on each; the caller keeps those they may open. */
export async function listOwnApps(db: Db, person: PersonCaller): Promise<OwnApp[]> {
  const user = person.userId;
  const rows = await db
    .selectFrom('instance as i')
    .innerJoin('project as p', 'p.id', 'i.project_id')
    .innerJoin('organization as o', 'o.id', 'i.organization_id')
    .leftJoin('route as r', (join) =>
      join.onRef('r.instance_id', '=', 'i.id').on('r.is_primary', '=', true).on('r.enabled', '=', true),
    )
    .select(['i.id', 'i.name', 'i.kind', 'i.observed', 'p.id as project_id', 'p.name as project_name'])
    .select(['o.id as organization_id', 'o.title as organization_title', 'r.hostname'])
    .select(rolesHeld(user, sql`i.organization_id`, sql`i.project_id`).as('roles'))
    .select(grantsHeld(user, sql`a.instance_id = i.id`).as('permissions'))
    .where('i.phase', '=', 'ready')
    .where((eb) =>
      eb('i.organization_id', 'in', eb.selectFrom('membership').select('organization_id').where('user_id', '=', user)),
    )
    .orderBy('i.name')
    .orderBy('i.id')
    .limit(OWN_APPS_MAX)
    .execute();
  return rows.map((row) => ({
    app: row.id,
    name: row.name,
    kind: row.kind,
    observed: row.observed,
    project: { id: row.project_id, name: row.project_name },
    organization: { id: row.organization_id, title: row.organization_title },
    url: row.hostname,
    roles: row.roles,
    permissions: row.permissions,
  }));
}

export type AppGrant = Omit<Grant, 'app'> & { kind: 'person' | 'group'; name: string; email: string | null };

/** Everything granted on one instance, groups before people, by name. */
export async function listGrantsOn(db: Db, proof: InstanceProof<'grant.read' | 'grant.update'>): Promise<AppGrant[]> {
  const rows = await db
    .selectFrom('app_grant as a')
    .innerJoin('app_user as giver', 'giver.id', 'a.granted_by')
    .leftJoin('app_user as u', 'u.id', 'a.user_id')
    .leftJoin('user_group as g', 'g.id', 'a.group_id')
    .select(['a.id', 'a.subject', 'a.permissions', 'a.created_at', 'giver.email as granted_by'])
    .select(['u.name', 'u.email', 'g.title'])
    .where('a.organization_id', '=', proof.organization)
    .where('a.instance_id', '=', proof.id)
    .orderBy((eb) => eb('a.group_id', 'is', null))
    .orderBy((eb) => eb.fn.coalesce('g.title', 'u.name'))
    .orderBy('a.id')
    .limit(GRANTS_PER_ORGANIZATION_MAX)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    subject: row.subject,
    kind: row.title === null ? 'person' : 'group',
    name: row.title ?? row.name ?? '',
    email: row.email,
    permissions: row.permissions,
    grantedBy: row.granted_by,
    createdAt: row.created_at,
  }));
}

export type RoleHolders = {
  role: Role;
  place: 'organization' | 'project';
  people: number;
  /** Service accounts, which are no people. */
  services: number;
  shown: { name: string; email: string }[];
};

/** Everybody once, under the highest role they hold where the instance is, and where they hold it; highest first. */
export async function listRoleHolders(
  db: Db,
  proof: InstanceProof<'grant.read' | 'grant.update'>,
  shownMax: number,
): Promise<RoleHolders[]> {
  const { organization, project } = proof;
  const order = sql`array_position(${[...roles]}::text[], held.role)`;
  const { rows } = await sql<RoleHolders>`
    with held as (
      select m.user_id, m.role, 'organization' as place from membership m where m.organization_id = ${organization}
      union all
      select gm.user_id, g.role, 'organization' from user_group g join user_group_member gm on gm.group_id = g.id
       where g.organization_id = ${organization} and g.role is not null
      union all
      select coalesce(r.user_id, gm.user_id), r.role, 'project' from project_role r
        left join user_group_member gm on gm.group_id = r.group_id
       where r.project_id = ${project} and (r.user_id is not null or gm.user_id is not null)
    ), highest as (
      select distinct on (held.user_id) held.user_id, held.role, held.place, ${order} as rank
        from held order by held.user_id, ${order}, held.place
    )
    select h.role, h.place, count(*) filter (where u.service_of is null)::int as people,
           count(*) filter (where u.service_of is not null)::int as services,
           coalesce(to_jsonb((array_agg(jsonb_build_object('name', u.name, 'email', u.email) order by u.name, u.id)
             filter (where u.service_of is null))[1:${sql.lit(shownMax)}]), '[]') as shown
      from highest h join app_user u on u.id = h.user_id
     group by h.role, h.place, h.rank order by h.rank, h.place`.execute(db);
  return rows;
}

/** Administrators of the installation who are inside the instance's organization. */
export async function listOpenEntries(
  db: Db,
  proof: InstanceProof<'grant.read' | 'grant.update'>,
  now: Date,
): Promise<{ name: string; email: string; expiresAt: Date }[]> {
  const rows = await db
    .selectFrom('tenant_entry as e')
    .innerJoin('app_user as u', 'u.id', 'e.user_id')
    .select(['u.name', 'u.email', 'e.expires_at'])
    .where('e.organization_id', '=', proof.organization)
    .where('e.ended_at', 'is', null)
    .where('e.expires_at', '>', now)
    .where('u.platform_admin', '=', true)
    .orderBy('e.id')
    .execute();
  return rows.map((row) => ({ name: row.name, email: row.email, expiresAt: row.expires_at }));
}
