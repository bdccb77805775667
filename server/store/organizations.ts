/** Organizations, projects with their networks. */
import { sql } from 'kysely';
import { formatCidr4, nextSubnet4, parseCidr4, type Subnet4, subnet6 } from '#domain/addresses.ts';
import { type Action, type GrantPermission, highestRole, holdingMay, type Role } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { EntryId, OrganizationId, ProjectId } from '#domain/ids.ts';
import { defaultOrganizationQuota, defaultQuota } from '#domain/quotas.ts';
import type { Authorized, OrganizationProof, ProjectProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { grantsHeld, rolesHeld } from './held.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';
import { insertOrganizationQuota, insertProjectQuota } from './quotas.ts';
import { endServiceAccounts } from './service-accounts.ts';

export type Organization = { id: OrganizationId; name: string; title: string; createdAt: Date };
export type Project = { id: ProjectId; organization: OrganizationId; name: string; title: string; createdAt: Date };

function rowToOrganization(row: { id: OrganizationId; name: string; title: string; created_at: Date }): Organization {
  return { id: row.id, name: row.name, title: row.title, createdAt: row.created_at };
}

type ProjectRow = { id: ProjectId; organization_id: OrganizationId; name: string; title: string; created_at: Date };
const projectColumns = ['id', 'organization_id', 'name', 'title', 'created_at'] as const;

function rowToProject(row: ProjectRow): Project {
  return {
    id: row.id,
    organization: row.organization_id,
    name: row.name,
    title: row.title,
    createdAt: row.created_at,
  };
}

export async function getOrganization(db: Db, proof: OrganizationProof<Action>): Promise<Organization> {
  const row = await db
    .selectFrom('organization')
    .select(['id', 'name', 'title', 'created_at'])
    .where('id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return rowToOrganization(row);
}

/** Only at set-up and by platform administrators; the caller has checked which. Errors: unique violation of the name. */
export async function insertOrganization(
  trx: Trx,
  organization: { id: OrganizationId; name: string; title: string },
): Promise<Organization> {
  const row = await trx
    .insertInto('organization')
    .values(organization)
    .returning(['id', 'name', 'title', 'created_at'])
    .executeTakeFirstOrThrow();
  await insertOrganizationQuota(trx, organization.id, defaultOrganizationQuota);
  return rowToOrganization(row);
}

/** Errors: unique violation of the name. */
export async function updateOrganization(
  trx: Trx,
  proof: OrganizationProof<'organization.update'>,
  change: { name: string; title: string },
): Promise<Organization> {
  const row = await trx
    .updateTable('organization')
    .set(change)
    .where('id', '=', proof.id)
    .returning(['id', 'name', 'title', 'created_at'])
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'project', ref: proof.id, organizationId: proof.id });
  return rowToOrganization(row);
}

/**
 * Ends everything people hold there and marks the row; name and quota are free again, the audit log stays. The caller has
 * locked it with `countProjects` and found none.
 */
export async function deleteOrganization(
  trx: Trx,
  proof: OrganizationProof<'organization.delete'>,
  now: Date,
): Promise<void> {
  const { id } = proof;
  await trx
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('organization_id', '=', id)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
  await endServiceAccounts(trx, id, now);
  const left = await trx.deleteFrom('membership').where('organization_id', '=', id).returning('user_id').execute();
  const ended = await trx
    .updateTable('tenant_entry')
    .set({ ended_at: now, ended_by: proof.person.userId })
    .where('organization_id', '=', id)
    .where('ended_at', 'is', null)
    .returning('user_id')
    .execute();
  await trx.deleteFrom('user_group').where('organization_id', '=', id).execute();
  await trx.deleteFrom('organization_quota').where('organization_id', '=', id).execute();
  await trx.updateTable('organization').set({ deleted_at: now }).where('id', '=', id).execute();
  const people = new Set([...left, ...ended].map((row) => row.user_id));
  await emit(trx, { kind: 'project', ref: id, organizationId: id });
  await emit(trx, ...[...people].map((ref) => ({ kind: 'member' as const, ref, organizationId: id })));
}

export type OrganizationSummary = Organization & {
  members: number;
  projects: number;
  instances: number;
  use: { cpus: number; memoryBytes: number; diskBytes: number };
  /** The open one of who asks. */
  entry: { id: EntryId; reason: string; expiresAt: Date } | null;
};

/** All of them, by name, with how much is in them and nothing of what. */
export async function listOrganizations(
  db: Db,
  proof: Authorized<'platform', 'platform.organization.read'>,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: OrganizationSummary[]; nextCursor: string | null }> {
  const after = decodeTextCursor(page.cursor, /^[a-z0-9-]{1,100}$/);
  const pattern = `%${(page.search ?? '').replace(/[\\%_]/g, '\\$&')}%`;
  const people = sql<number>`(select count(*) from membership m join app_user u on u.id = m.user_id
    where m.organization_id = o.id and u.service_of is null)`;
  const count = (table: 'project' | 'instance') =>
    sql<number>`(select count(*) from ${sql.table(table)} c where c.organization_id = o.id)`;
  const rows = await db
    .selectFrom('organization as o')
    .leftJoin('organization_quota as q', 'q.organization_id', 'o.id')
    .leftJoin('tenant_entry as e', (join) =>
      join
        .onRef('e.organization_id', '=', 'o.id')
        .on('e.user_id', '=', proof.person.userId)
        .on('e.ended_at', 'is', null)
        .on('e.expires_at', '>', sql<Date>`now()`),
    )
    .select(['o.id', 'o.name', 'o.title', 'o.created_at', 'q.used_cpus', 'q.used_memory_bytes', 'q.used_disk_bytes'])
    .select(['e.id as entry', 'e.reason', 'e.expires_at'])
    .select([people.as('members'), count('project').as('projects'), count('instance').as('instances')])
    .where('o.deleted_at', 'is', null)
    .$if(page.search !== undefined, (query) =>
      query.where((eb) => eb.or([eb('o.name', 'ilike', pattern), eb('o.title', 'ilike', pattern)])),
    )
    .$if(after !== null, (query) => query.where('o.name', '>', after as string))
    .orderBy('o.name')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.name);
  const items = cut.rows.map((row) => ({
    ...rowToOrganization(row),
    members: row.members,
    projects: row.projects,
    instances: row.instances,
    use: {
      cpus: row.used_cpus ?? 0,
      memoryBytes: row.used_memory_bytes ?? 0,
      diskBytes: row.used_disk_bytes ?? 0,
    },
    entry:
      row.entry === null || row.reason === null || row.expires_at === null
        ? null
        : { id: row.entry, reason: row.reason, expiresAt: row.expires_at },
  }));
  return { items, nextCursor: cut.nextCursor };
}

export const PROJECTS_PER_ORGANIZATION_MAX = 100;

/** A project with the role that somebody has in it. */
export type ProjectWithRole = Project & { role: Role | null };

export async function listProjects(db: Db, proof: OrganizationProof<'organization.read'>): Promise<ProjectWithRole[]> {
  const rows = await db
    .selectFrom('project as p')
    .select(['p.id', 'p.organization_id', 'p.name', 'p.title', 'p.created_at'])
    .select(rolesHeld(proof.person.userId, sql`p.organization_id`, sql`p.id`).as('roles'))
    .where('p.organization_id', '=', proof.id)
    .orderBy('p.name')
    .limit(PROJECTS_PER_ORGANIZATION_MAX)
    .execute();
  return rows.map((row) => ({ ...rowToProject(row), role: highestRole(row.roles ?? []) }));
}

export const OWN_PROJECTS_MAX = 1_000;

/** Projects that the person may look into, or open something in, wherever they are. */
export async function listOwnProjects(db: Db, { userId }: Pick<PersonCaller, 'userId'>): Promise<ProjectWithRole[]> {
  const { rows } = await sql<ProjectRow & { roles: Role[] | null; permissions: GrantPermission[] | null }>`
    select p.id, p.organization_id, p.name, p.title, p.created_at,
           ${rolesHeld(userId, sql`p.organization_id`, sql`p.id`)} as roles,
           ${grantsHeld(userId, sql`a.instance_id in (select i.id from instance i where i.project_id = p.id)`)} as permissions
      from project p
     where p.organization_id in (
       select organization_id from membership where user_id = ${userId}
       union select organization_id from tenant_entry where user_id = ${userId} and ended_at is null)
     order by p.name, p.id limit ${OWN_PROJECTS_MAX}`.execute(db);
  const mayEnter = (row: (typeof rows)[number]) =>
    row.permissions !== null || holdingMay({ role: highestRole(row.roles ?? []), permissions: [] }, 'project.read');
  return rows.filter(mayEnter).map((row) => ({ ...rowToProject(row), role: highestRole(row.roles ?? []) }));
}

export async function getProject(db: Db, proof: ProjectProof<Action>): Promise<Project> {
  const row = await db
    .selectFrom('project')
    .select(projectColumns)
    .where('id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return rowToProject(row);
}

/** Errors: unique violation of (organization, name). */
export async function updateProject(
  trx: Trx,
  proof: ProjectProof<'project.update'>,
  change: { name: string; title: string },
): Promise<Project> {
  const row = await trx
    .updateTable('project')
    .set(change)
    .where('id', '=', proof.id)
    .returning(projectColumns)
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'project', ref: proof.id, organizationId: proof.organization, projectId: proof.id });
  return rowToProject(row);
}

/** Locks the project so that nothing is created in it, and counts its instances, with those on their way there; null when it is gone meanwhile. */
export async function lockProject(
  trx: Trx,
  proof: ProjectProof<'project.delete'>,
): Promise<(Project & { instances: number }) | null> {
  const row = await trx
    .selectFrom('project')
    .select(projectColumns)
    .where('id', '=', proof.id)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return null;
  const { count } = await trx
    .selectFrom('instance')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('project_id', '=', proof.id)
    .executeTakeFirstOrThrow();
  const { arriving } = await trx
    .selectFrom('instance_transfer')
    .select((eb) => eb.fn.countAll<number>().as('arriving'))
    .where('project_id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return { ...rowToProject(row), instances: count + arriving };
}

export async function deleteProject(trx: Trx, proof: ProjectProof<'project.delete'>): Promise<void> {
  await trx.deleteFrom('project').where('id', '=', proof.id).execute();
  await emit(trx, { kind: 'project', ref: proof.id, organizationId: proof.organization, projectId: proof.id });
}

/** Locks the organization. Errors: not_found when it was deleted meanwhile. */
export async function countProjects(trx: Trx, organizationId: OrganizationId): Promise<number> {
  const organization = await trx
    .selectFrom('organization')
    .select('id')
    .where('id', '=', organizationId)
    .where('deleted_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (organization === undefined) throw notFound('organization');
  const { count } = await trx
    .selectFrom('project')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_id', '=', organizationId)
    .executeTakeFirstOrThrow();
  return count;
}

/** Any fixed number; it names the lock under which networks are handed out. */
const NETWORK_LOCK = 6_273_002;
const NETWORK_INDEX_MAX = 65_535;

/**
 * Creates a project with a network of its own and a quota. `avoid` are ranges in use outside Berth; hosts' facts are
 * avoided as well. Null when the pool has no free network. Errors: unique violation of (organization, name).
 */
export async function insertProject(
  trx: Trx,
  project: { id: ProjectId; organizationId: OrganizationId; name: string; title: string },
  network: { pool4: string; prefix6: string; avoid: readonly string[] },
): Promise<Project | null> {
  await sql`select pg_advisory_xact_lock(${NETWORK_LOCK})`.execute(trx);
  const existing = await trx.selectFrom('project').select(['network_index', 'subnet4']).execute();
  const hosts = await trx.selectFrom('host').select('facts').execute();
  const outside = [...network.avoid, ...hosts.flatMap((host) => usedRanges(host.facts))];
  const taken: Subnet4[] = [
    ...existing.map((row) => parseCidr4(row.subnet4)),
    ...outside.flatMap((range) => parseOrNothing(range)),
  ];
  const subnet4 = nextSubnet4(parseCidr4(network.pool4), taken);
  const index = lowestFree(new Set(existing.map((row) => row.network_index)));
  if (subnet4 === null || index > NETWORK_INDEX_MAX) return null;
  const row = await trx
    .insertInto('project')
    .values({
      id: project.id,
      organization_id: project.organizationId,
      name: project.name,
      title: project.title,
      network_index: index,
      subnet4: formatCidr4(subnet4),
      subnet6: subnet6(network.prefix6, index),
    })
    .returning(projectColumns)
    .executeTakeFirstOrThrow();
  await insertProjectQuota(trx, project.organizationId, project.id, defaultQuota);
  await emit(trx, { kind: 'project', ref: project.id, organizationId: project.organizationId, projectId: project.id });
  return rowToProject(row);
}

function usedRanges(facts: unknown): string[] {
  if (typeof facts !== 'object' || facts === null || !('usedRanges4' in facts)) return [];
  return Array.isArray(facts.usedRanges4) ? facts.usedRanges4.filter((range) => typeof range === 'string') : [];
}

function parseOrNothing(range: string): Subnet4[] {
  try {
    return [parseCidr4(range)];
  } catch {
    return [];
  }
}

function lowestFree(taken: ReadonlySet<number>): number {
  let index = 0;
  while (taken.has(index)) index++;
  return index;
}
