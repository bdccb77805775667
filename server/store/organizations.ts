/** Organizations, projects with their networks. */
import { sql } from 'kysely';
import { formatCidr4, nextSubnet4, parseCidr4, type Subnet4, subnet6 } from '#domain/addresses.ts';
import type { Action } from '#domain/authz.ts';
import type { OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import { defaultOrganizationQuota, defaultQuota } from '#domain/quotas.ts';
import type { OrganizationProof, ProjectProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { insertOrganizationQuota, insertProjectQuota } from './quotas.ts';

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

export async function updateOrganizationTitle(
  trx: Trx,
  proof: OrganizationProof<'organization.update'>,
  title: string,
): Promise<Organization> {
  const row = await trx
    .updateTable('organization')
    .set({ title })
    .where('id', '=', proof.id)
    .returning(['id', 'name', 'title', 'created_at'])
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'project', ref: proof.id, organizationId: proof.id });
  return rowToOrganization(row);
}

export const PROJECTS_PER_ORGANIZATION_MAX = 100;

export async function listProjects(db: Db, proof: OrganizationProof<'organization.read'>): Promise<Project[]> {
  const rows = await db
    .selectFrom('project')
    .select(projectColumns)
    .where('organization_id', '=', proof.id)
    .orderBy('name')
    .limit(PROJECTS_PER_ORGANIZATION_MAX)
    .execute();
  return rows.map(rowToProject);
}

/** Projects of everything the person belongs to. */
export async function listOwnProjects(db: Db, userId: UserId): Promise<Project[]> {
  const rows = await db
    .selectFrom('project as p')
    .innerJoin('membership as m', 'm.organization_id', 'p.organization_id')
    .select(['p.id', 'p.organization_id', 'p.name', 'p.title', 'p.created_at'])
    .where('m.user_id', '=', userId)
    .orderBy('p.name')
    .orderBy('p.id')
    .limit(1000)
    .execute();
  return rows.map(rowToProject);
}

export async function getProject(db: Db, proof: ProjectProof<Action>): Promise<Project> {
  const row = await db
    .selectFrom('project')
    .select(projectColumns)
    .where('id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return rowToProject(row);
}

export async function countProjects(trx: Trx, organizationId: OrganizationId): Promise<number> {
  await trx.selectFrom('organization').select('id').where('id', '=', organizationId).forUpdate().execute();
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
