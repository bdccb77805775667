/** Domains of tenants' own: claims of names, and which of them DNS has proven. */
import { sql } from 'kysely';
import { coveringNames, type DomainProof, type DomainState } from '#domain/domains.ts';
import type { DomainId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type { ProjectProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type Domain = {
  id: DomainId;
  organization: OrganizationId;
  project: ProjectId;
  name: string;
  token: string;
  state: DomainState;
  proof: DomainProof | null;
  reason: string | null;
  pointsHere: boolean | null;
  createdAt: Date;
  createdBy: string;
  verifiedAt: Date | null;
  checkedAt: Date | null;
  failingSince: Date | null;
  expiresAt: Date | null;
  /** Whether a certificate for everything directly below it is wanted. */
  wildcard: boolean;
  version: number;
  /** Routes on it or on names below it. */
  routes: number;
};

const selected = (db: Db) =>
  db
    .selectFrom('domain as d')
    .innerJoin('app_user as u', 'u.id', 'd.created_by')
    .select((eb) => [
      'd.id',
      'd.organization_id as organization',
      'd.project_id as project',
      'd.name',
      'd.token',
      'd.state',
      'd.proof',
      'd.reason',
      'd.points_here as pointsHere',
      'd.created_at as createdAt',
      'u.name as createdBy',
      'd.verified_at as verifiedAt',
      'd.checked_at as checkedAt',
      'd.failing_since as failingSince',
      'd.expires_at as expiresAt',
      'd.wildcard',
      'd.version',
      eb
        .selectFrom('route')
        .select((route) => route.fn.countAll<number>().as('routes'))
        .whereRef('route.domain_id', '=', 'd.id')
        .as('routes'),
    ]);

type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];
const rowToDomain = (row: Row): Domain => ({ ...row, version: Number(row.version), routes: Number(row.routes ?? 0) });

export async function findDomain(db: Db, id: DomainId): Promise<Domain | null> {
  const row = await selected(db).where('d.id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToDomain(row);
}

export async function domainsOfProject(db: Db, proof: ProjectProof<'domain.read'>): Promise<Domain[]> {
  return (await selected(db).where('d.project_id', '=', proof.id).orderBy('d.name').execute()).map(rowToDomain);
}

/** Whose name `hostname` is: the most specific proven domain that covers it. Kept as it is until `trx` has ended. */
export async function lockOwnerOf(trx: Trx, hostname: string): Promise<{ id: DomainId; project: ProjectId } | null> {
  // Whoever is about to prove one of these names waits: see lockClaims.
  for (const name of coveringNames(hostname)) {
    await sql`select pg_advisory_xact_lock_shared(hashtextextended(${`domain ${name}`}, 0))`.execute(trx);
  }
  const row = await trx
    .selectFrom('domain')
    .select(['id', 'project_id as project'])
    .where('name', 'in', coveringNames(hostname))
    .where('state', '=', 'verified')
    .orderBy(sql`length(name)`, 'desc')
    .limit(1)
    .forShare()
    .executeTakeFirst();
  return row ?? null;
}

/** Locks the project's claims against others being made, and counts them. */
export async function lockDomains(trx: Trx, proof: ProjectProof<'domain.create'>): Promise<number> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`domains ${proof.id}`}, 0))`.execute(trx);
  const { count } = await trx
    .selectFrom('domain')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('project_id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Null when the project has claimed the name already; the transaction stays usable. */
export async function insertDomain(
  trx: Trx,
  proof: ProjectProof<'domain.create'>,
  domain: { id: DomainId; name: string; token: string; createdBy: UserId; expiresAt: Date },
  now: Date,
): Promise<Domain | null> {
  const row = await trx
    .insertInto('domain')
    .values({
      id: domain.id,
      organization_id: proof.organization,
      project_id: proof.id,
      name: domain.name,
      token: domain.token,
      created_by: domain.createdBy,
      created_at: now,
      check_at: now,
      expires_at: domain.expiresAt,
    })
    .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return null;
  await domainHint(trx, { id: domain.id, organization: proof.organization, project: proof.id, version: 1 });
  return findDomain(trx, domain.id);
}

/** Locks one row; null when it is gone. */
export async function lockDomain(trx: Trx, id: DomainId): Promise<Domain | null> {
  await trx.selectFrom('domain').select('id').where('id', '=', id).forUpdate().executeTakeFirst();
  return findDomain(trx, id);
}

/** Makes everybody who wants to settle whose `name` is wait; what it answers stays true until `trx` has ended. */
export async function lockClaims(trx: Trx, name: string): Promise<Domain[]> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`domain ${name}`}, 0))`.execute(trx);
  return (await selected(trx).where('d.name', '=', name).orderBy('d.id').execute()).map(rowToDomain);
}

/** True when another project has a route on `name` or on a name below it. */
export async function usedElsewhere(trx: Trx, name: string, project: ProjectId): Promise<boolean> {
  const row = await trx
    .selectFrom('route')
    .select('id')
    .where('project_id', '<>', project)
    .where(({ eb, or }) => or([eb('hostname', '=', name), eb('hostname', 'like', `%.${name}`)]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export type DomainChange = {
  state?: DomainState;
  proof?: DomainProof | null;
  reason?: string | null;
  pointsHere?: boolean | null;
  verifiedAt?: Date | null;
  checkedAt?: Date;
  checkAt?: Date;
  failingSince?: Date | null;
  expiresAt?: Date | null;
};

/** Writes what changed; consoles hear of it only when `shown` (a check that found all as before says nothing new). */
export async function updateDomain(trx: Trx, domain: Domain, change: DomainChange, shown: boolean): Promise<void> {
  const { pointsHere, verifiedAt, checkedAt, checkAt, failingSince, expiresAt, ...same } = change;
  const row = await trx
    .updateTable('domain')
    .set((eb) => ({
      ...same,
      ...(pointsHere === undefined ? {} : { points_here: pointsHere }),
      ...(verifiedAt === undefined ? {} : { verified_at: verifiedAt }),
      ...(checkedAt === undefined ? {} : { checked_at: checkedAt }),
      ...(checkAt === undefined ? {} : { check_at: checkAt }),
      ...(failingSince === undefined ? {} : { failing_since: failingSince }),
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', domain.id)
    .returning('version')
    .executeTakeFirst();
  if (row !== undefined && shown) await domainHint(trx, { ...domain, version: Number(row.version) });
}

/** False when it was gone already, or a route hangs on it. */
export async function deleteDomain(trx: Trx, domain: Domain): Promise<boolean> {
  const row = await trx
    .deleteFrom('domain')
    .where('id', '=', domain.id)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('route').select('route.id').where('route.domain_id', '=', domain.id))),
    )
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await domainHint(trx, { ...domain, version: domain.version + 1 });
  return true;
}

/** Domains whose time to be looked at has come, those that waited longest first. */
export async function dueDomains(db: Db, now: Date, limit: number): Promise<DomainId[]> {
  const rows = await db
    .selectFrom('domain')
    .select('id')
    .where('check_at', '<=', now)
    .orderBy('check_at')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

/** Claims that were not proven in time. */
export async function expiredClaims(db: Db, now: Date, limit: number): Promise<DomainId[]> {
  const rows = await db
    .selectFrom('domain')
    .select('id')
    .where('state', '=', 'pending')
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

/** Host names under the platform domain that lead to instances of the project: what an alias may name. */
export async function isProjectHostname(db: Db, project: ProjectId, hostname: string): Promise<boolean> {
  const row = await db
    .selectFrom('route')
    .select('id')
    .where('project_id', '=', project)
    .where('hostname', '=', hostname)
    .where('domain_id', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function domainHint(
  trx: Trx,
  domain: Pick<Domain, 'id' | 'organization' | 'project' | 'version'>,
): Promise<void> {
  await emit(trx, {
    kind: 'domain',
    ref: domain.id,
    organizationId: domain.organization,
    projectId: domain.project,
    version: domain.version,
  });
}
