/** What was seen of the certificates of host names. */
import { sql } from 'kysely';
import type { InstanceId, OrganizationId, ProjectId, RouteId } from '#domain/ids.ts';
import { type Db, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

export type CertificateState = 'valid' | 'none';
export type CertificateLook = {
  state: CertificateState;
  issuer: string | null;
  expiresAt: Date | null;
  problem: string | null;
};

/** Writes what was seen; consoles hear of it when it differs from what was seen before. */
export async function recordCertificate(db: Db, hostname: string, seen: CertificateLook, at: Date): Promise<void> {
  await transact(db, async (trx) => {
    const before = await trx.selectFrom('certificate').selectAll().where('hostname', '=', hostname).executeTakeFirst();
    const row = {
      state: seen.state,
      issuer: seen.issuer,
      expires_at: seen.expiresAt,
      problem: seen.problem,
      checked_at: at,
    };
    await trx
      .insertInto('certificate')
      .values({ hostname, ...row })
      .onConflict((conflict) => conflict.column('hostname').doUpdateSet(row))
      .execute();
    const isSame =
      before?.state === seen.state &&
      before.problem === seen.problem &&
      before.expires_at?.getTime() === seen.expiresAt?.getTime();
    if (!isSame) await hintRoutes(trx, hostname);
  });
}

async function hintRoutes(trx: Trx, hostname: string): Promise<void> {
  const routes = await trx
    .selectFrom('route')
    .select(['id', 'organization_id', 'project_id', 'instance_id', 'version'])
    .where('hostname', '=', hostname)
    .execute();
  for (const route of routes) {
    await emit(trx, {
      kind: 'route',
      ref: route.id as RouteId,
      organizationId: route.organization_id as OrganizationId,
      projectId: route.project_id as ProjectId,
      instanceId: route.instance_id as InstanceId,
      version: Number(route.version),
    });
  }
}

/**
 * Host names on proven domains that lead here and were not looked at since `goodBefore` (or `badBefore`, when there was
 * no certificate), those that waited longest first.
 */
export async function certificatesToLookAt(
  db: Db,
  goodBefore: Date,
  badBefore: Date,
  limit: number,
): Promise<string[]> {
  const { rows } = await sql<{ hostname: string }>`
    select r.hostname from route r
      join domain d on d.id = r.domain_id and d.state = 'verified' and d.points_here
      left join certificate c on c.hostname = r.hostname
     where r.enabled and (c.hostname is null or c.checked_at < case c.state when 'valid' then ${goodBefore}::timestamptz
       else ${badBefore}::timestamptz end)
     group by r.hostname order by min(c.checked_at) nulls first limit ${limit}`.execute(db);
  return rows.map((row) => row.hostname);
}

/** Forgets what was seen of host names that no route has any more. */
export async function forgetCertificates(db: Db): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('certificate')
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('route').select('route.id').whereRef('route.hostname', '=', 'certificate.hostname'))),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}
