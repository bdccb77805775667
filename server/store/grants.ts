/** The registry of app permissions: who may use which app (person or group x instance), and the apps a person may open. */
import { sql } from 'kysely';
import type { GrantPermission, Role } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import type { GrantId, GroupId, InstanceId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import type { OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { tellMembers } from './groups.ts';
import { grantsHeld, rolesHeld } from './held.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';

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

/** Nobody else changes grants of the organization until the transaction ends. */
export async function lockRegistry(trx: Trx, organization: OrganizationId): Promise<void> {
  await trx.selectFrom('organization').select('id').where('id', '=', organization).forUpdate().execute();
}

/** Locks the organization's registry against other changes; the names of those of `apps` that belong to it, and its size. */
export async function lockGrants(
  trx: Trx,
  proof: OrganizationProof<'grant.update'>,
  apps: readonly InstanceId[],
): Promise<{ names: Map<InstanceId, string>; count: number }> {
  await lockRegistry(trx, proof.id);
  const rows = await trx
    .selectFrom('instance')
    .select(['id', 'name'])
    .where('organization_id', '=', proof.id)
    .where('id', 'in', apps)
    .execute();
  const { count } = await trx
    .selectFrom('app_grant')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return { names: new Map(rows.map((row) => [row.id, row.name])), count };
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

/** Sets what `subject` may do with `app` (nothing: takes the grant away) and answers what it was before. */
export async function setGrant(
  trx: Trx,
  proof: OrganizationProof<'grant.update'>,
  grant: { id: GrantId; app: InstanceId; subject: UserId | GroupId; permissions: readonly GrantPermission[] },
): Promise<GrantPermission[]> {
  const user = grant.subject.startsWith('usr_') ? (grant.subject as UserId) : null;
  const old = await trx
    .deleteFrom('app_grant')
    .where('organization_id', '=', proof.id)
    .where('app', '=', grant.app)
    .where('subject', '=', grant.subject)
    .returning('permissions')
    .executeTakeFirst();
  if (grant.permissions.length > 0) {
    await trx
      .insertInto('app_grant')
      .values({
        id: grant.id,
        organization_id: proof.id,
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
    if (subject.startsWith('grp_')) await tellMembers(trx, organizationId, subject as GroupId);
    else await emit(trx, { kind: 'member', ref: subject, organizationId });
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
