/**
 * Quota is counted in one row per project. Reserving is one conditional UPDATE: PostgreSQL locks the row, so however many
 * creates race, the limit holds. What counts when: `creating` and `ready` instances count fully; archived ones (and those
 * being purged) keep only their disk; failed ones nothing. Primary routes do not count.
 */
import { sql } from 'kysely';
import { BerthError } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import { overrun, type Quota, type QuotaResource, quotaResources } from '#domain/quotas.ts';
import { type Db, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

const columns: Record<QuotaResource, string> = {
  instances: 'instances',
  cpus: 'cpus',
  memoryBytes: 'memory_bytes',
  diskBytes: 'disk_bytes',
  routes: 'routes',
  snapshots: 'snapshots',
};

const words: Record<QuotaResource, string> = {
  instances: 'instances',
  cpus: 'CPUs',
  memoryBytes: 'memory',
  diskBytes: 'disk',
  routes: 'routes',
  snapshots: 'snapshots',
};

/** Takes `use` from the project's quota. Errors: quota_exceeded, naming what is short. */
export async function reserveQuota(tx: Trx, project: ProjectId, use: Quota): Promise<void> {
  const taken = await sql`
    update quota set
      used_instances = used_instances + ${use.instances},
      used_cpus = used_cpus + ${use.cpus},
      used_memory_bytes = used_memory_bytes + ${use.memoryBytes},
      used_disk_bytes = used_disk_bytes + ${use.diskBytes},
      used_routes = used_routes + ${use.routes},
      used_snapshots = used_snapshots + ${use.snapshots}
    where project_id = ${project}
      and (${use.instances} <= 0 or used_instances + ${use.instances} <= limit_instances)
      and (${use.cpus} <= 0 or used_cpus + ${use.cpus} <= limit_cpus)
      and (${use.memoryBytes}::bigint <= 0 or used_memory_bytes + ${use.memoryBytes} <= limit_memory_bytes)
      and (${use.diskBytes}::bigint <= 0 or used_disk_bytes + ${use.diskBytes} <= limit_disk_bytes)
      and (${use.routes} <= 0 or used_routes + ${use.routes} <= limit_routes)
      and (${use.snapshots} <= 0 or used_snapshots + ${use.snapshots} <= limit_snapshots)`.execute(tx);
  if (taken.numAffectedRows === 1n) {
    await quotaHint(tx, project);
    return;
  }
  const { limit, used } = await quotaFigures(tx, project);
  const short = overrun(limit, used, use).map((resource) => words[resource]);
  throw new BerthError(
    'quota_exceeded',
    short.length === 0
      ? "The project's quota does not allow this."
      : `The project's quota has not enough ${short.join(' and ')} left.`,
  );
}

/** Gives back; never below zero (the auditor reports what did not add up). */
export async function releaseQuota(tx: Trx, project: ProjectId, use: Quota): Promise<void> {
  await sql`
    update quota set
      used_instances = greatest(0, used_instances - ${use.instances}),
      used_cpus = greatest(0, used_cpus - ${use.cpus}),
      used_memory_bytes = greatest(0, used_memory_bytes - ${use.memoryBytes}),
      used_disk_bytes = greatest(0, used_disk_bytes - ${use.diskBytes}),
      used_routes = greatest(0, used_routes - ${use.routes}),
      used_snapshots = greatest(0, used_snapshots - ${use.snapshots})
    where project_id = ${project}`.execute(tx);
  await quotaHint(tx, project);
}

/** Limits and use as counted. Errors: not_found when the project has no quota row. */
export async function quotaFigures(db: Db, project: ProjectId): Promise<{ limit: Quota; used: Quota }> {
  const row = await db.selectFrom('quota').selectAll().where('project_id', '=', project).executeTakeFirst();
  if (row === undefined) throw new BerthError('internal', 'The project has no quota.');
  const pick = (kind: 'limit' | 'used'): Quota => {
    const figures = row as unknown as Record<string, string | number>;
    return Object.fromEntries(
      quotaResources.map((resource) => [resource, Number(figures[`${kind}_${columns[resource]}`])]),
    ) as Quota;
  };
  return { limit: pick('limit'), used: pick('used') };
}

export type QuotaCorrection = { project: ProjectId; before: Quota; after: Quota };

/**
 * Recounts every project from its rows and corrects what differs; answers what was corrected. One statement under the
 * row locks of the quota, so that reservations under way are seen fully or not at all.
 */
export async function recountQuotas(db: Db): Promise<QuotaCorrection[]> {
  return transact(db, async (tx) => {
    // Locks first, then counts: a create that committed before the lock is in the count, one after it waits.
    const rows = await sql<Record<string, string>>`select * from quota order by project_id for update`.execute(tx);
    const counted = await sql<Record<string, string>>`
      select q.project_id,
             coalesce(i.instances, 0) as instances, coalesce(i.cpus, 0) as cpus,
             coalesce(i.memory_bytes, 0) as memory_bytes, coalesce(i.disk_bytes, 0) as disk_bytes,
             coalesce(r.routes, 0) as routes, coalesce(s.snapshots, 0) as snapshots
        from quota q
        left join (
          select project_id,
                 count(*) filter (where phase in ('creating', 'ready')) as instances,
                 sum(cpus) filter (where phase in ('creating', 'ready')) as cpus,
                 sum(memory_bytes) filter (where phase in ('creating', 'ready')) as memory_bytes,
                 sum(disk_bytes) filter (
                   where phase in ('creating', 'ready', 'archived') or (phase = 'purging' and archived_at is not null)
                 ) as disk_bytes
            from instance group by project_id) i on i.project_id = q.project_id
        left join (select project_id, count(*) as routes from route where not is_primary group by project_id) r
          on r.project_id = q.project_id
        left join (select project_id, count(*) as snapshots from snapshot group by project_id) s
          on s.project_id = q.project_id`.execute(tx);
    const corrections: QuotaCorrection[] = [];
    for (const row of rows.rows) {
      const real = counted.rows.find((other) => other['project_id'] === row['project_id']);
      if (real === undefined) continue;
      const figures = (source: Record<string, string>, prefix: string): Quota =>
        Object.fromEntries(
          quotaResources.map((resource) => [resource, Number(source[`${prefix}${columns[resource]}`])]),
        ) as Quota;
      const before = figures(row, 'used_');
      const after = figures(real, '');
      if (quotaResources.every((resource) => before[resource] === after[resource])) continue;
      const project = row['project_id'] as ProjectId;
      await tx
        .updateTable('quota')
        .set({
          used_instances: after.instances,
          used_cpus: after.cpus,
          used_memory_bytes: after.memoryBytes,
          used_disk_bytes: after.diskBytes,
          used_routes: after.routes,
          used_snapshots: after.snapshots,
        })
        .where('project_id', '=', project)
        .execute();
      await quotaHint(tx, project);
      corrections.push({ project, before, after });
    }
    return corrections;
  });
}

async function quotaHint(tx: Trx, project: ProjectId): Promise<void> {
  const row = await tx
    .selectFrom('project')
    .select('organization_id')
    .where('id', '=', project)
    .executeTakeFirstOrThrow();
  await emit(tx, {
    kind: 'quota',
    ref: project,
    organizationId: row.organization_id,
    projectId: project,
    instanceId: null,
    version: 1,
  });
}
