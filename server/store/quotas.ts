/**
 * Quota is counted in one row per project and one per organization. Reserving is one statement with two conditional
 * UPDATEs, the project's first: PostgreSQL locks the rows, so however many creates race, both limits hold. What counts
 * when: `creating` and `ready` instances count fully; archived ones (and those being purged) keep only their disk;
 * failed ones nothing. Primary routes do not count. An instance that moves to another project counts in both until it is
 * there, in its organization once when it does not leave it.
 */
import { type RawBuilder, sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import { mapQuota, overrun, type Quota, type QuotaResource, quotaResources } from '#domain/quotas.ts';
import type { Authorized, OrganizationProof, ProjectProof } from './authorized.ts';
import { type Db, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

const columns: Record<QuotaResource, string> = {
  instances: 'instances',
  desktops: 'desktops',
  servers: 'servers',
  cpus: 'cpus',
  memoryBytes: 'memory_bytes',
  diskBytes: 'disk_bytes',
  routes: 'routes',
  snapshots: 'snapshots',
  portForwards: 'port_forwards',
  backups: 'backups',
  backupBytes: 'backup_bytes',
};

const words: Record<QuotaResource, string> = {
  instances: 'instances',
  desktops: 'desktops',
  servers: 'servers',
  cpus: 'CPUs',
  memoryBytes: 'memory',
  diskBytes: 'disk',
  routes: 'routes',
  snapshots: 'snapshots',
  portForwards: 'port forwards',
  backups: 'backups',
  backupBytes: 'backup storage',
};

export type QuotaState = { limit: Quota; used: Quota };
type Kind = 'limit' | 'used';
type Row = Record<string, string | number>;

const column = (kind: Kind, resource: QuotaResource) => `${kind}_${columns[resource]}`;
const figures = (row: Row, prefix: string): Quota => mapQuota((resource) => Number(row[prefix + columns[resource]]));
const state = (row: Row): QuotaState => ({ limit: figures(row, 'limit_'), used: figures(row, 'used_') });

function assignments(value: (resource: QuotaResource) => RawBuilder<unknown>, kind: Kind = 'used') {
  return sql.join(quotaResources.map((resource) => sql`${sql.ref(column(kind, resource))} = ${value(resource)}`));
}

/** Rows for a new project or organization; the columns of `limit_...` with their values. */
function limitColumns(limit: Quota): Record<string, number> {
  return Object.fromEntries(quotaResources.map((resource) => [column('limit', resource), limit[resource]]));
}

type Touched = { project: OrganizationId | null; organization: OrganizationId | null };

/** Whether the organization counts too; not for what moves between two of its projects. */
type Reach = 'organization' | 'project';

/** Adds `use` to the project's row and its organization's, where `fits` allows; answers which of them were changed. */
async function add(
  tx: Trx,
  project: ProjectId,
  value: (alias: 'q' | 'o', resource: QuotaResource) => RawBuilder<unknown>,
  fits: (alias: 'q' | 'o') => RawBuilder<unknown>,
  reach: Reach,
): Promise<Touched> {
  // The second update reads the result of the first: the project's row is always locked before the organization's.
  const { rows } = await sql<Touched>`
    with p as (
      update quota q set ${assignments((resource) => value('q', resource))}
        from project r where q.project_id = ${project} and r.id = q.project_id and ${fits('q')}
      returning r.organization_id),
    o as (
      update organization_quota o set ${assignments((resource) => value('o', resource))}
        from p where o.organization_id = p.organization_id and ${reach === 'organization'}::boolean and ${fits('o')}
      returning o.organization_id)
    select (select organization_id from p) as project, (select organization_id from o) as organization`.execute(tx);
  return rows[0] ?? { project: null, organization: null };
}

/** Takes `use` from the quotas of project and organization. Errors: quota_exceeded, naming whose and what is short. */
export async function reserveQuota(
  tx: Trx,
  project: ProjectId,
  use: Quota,
  reach: Reach = 'organization',
): Promise<void> {
  const touched = await add(
    tx,
    project,
    (alias, resource) => sql`${sql.ref(`${alias}.${column('used', resource)}`)} + ${use[resource]}::bigint`,
    (alias) =>
      sql.join(
        quotaResources.map((resource) => {
          const used = sql.ref(`${alias}.${column('used', resource)}`);
          const limit = sql.ref(`${alias}.${column('limit', resource)}`);
          return sql`(${use[resource]}::bigint <= 0 or ${used} + ${use[resource]}::bigint <= ${limit})`;
        }),
        sql` and `,
      ),
    reach,
  );
  if (touched.project !== null && (touched.organization !== null || reach === 'project')) {
    await quotaHint(tx, touched.project, project);
    return;
  }
  throw await exceeded(tx, project, use, touched.project === null ? 'project' : 'organization');
}

async function exceeded(tx: Trx, project: ProjectId, use: Quota, whose: 'project' | 'organization') {
  const found =
    whose === 'project'
      ? await tx.selectFrom('quota').selectAll().where('project_id', '=', project).executeTakeFirst()
      : await tx
          .selectFrom('organization_quota as o')
          .innerJoin('project as p', 'p.organization_id', 'o.organization_id')
          .selectAll('o')
          .where('p.id', '=', project)
          .executeTakeFirst();
  if (found === undefined) return new BerthError('internal', `The ${whose} has no quota.`);
  const { limit, used } = state(found as Row);
  // The organization's row may have been given what the first statement took; then it is simply used up.
  const short = overrun(limit, used, use).map((resource) => words[resource]);
  return new BerthError(
    'quota_exceeded',
    short.length === 0
      ? `The ${whose}'s quota does not allow this.`
      : `The ${whose}'s quota has not enough ${short.join(' and ')} left.`,
  );
}

/** Gives back; never below zero (the auditor reports what did not add up). */
export async function releaseQuota(
  tx: Trx,
  project: ProjectId,
  use: Quota,
  reach: Reach = 'organization',
): Promise<void> {
  const { project: organization } = await add(
    tx,
    project,
    (alias, resource) =>
      sql`greatest(0, ${sql.ref(`${alias}.${column('used', resource)}`)} - ${use[resource]}::bigint)`,
    () => sql`true`,
    reach,
  );
  if (organization !== null) await quotaHint(tx, organization, project);
}

/** Quota of a new organization. */
export async function insertOrganizationQuota(trx: Trx, organization: OrganizationId, limit: Quota): Promise<void> {
  await trx
    .insertInto('organization_quota')
    .values({ organization_id: organization, ...limitColumns(limit) } as never)
    .execute();
}

/** Quota of a new project: `limit`, or what its organization may use where that is less. */
export async function insertProjectQuota(trx: Trx, organization: OrganizationId, project: ProjectId, limit: Quota) {
  const whole = await trx
    .selectFrom('organization_quota')
    .selectAll()
    .where('organization_id', '=', organization)
    .executeTakeFirstOrThrow();
  const most = state(whole as Row).limit;
  await trx
    .insertInto('quota')
    .values({
      project_id: project,
      ...limitColumns(mapQuota((resource) => Math.min(limit[resource], most[resource]))),
    } as never)
    .execute();
}

/** Limits and use of a project. */
export async function getQuota(db: Db, proof: ProjectProof<'quota.read'>, lock = false): Promise<QuotaState> {
  const row = await db
    .selectFrom('quota')
    .selectAll()
    .where('project_id', '=', proof.id)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirstOrThrow();
  return state(row as Row);
}

/** Limits and use of an organization. */
export async function getOrganizationQuota(
  db: Db,
  proof: Authorized<'organization', 'quota.read' | 'quota.update' | 'platform.quota.read' | 'platform.quota.update'>,
  lock = false,
): Promise<QuotaState> {
  const row = await db
    .selectFrom('organization_quota')
    .selectAll()
    .where('organization_id', '=', proof.organization)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirstOrThrow();
  return state(row as Row);
}

export type ProjectQuota = { project: { id: ProjectId; name: string; title: string } } & QuotaState;

/** Quotas of all projects of an organization, by name. There are at most PROJECTS_PER_ORGANIZATION_MAX. */
export async function listProjectQuotas(db: Db, proof: OrganizationProof<'quota.read'>): Promise<ProjectQuota[]> {
  const rows = await db
    .selectFrom('quota as q')
    .innerJoin('project as p', 'p.id', 'q.project_id')
    .selectAll('q')
    .select(['p.id', 'p.name', 'p.title'])
    .where('p.organization_id', '=', proof.id)
    .orderBy('p.name')
    .execute();
  return rows.map(({ id, name, title, ...row }) => ({ project: { id, name, title }, ...state(row as Row) }));
}

export async function updateQuotaLimits(
  trx: Trx,
  proof: ProjectProof<'quota.read'>,
  organization: OrganizationProof<'quota.update'>,
  limit: Quota,
): Promise<void> {
  if (organization.id !== proof.organization)
    throw new BerthError('internal', 'The project is of another organization.');
  await trx
    .updateTable('quota')
    .set(limitColumns(limit) as never)
    .where('project_id', '=', proof.id)
    .execute();
  await quotaHint(trx, proof.organization, proof.id);
}

export async function updateOrganizationQuotaLimits(
  trx: Trx,
  proof: Authorized<'organization', 'platform.quota.update'>,
  limit: Quota,
): Promise<void> {
  await trx
    .updateTable('organization_quota')
    .set(limitColumns(limit) as never)
    .where('organization_id', '=', proof.organization)
    .execute();
  await emit(trx, { kind: 'quota', ref: proof.organization, organizationId: proof.organization });
}

export type QuotaCorrection = {
  organization: OrganizationId;
  /** Null: the organization's own count was wrong. */
  project: ProjectId | null;
  before: Quota;
  after: Quota;
};

/**
 * Recounts every project and organization from their rows and corrects what differs; answers what was corrected. Under
 * the row locks of the quotas, so that reservations under way are seen fully or not at all.
 */
export async function recountQuotas(db: Db): Promise<QuotaCorrection[]> {
  return transact(db, async (tx) => {
    // Locks first, then counts: a create that committed before the lock is in the count, one after it waits.
    const projects = await sql<Row>`select q.*, p.organization_id from quota q join project p on p.id = q.project_id
      order by q.project_id for update of q`.execute(tx);
    const organizations = await sql<Row>`select * from organization_quota order by organization_id for update`.execute(
      tx,
    );
    const counted = await countUse(tx, sql`true`);
    // What moves between two projects of one organization counts in both projects, once in the organization.
    const once = await countUse(tx, sql`t.organization_id <> i.organization_id`);
    const corrections: QuotaCorrection[] = [];
    const sums = new Map<string, Quota>();
    const correct = async (row: Row, project: ProjectId | null, after: Quota): Promise<void> => {
      const before = figures(row, 'used_');
      if (quotaResources.every((resource) => before[resource] === after[resource])) return;
      const organization = row['organization_id'] as OrganizationId;
      const set = assignments((resource) => sql`${after[resource]}::bigint`);
      await (project === null
        ? sql`update organization_quota set ${set} where organization_id = ${organization}`
        : sql`update quota set ${set} where project_id = ${project}`
      ).execute(tx);
      await quotaHint(tx, organization, project);
      corrections.push({ organization, project, before, after });
    };
    for (const row of projects.rows) {
      const project = row['project_id'] as ProjectId;
      const real = figures(counted.get(project) ?? {}, '');
      const organization = String(row['organization_id']);
      const sum = sums.get(organization);
      const share = figures(once.get(project) ?? {}, '');
      sums.set(
        organization,
        mapQuota((resource) => (sum?.[resource] ?? 0) + share[resource]),
      );
      await correct(row, project, real);
    }
    for (const row of organizations.rows) {
      await correct(row, null, sums.get(String(row['organization_id'])) ?? mapQuota(() => 0));
    }
    return corrections;
  });
}

/** What is really there, per project, with those of the instances on their way there that `arriving` (i, t) selects. */
async function countUse(tx: Trx, arriving: RawBuilder<unknown>): Promise<Map<string, Row>> {
  const { rows } = await sql<Row>`
    with place as (
      select id as instance_id, project_id from instance
      union all
      select t.instance_id, t.project_id from instance_transfer t join instance i on i.id = t.instance_id
       where ${arriving}),
    kept as (
      select id as repository_id, project_id, stored_bytes + reserved_bytes as bytes from backup_repository
      union all
      select b.id, t.project_id, b.stored_bytes + b.reserved_bytes
        from instance_transfer t join instance i on i.id = t.instance_id
        join backup_repository b on b.instance_id = t.instance_id
       where ${arriving})
    select q.project_id,
           coalesce(i.instances, 0) as instances, coalesce(i.desktops, 0) as desktops,
           coalesce(i.servers, 0) as servers, coalesce(i.cpus, 0) as cpus,
           coalesce(i.memory_bytes, 0) as memory_bytes, coalesce(i.disk_bytes, 0) as disk_bytes,
           coalesce(r.routes, 0) as routes, coalesce(s.snapshots, 0) as snapshots,
           coalesce(f.port_forwards, 0) as port_forwards, coalesce(b.backups, 0) as backups,
           coalesce(k.backup_bytes, 0) as backup_bytes
      from quota q
      left join (
        select place.project_id,
               count(*) filter (where phase in ('creating', 'ready')) as instances,
               count(*) filter (where phase in ('creating', 'ready') and kind = 'desktop') as desktops,
               count(*) filter (where phase in ('creating', 'ready') and kind = 'server') as servers,
               sum(cpus) filter (where phase in ('creating', 'ready')) as cpus,
               sum(memory_bytes) filter (where phase in ('creating', 'ready')) as memory_bytes,
               sum(disk_bytes) filter (
                 where phase in ('creating', 'ready', 'archived') or (phase = 'purging' and archived_at is not null)
               ) as disk_bytes
          from place join instance on instance.id = place.instance_id group by place.project_id) i
        on i.project_id = q.project_id
      left join (select place.project_id, count(*) as routes from place join route using (instance_id)
        where not is_primary group by place.project_id) r on r.project_id = q.project_id
      left join (select place.project_id, count(*) as snapshots from place join snapshot using (instance_id)
        group by place.project_id) s on s.project_id = q.project_id
      left join (select place.project_id, count(*) as port_forwards from place join port_forward using (instance_id)
        group by place.project_id) f on f.project_id = q.project_id
      left join (select kept.project_id, count(*) as backups from kept join backup using (repository_id)
        group by kept.project_id) b on b.project_id = q.project_id
      left join (select project_id, sum(bytes) as backup_bytes from kept group by project_id) k
        on k.project_id = q.project_id`.execute(tx);
  return new Map(rows.map((row) => [String(row['project_id']), row]));
}

async function quotaHint(tx: Trx, organization: OrganizationId, project: ProjectId | null): Promise<void> {
  await emit(tx, { kind: 'quota', ref: project ?? organization, organizationId: organization, projectId: project });
}
