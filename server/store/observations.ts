/**
 * What was seen of an instance at its engine. Only the watchers and workflow steps that looked write here. `at` is the
 * moment before the look: an older look never overwrites a newer one.
 */
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import type { HealthCheck, HealthState, ObservedState } from '#domain/instances.ts';
import type { Size } from '#domain/sizes.ts';
import { type Db, json, transact } from './database.ts';
import type { InstanceRecord } from './instance-rows.ts';
import { instanceHint } from './instances.ts';

/** What matters of a driver's observation; null: the engine has no such guest. */
export type Seen = {
  state: ObservedState;
  size: Size | null;
  memoryUsedBytes: number | null;
  diskUsedBytes: number | null;
  processes: number | null;
  startedAt: string | null;
} | null;

/** Writes what was seen; true when something that people see changed (then the version goes up and consoles hear it). */
export async function recordObservation(db: Db, id: InstanceId, seen: Seen, at: number): Promise<boolean> {
  return transact(db, async (tx) => {
    const row = await tx
      .selectFrom('instance')
      .select([
        'id',
        'organization_id',
        'project_id',
        'observed',
        'observed_at',
        'observed_size',
        'started_at',
        'health',
        'version',
      ])
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined || (row.observed_at !== null && row.observed_at.getTime() > at)) return false;
    const observed: ObservedState = seen === null ? 'absent' : seen.state;
    const startedAt = seen?.startedAt == null ? null : new Date(seen.startedAt);
    const lively = observed === 'running' || observed === 'paused';
    const changed =
      observed !== row.observed ||
      !sameSize(seen?.size ?? null, row.observed_size) ||
      (startedAt?.getTime() ?? 0) !== (row.started_at?.getTime() ?? 0);
    await tx
      .updateTable('instance')
      .set((eb) => ({
        observed,
        observed_at: new Date(at),
        observed_size: seen?.size == null ? null : json(seen.size),
        started_at: startedAt,
        usage: json({
          memoryBytes: seen?.memoryUsedBytes ?? null,
          diskBytes: seen?.diskUsedBytes ?? null,
          processes: seen?.processes ?? null,
        }),
        // What does not run has no health; what starts anew must show it again.
        ...(lively ? {} : { health: 'unknown' as const, health_checks: '[]' }),
        version: changed ? eb('version', '+', 1) : eb.ref('version'),
      }))
      .where('id', '=', id)
      .execute();
    if (changed) {
      await instanceHint(tx, {
        id: row.id,
        organization: row.organization_id,
        project: row.project_id,
        version: row.version + 1,
      });
    }
    return changed;
  });
}

/** Writes a health report; true when its state or a check's state changed. */
export async function recordHealth(
  db: Db,
  id: InstanceId,
  report: { state: HealthState; checks: HealthCheck[] },
  at: number,
): Promise<boolean> {
  return transact(db, async (tx) => {
    const row = await tx
      .selectFrom('instance')
      .select(['id', 'organization_id', 'project_id', 'health', 'health_checks', 'health_at', 'observed', 'version'])
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined || (row.health_at !== null && row.health_at.getTime() > at)) return false;
    const digest = (checks: readonly HealthCheck[]) => checks.map((check) => `${check.name}=${check.state}`).join();
    const changed = row.health !== report.state || digest(row.health_checks) !== digest(report.checks);
    await tx
      .updateTable('instance')
      .set((eb) => ({
        health: report.state,
        health_checks: json(report.checks),
        health_at: new Date(at),
        version: changed ? eb('version', '+', 1) : eb.ref('version'),
      }))
      .where('id', '=', id)
      .execute();
    if (changed) {
      await instanceHint(tx, {
        id: row.id,
        organization: row.organization_id,
        project: row.project_id,
        version: row.version + 1,
      });
    }
    return changed;
  });
}

/** What differs from what is wanted (null: nothing), how often a repair was tried, and when the next may be. */
export async function recordDrift(
  db: Db,
  instance: InstanceRecord,
  drift: { text: string | null; attempts: number; repairAfter: Date | null },
): Promise<void> {
  const same =
    instance.drift === drift.text &&
    instance.repairAttempts === drift.attempts &&
    (instance.repairAfter?.getTime() ?? 0) === (drift.repairAfter?.getTime() ?? 0);
  if (same) return;
  await transact(db, async (tx) => {
    const row = await tx
      .updateTable('instance')
      .set((eb) => ({
        drift: drift.text,
        repair_attempts: drift.attempts,
        repair_after: drift.repairAfter,
        version: eb('version', '+', 1),
      }))
      .where('id', '=', instance.id)
      .returning('version')
      .executeTakeFirst();
    if (row !== undefined) await instanceHint(tx, { ...instance, version: row.version });
  });
}

/** Subnets of a project's network. */
export async function projectNetwork(
  db: Db,
  project: ProjectId,
): Promise<{ name: string; subnet4: string; subnet6: string } | null> {
  const row = await db
    .selectFrom('project')
    .select(['name', 'subnet4', 'subnet6'])
    .where('id', '=', project)
    .executeTakeFirst();
  return row ?? null;
}

function sameSize(a: Size | null, b: Size | null): boolean {
  if (a === null || b === null) return a === b;
  return a.cpus === b.cpus && a.memoryBytes === b.memoryBytes && a.diskBytes === b.diskBytes;
}
