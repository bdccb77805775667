/**
 * Operations and their steps. Written by the app layer (accepting) and by the workflow engine (running); every change
 * writes an outbox hint in the same transaction so that consoles and the CLI follow along.
 */

import { type RawBuilder, sql } from 'kysely';
import type { ErrorCode } from '#domain/errors.ts';
import type { ImageId, InstanceId, OperationId, ProjectId } from '#domain/ids.ts';
import type { OperationKind, OperationState, StepState } from '#domain/operations.ts';
import type { InstanceProof } from './authorized.ts';
import { type Db, hintsCommitted, type Trx, withoutWaiting } from './database.ts';
import {
  type NewOperation,
  type OperationRecord,
  type OperationStepRecord,
  type OperationWithSteps,
  rowToOperation,
} from './operation-rows.ts';
import { emit } from './outbox.ts';

export type { OperationRecord, OperationWithSteps } from './operation-rows.ts';

/** Operations kept per page, and how many finished ones the usual duration is taken from. */
export const USUAL_SAMPLE = 21;

/** Writes the operation with its steps, all pending. */
export async function insert(
  tx: Trx,
  operation: NewOperation,
  steps: readonly { name: string; title: string }[],
  now: number,
): Promise<void> {
  await tx
    .insertInto('operation')
    .values({
      id: operation.id,
      kind: operation.kind,
      title: operation.title,
      state: 'pending',
      organization_id: operation.organization,
      project_id: operation.project,
      instance_id: operation.instance,
      image_id: operation.image,
      target: operation.target,
      actor_kind: operation.actorKind,
      actor_id: operation.actorId,
      actor: operation.actor,
      request_id: operation.requestId,
      input: JSON.stringify(operation.input),
      created_at: new Date(now),
    })
    .execute();
  await tx
    .insertInto('operation_step')
    .values(
      steps.map((step, seq) => ({
        operation_id: operation.id,
        seq,
        name: step.name,
        title: step.title,
        state: 'pending' as const,
      })),
    )
    .execute();
  await hint(tx, operation, 1);
}

export async function find(db: Db, id: OperationId): Promise<OperationRecord | null> {
  const row = await db.selectFrom('operation').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : rowToOperation(row);
}

/** The operation is taken up: pending -> running; nothing when it runs already. */
export async function begin(db: Db, operation: OperationRecord, now: number): Promise<void> {
  await db
    .updateTable('operation')
    .set({ state: 'running', started_at: new Date(now) })
    .where('id', '=', operation.id)
    .where('state', '=', 'pending')
    .execute();
}

export async function stepStarted(db: Db, operation: OperationRecord, seq: number, now: number): Promise<void> {
  await changeStep(
    db,
    operation,
    seq,
    sql`state = 'running', started_at = coalesce(started_at, ${new Date(now)}), finished_at = null,
        attempts = attempts + 1, message = null`,
  );
}

export async function stepProgress(
  db: Db,
  operation: OperationRecord,
  seq: number,
  percent: number | null,
  message: string | null,
): Promise<void> {
  await changeStep(db, operation, seq, sql`percent = ${percent}::real, message = ${message}::text`);
}

export async function stepFinished(
  db: Db,
  operation: OperationRecord,
  seq: number,
  state: StepState,
  message: string | null,
  now: number,
): Promise<void> {
  await changeStep(
    db,
    operation,
    seq,
    sql`state = ${state}, finished_at = ${new Date(now)}, message = coalesce(${message}::text, message),
        percent = case when ${state === 'succeeded'}::boolean then 100 else percent end`,
  );
}

/** State of one step of an operation, by name. */
export async function stepState(db: Db, id: OperationId, name: string): Promise<StepState | null> {
  const row = await db
    .selectFrom('operation_step')
    .select('state')
    .where('operation_id', '=', id)
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.state ?? null;
}

/** Ends the operation. False when it had ended before: then nothing else may be done either. */
export async function finish(
  tx: Trx,
  operation: OperationRecord,
  error: { code: ErrorCode; message: string; stopped?: boolean } | null,
  now: number,
): Promise<boolean> {
  const stopped = error?.stopped === true;
  const ended = await tx
    .updateTable('operation')
    .set((eb) => ({
      state: error === null ? 'succeeded' : stopped ? 'stopped' : 'failed',
      finished_at: new Date(now),
      error_code: stopped ? null : (error?.code ?? null),
      error_message: stopped ? null : (error?.message ?? null),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', operation.id)
    .where('state', 'in', ['pending', 'running'])
    .returning('version')
    .executeTakeFirst();
  if (ended === undefined) return false;
  await tx
    .updateTable('operation_step')
    .set({ state: 'skipped' })
    .where('operation_id', '=', operation.id)
    .where('state', '=', 'pending')
    .execute();
  await hint(tx, operation, Number(ended.version));
  return true;
}

/** The operation, which nobody else changes before the end of `tx`. */
export async function lock(tx: Trx, id: OperationId): Promise<OperationRecord | null> {
  const row = await tx.selectFrom('operation').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  return row === undefined ? null : rowToOperation(row);
}

/** Writes down that somebody wants it to end; its run looks for this. */
export async function askToStop(tx: Trx, operation: OperationRecord, by: string, now: number): Promise<void> {
  const asked = await tx
    .updateTable('operation')
    .set((eb) => ({ stop_asked_at: new Date(now), stop_asked_by: by, version: eb('version', '+', 1) }))
    .where('id', '=', operation.id)
    .returning('version')
    .executeTakeFirstOrThrow();
  await hint(tx, operation, Number(asked.version));
}

/** Who wants it to end; null when nobody does. */
export async function stopAskedBy(db: Db, id: OperationId): Promise<string | null> {
  const row = await db.selectFrom('operation').select('stop_asked_by').where('id', '=', id).executeTakeFirst();
  return row?.stop_asked_by ?? null;
}

/** Those of these kinds that did not end yet, on one instance. */
export async function openOfInstance(
  db: Db,
  proof: InstanceProof,
  kinds: readonly OperationKind[],
): Promise<OperationRecord[]> {
  const rows = await db
    .selectFrom('operation')
    .selectAll()
    .where('instance_id', '=', proof.id)
    .where('kind', 'in', kinds)
    .where('state', 'in', ['pending', 'running'])
    .execute();
  return rows.map(rowToOperation);
}

/** Lets go of every instance that this operation holds. */
export async function releaseInstances(tx: Trx, operation: OperationId): Promise<void> {
  const released = await tx
    .updateTable('instance')
    .set((eb) => ({ operation_id: null, version: eb('version', '+', 1) }))
    .where('operation_id', '=', operation)
    .returning(['id', 'organization_id', 'project_id', 'version'])
    .execute();
  for (const row of released) {
    await emit(tx, {
      kind: 'instance',
      ref: row.id,
      organizationId: row.organization_id,
      projectId: row.project_id,
      instanceId: row.id,
      version: Number(row.version),
    });
  }
}

export type OperationFilter = {
  state?: OperationState | undefined;
  instance?: InstanceId | undefined;
  /** Id of the last operation of the page before. */
  before?: OperationId | undefined;
  limit: number;
};

/** Newest first; `project` null lists those that belong to no project. */
export async function list(db: Db, project: ProjectId | null, filter: OperationFilter): Promise<OperationWithSteps[]> {
  let query = db.selectFrom('operation').selectAll().orderBy('id', 'desc').limit(filter.limit);
  query = project === null ? query.where('project_id', 'is', null) : query.where('project_id', '=', project);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.instance !== undefined) query = query.where('instance_id', '=', filter.instance);
  if (filter.before !== undefined) query = query.where('id', '<', filter.before);
  const rows = await query.execute();
  return withSteps(db, rows.map(rowToOperation));
}

/** Adds the steps to operations, in one query. */
export async function withSteps(db: Db, found: readonly OperationRecord[]): Promise<OperationWithSteps[]> {
  if (found.length === 0) return [];
  const rows = await db
    .selectFrom('operation_step')
    .selectAll()
    .where(
      'operation_id',
      'in',
      found.map((operation) => operation.id),
    )
    .orderBy('seq')
    .execute();
  const steps = new Map<string, OperationStepRecord[]>();
  for (const row of rows) {
    const list = steps.get(row.operation_id) ?? [];
    steps.set(row.operation_id, list);
    list.push({
      name: row.name,
      title: row.title,
      state: row.state as StepState,
      startedAt: row.started_at,
      finishedAt: row.finished_at,
      attempts: row.attempts,
      percent: row.percent,
      message: row.message,
    });
  }
  return found.map((operation) => ({ ...operation, steps: steps.get(operation.id) ?? [] }));
}

/** Median seconds of the last finished operations of each kind. */
export async function usualSeconds(db: Db, kinds: readonly OperationKind[]): Promise<Map<OperationKind, number>> {
  const usual = new Map<OperationKind, number>();
  if (kinds.length === 0) return usual;
  const rows = await sql<{ kind: OperationKind; seconds: number }>`
    select kind, percentile_cont(0.5) within group (order by seconds) as seconds
      from unnest(${[...new Set(kinds)]}::text[]) as wanted(name)
     cross join lateral (
       select kind, extract(epoch from finished_at - created_at) as seconds
         from operation where kind = wanted.name and state = 'succeeded'
        order by id desc limit ${USUAL_SAMPLE}) as recent
     group by kind`.execute(db);
  for (const row of rows.rows) usual.set(row.kind, Number(row.seconds));
  return usual;
}

/** Operations that did not end yet, oldest first. */
export async function open(db: Db, olderThan: Date, limit: number): Promise<OperationRecord[]> {
  const rows = await db
    .selectFrom('operation')
    .selectAll()
    .where('state', 'in', ['pending', 'running'])
    .where('created_at', '<', olderThan)
    .orderBy('created_at')
    .limit(limit)
    .execute();
  return rows.map(rowToOperation);
}

/** The build that is under way for an image, if any. */
export async function openForImage(db: Db, image: ImageId): Promise<OperationWithSteps | null> {
  const row = await db
    .selectFrom('operation')
    .selectAll()
    .where('image_id', '=', image)
    .where('state', 'in', ['pending', 'running'])
    .where('kind', 'in', ['image.build', 'image.import', 'image.delete'])
    .orderBy('id', 'desc')
    .executeTakeFirst();
  if (row === undefined) return null;
  const [operation] = await withSteps(db, [rowToOperation(row)]);
  return operation ?? null;
}

/** One statement, because every step of every operation passes here: the step, the version, the hints. */
async function changeStep(
  db: Db,
  operation: OperationRecord,
  seq: number,
  assignments: RawBuilder<unknown>,
): Promise<void> {
  const image = operation.instance === null ? operation.image : null;
  await sql`
    with soon as ${withoutWaiting(db)}, step as (
      update operation_step set ${assignments} where operation_id = ${operation.id} and seq = ${seq}
    ), bumped as (
      update operation set version = version + 1 from soon where id = ${operation.id} and soon.set returning version
    )
    insert into outbox (kind, ref, organization_id, project_id, instance_id, version)
    select 'operation', ${operation.id}, ${operation.organization}, ${operation.project}, ${operation.instance}, version
      from bumped
    union all
    select 'image', ${image}::text, null, null, null, version from bumped where ${image}::text is not null`.execute(db);
  hintsCommitted(db);
}

async function hint(
  tx: Trx,
  operation: Pick<OperationRecord, 'id' | 'organization' | 'project' | 'instance' | 'image'>,
  version: number,
): Promise<void> {
  await emit(tx, {
    kind: 'operation',
    ref: operation.id,
    organizationId: operation.organization,
    projectId: operation.project,
    instanceId: operation.instance,
    version,
  });
  if (operation.image !== null && operation.instance === null) {
    await emit(tx, {
      kind: 'image',
      ref: operation.image,
      organizationId: null,
      projectId: null,
      instanceId: null,
      version,
    });
  }
}
