/** Operations as people see them, and the shared way of accepting one. */
import { createHash } from 'node:crypto';
import type { Instance } from '#contract/instances.ts';
import type { Operation } from '#contract/operations.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { type InstanceId, isId, type OperationId, type ProjectId } from '#domain/ids.ts';
import { isFinished, isStoppable, type OperationState } from '#domain/operations.ts';
import { describeActor, record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { rememberKey, takeKey } from '#server/store/idempotency.ts';
import type { OperationRecord, OperationWithSteps } from '#server/store/operations.ts';
import * as store from '#server/store/operations.ts';
import { authorize, authorizePlatform, requirePerson } from './authorize.ts';
import type { AppContext } from './context.ts';

export type Accepted = { operation: Operation; instance: Instance | null };

function iso(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}

/** As the API shows it. */
export function presentStop({ stop }: Pick<OperationRecord, 'stop'>): Operation['stop'] {
  return stop === null ? null : { by: stop.by, at: stop.at.toISOString() };
}

export function presentOperation(operation: OperationWithSteps, usualSeconds: number | null): Operation {
  return {
    id: operation.id,
    kind: operation.kind,
    title: operation.title,
    state: operation.state,
    project: operation.project,
    instance: operation.instance,
    target: operation.target,
    actor: operation.actor,
    createdAt: operation.createdAt.toISOString(),
    startedAt: iso(operation.startedAt),
    finishedAt: iso(operation.finishedAt),
    steps: operation.steps.map((step) => ({
      name: step.name,
      title: step.title,
      state: step.state,
      startedAt: iso(step.startedAt),
      finishedAt: iso(step.finishedAt),
      attempts: step.attempts,
      percent: step.percent,
      message: step.message,
    })),
    error: operation.error,
    stop: presentStop(operation),
    stoppable: isStoppable(operation.kind),
    usualSeconds,
  };
}

async function present(app: AppContext, found: OperationWithSteps[]): Promise<Operation[]> {
  const usual = await store.usualSeconds(
    app.db,
    found.map((operation) => operation.kind),
  );
  return found.map((operation) => presentOperation(operation, usual.get(operation.kind) ?? null));
}

export type Page<T> = { items: T[]; nextCursor: string | null };

/** One page out of one row more than was asked for. */
export function pageOf<T>(items: T[], limit: number, cursor: (item: T) => string): Page<T> {
  if (items.length <= limit) return { items, nextCursor: null };
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return { items: page, nextCursor: last === undefined ? null : cursor(last) };
}

/** A cursor is the id of the last row of the page before. Errors: invalid_input. */
export function operationCursor(cursor: string | undefined): OperationId | undefined {
  if (cursor === undefined || isId('opr', cursor)) return cursor;
  throw new BerthError('invalid_input', 'The cursor is not valid.', {
    fields: [{ field: 'cursor', message: 'Take nextCursor of the page before.' }],
  });
}

export async function listOperations(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  query: {
    cursor?: string | undefined;
    limit: number;
    state?: OperationState | undefined;
    instance?: InstanceId | undefined;
  },
): Promise<Page<Operation>> {
  const proof = await authorize(app, caller, 'operation.read', { kind: 'project', id: project });
  const found = await store.list(app.db, proof.id, {
    state: query.state,
    instance: query.instance,
    before: operationCursor(query.cursor),
    limit: query.limit + 1,
  });
  return pageOf(await present(app, found), query.limit, (operation) => operation.id);
}

export async function listPlatformOperations(
  app: AppContext,
  caller: Caller,
  query: { cursor?: string | undefined; limit: number },
): Promise<Page<Operation>> {
  await authorizePlatform(app, caller, 'platform.image.read');
  const found = await store.list(app.db, null, { before: operationCursor(query.cursor), limit: query.limit + 1 });
  return pageOf(await present(app, found), query.limit, (operation) => operation.id);
}

export async function getOperation(app: AppContext, caller: Caller, id: OperationId): Promise<Operation> {
  const proof = await authorize(app, caller, 'operation.read', { kind: 'operation', id });
  return operationAs(app, proof.id);
}

/** The operation as it is now. Errors: not_found. */
export async function operationAs(app: AppContext, id: OperationId): Promise<Operation> {
  const found = await store.find(app.db, id);
  if (found === null) throw new BerthError('not_found', 'There is no such operation, or you may not see it.');
  const [presented] = await present(app, await store.withSteps(app.db, [found]));
  if (presented === undefined) throw new BerthError('internal', 'The operation has no form.');
  return presented;
}

/**
 * Asks a command inside an instance to end. The row holds what was asked, so a run that a restart interrupted heeds it
 * too. What has ended, or was asked already, is answered as it is. Errors: state_conflict (it cannot be stopped).
 */
export async function stopOperation(app: AppContext, caller: Caller, id: OperationId): Promise<Operation> {
  await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'operation.cancel', { kind: 'operation', id });
    const operation = await store.lock(tx, proof.id);
    if (operation === null) throw notFound('operation');
    if (isFinished(operation.state) || operation.stop !== null) return;
    if (!isStoppable(operation.kind)) {
      throw new BerthError('state_conflict', 'This cannot be stopped halfway: it ends, or takes back what it did.');
    }
    await store.askToStop(tx, operation, describeActor(proof.actor).name, app.clock.now().getTime());
    await record(tx, proof.actor, {
      action: 'operation.stop',
      targetKind: 'instance',
      targetId: operation.instance,
      target: operation.target,
      organizationId: operation.organization,
      projectId: operation.project,
      after: { operation: operation.id, title: operation.title },
    });
  });
  return operationAs(app, id);
}

/** What a request is, for telling a repeated one from another one with the same key. */
export function requestHash(kind: string, subject: string, body: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, subject, body]))
    .digest('hex');
}

/**
 * Runs `work` in one transaction and starts the operation it accepted. With an idempotency key the same request answers
 * the same operation again. Errors: idempotency_conflict when the key was used for another request.
 */
export async function acceptOnce(
  app: AppContext,
  caller: Caller,
  key: string | null,
  hash: string,
  work: (tx: Trx) => Promise<OperationId>,
): Promise<{ operation: OperationId; replayed: boolean }> {
  const person = requirePerson(caller);
  const accepted = await transact(app.db, async (tx) => {
    if (key === null) return { operation: await work(tx), replayed: false };
    const used = await takeKey(tx, person.userId, key);
    if (used !== null) {
      if (used.requestHash !== hash) {
        throw new BerthError('idempotency_conflict', 'This Idempotency-Key was used for another request.');
      }
      return { operation: used.operation, replayed: true };
    }
    const operation = await work(tx);
    await rememberKey(tx, person.userId, key, hash, operation);
    return { operation, replayed: false };
  });
  if (!accepted.replayed) app.services.startRun(accepted.operation);
  return accepted;
}
