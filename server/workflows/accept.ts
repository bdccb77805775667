/**
 * Accepting work: the operation, its steps and the audit row are written in the caller's transaction, together with
 * whatever the caller reserves. After the commit the caller starts the run with `services.startRun`; if the process dies
 * between the two, operation-starter does it.
 */
import { BerthError } from '#domain/errors.ts';
import { type ImageId, type InstanceId, makeId, type OperationId } from '#domain/ids.ts';
import type { OperationKind } from '#domain/operations.ts';
import { describeActor, record } from '../store/audit.ts';
import type { Actor } from '../store/authorized.ts';
import type { Trx } from '../store/database.ts';
import { holdInstance, type InstanceRecord } from '../store/instances.ts';
import * as operations from '../store/operations.ts';
import type { AnyWorkflow } from './engine.ts';
import type { Services } from './services.ts';

export type AcceptInput = {
  kind: OperationKind;
  /** For people: "Start web". */
  title: string;
  workflow: Pick<AnyWorkflow, 'steps'>;
  actor: Actor;
  /** What it is about; its `id` is null for what is left of an instance that is gone. */
  instance: (Pick<InstanceRecord, 'organization' | 'project' | 'name'> & { id: InstanceId | null }) | null;
  /** What the audit log names where that is more exact than the instance. */
  about?: { kind: string; id: string };
  image?: { id: ImageId; name: string };
  input: unknown;
  /** What the audit log shows of before and after. */
  before?: unknown;
  after?: unknown;
  /** Made beforehand when the instance row needs it. */
  id?: OperationId;
};

export function newOperationId(services: Pick<Services, 'now' | 'random'>): OperationId {
  return makeId('opr', services.now(), services.random) as OperationId;
}

/** Writes operation, steps and audit row; answers the operation's id. */
export async function acceptOperation(services: Services, tx: Trx, accept: AcceptInput): Promise<OperationId> {
  const id = accept.id ?? newOperationId(services);
  const actor = describeActor(accept.actor);
  const { instance, image } = accept;
  const target = instance?.name ?? image?.name ?? '';
  await operations.insert(
    tx,
    {
      id,
      kind: accept.kind,
      title: accept.title,
      organization: instance?.organization ?? null,
      project: instance?.project ?? null,
      instance: instance?.id ?? null,
      image: image?.id ?? null,
      target,
      actorKind: actor.kind,
      actorId: actor.id,
      actor: actor.name,
      requestId: accept.actor.kind === 'system' ? null : accept.actor.origin.requestId,
      input: accept.input,
    },
    accept.workflow.steps,
    services.now(),
  );
  await record(tx, accept.actor, {
    action: accept.kind,
    targetKind: accept.about?.kind ?? (instance === null ? 'image' : 'instance'),
    targetId: accept.about?.id ?? instance?.id ?? image?.id ?? null,
    target,
    organizationId: instance?.organization ?? null,
    projectId: instance?.project ?? null,
    before: accept.before,
    after: accept.after,
  });
  return id;
}

/**
 * Takes the instance for this operation. Only one operation works on an instance at a time. Errors: state_conflict,
 * naming what runs.
 */
export async function hold(tx: Trx, instance: InstanceRecord, operation: OperationId): Promise<void> {
  if (await holdInstance(tx, instance.id, operation)) return;
  const row = await tx
    .selectFrom('instance')
    .innerJoin('operation', 'operation.id', 'instance.operation_id')
    .select(['operation.title', 'operation.id'])
    .where('instance.id', '=', instance.id)
    .executeTakeFirst();
  throw new BerthError(
    'state_conflict',
    row === undefined
      ? 'Another operation works on it. Try again.'
      : `Another operation works on it: ${row.title} (${row.id}).`,
  );
}
