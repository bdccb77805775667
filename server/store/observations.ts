/**
 * What was seen of an instance at its engine. Only the watchers and workflow steps that looked write here. `at` is the
 * moment before the look: an older look never overwrites a newer one.
 */
import { type RawBuilder, sql } from 'kysely';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import type { HealthCheck, HealthState, ObservedState } from '#domain/instances.ts';
import type { Size } from '#domain/sizes.ts';
import { type Db, hintsCommitted, json, transact, withoutWaiting } from './database.ts';
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
  const observed: ObservedState = seen === null ? 'absent' : seen.state;
  const startedAt = seen?.startedAt == null ? null : new Date(seen.startedAt);
  // What does not run has no health; what starts anew must show it again.
  const lively = observed === 'running' || observed === 'paused';
  const usage = {
    memoryBytes: seen?.memoryUsedBytes ?? null,
    diskBytes: seen?.diskUsedBytes ?? null,
    processes: seen?.processes ?? null,
  };
  const assignments = sql`
    observed = ${observed}, observed_at = ${new Date(at)}, started_at = ${startedAt}::timestamptz,
    observed_size = ${sizeJson(seen)}::jsonb, usage = ${json(usage)}::jsonb,
    health = case when ${lively}::boolean then i.health else 'unknown' end,
    health_checks = case when ${lively}::boolean then i.health_checks else '[]' end`;
  const changed = sql`
    old.observed is distinct from ${observed} or old.observed_size is distinct from ${sizeJson(seen)}::jsonb
    or old.started_at is distinct from ${startedAt}::timestamptz`;
  return write(db, id, sql`(observed_at is null or observed_at <= ${new Date(at)})`, assignments, changed);
}

/** Writes a health report; true when its state or a check's state changed. */
export async function recordHealth(
  db: Db,
  id: InstanceId,
  report: { state: HealthState; checks: HealthCheck[] },
  at: number,
): Promise<boolean> {
  const digest = json(report.checks.map((check) => [check.name, check.state]));
  const assignments = sql`
    health = ${report.state}, health_checks = ${json(report.checks)}::jsonb, health_at = ${new Date(at)}`;
  const changed = sql`
    old.health is distinct from ${report.state}
    or coalesce(
         (select jsonb_agg(jsonb_build_array(c->'name', c->'state')) from jsonb_array_elements(old.health_checks) c),
         '[]') is distinct from ${digest}::jsonb`;
  return write(db, id, sql`(health_at is null or health_at <= ${new Date(at)})`, assignments, changed);
}

/** One statement under the row's lock: this runs for every look at every instance. */
async function write(
  db: Db,
  id: InstanceId,
  newer: RawBuilder<unknown>,
  assignments: RawBuilder<unknown>,
  changed: RawBuilder<unknown>,
): Promise<boolean> {
  const result = await sql<{ ref: string }>`
    with soon as ${withoutWaiting(db)}, old as (
      select * from instance where id = ${id} and ${newer} for update
    ), told as (
      select (${changed}) as changed from old
    ), written as (
      update instance i set ${assignments}, version = i.version + (case when told.changed then 1 else 0 end)
        from told, soon where i.id = ${id} and soon.set
      returning i.organization_id, i.project_id, i.version, told.changed
    )
    insert into outbox (kind, ref, organization_id, project_id, instance_id, version)
    select 'instance', ${id}, organization_id, project_id, ${id}, version from written where changed
    returning ref`.execute(db);
  if (result.rows.length === 0) return false;
  hintsCommitted(db);
  return true;
}

function sizeJson(seen: Seen): string | null {
  return seen?.size == null ? null : json(seen.size);
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
