/** Everything that changes an instance and takes time. Each: right, ability, hold it, reserve, operation; then the run. */

import type { Action } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, OperationId, SnapshotId } from '#domain/ids.ts';
import { type InstanceAction, type InstanceVerb, instanceAbility } from '#domain/instances.ts';
import { instanceUse } from '#domain/quotas.ts';
import type { Authorized } from '#server/store/authorized.ts';
import type { Trx } from '#server/store/database.ts';
import * as store from '#server/store/instances.ts';
import { reserveQuota } from '#server/store/quotas.ts';
import { findSnapshot } from '#server/store/snapshots.ts';
import { acceptOperation, hold, newOperationId } from '#server/workflows/accept.ts';
import { type ArchiveInput, instanceArchive } from '#server/workflows/instance-archive.ts';
import { type CloneInput, instanceClone } from '#server/workflows/instance-clone.ts';
import { desiredAfter, instancePower, type PowerInput } from '#server/workflows/instance-power.ts';
import { acceptPurge } from '#server/workflows/instance-purge.ts';
import { instanceRename, type RenameInput } from '#server/workflows/instance-rename.ts';
import { instanceResize, largerOf, type ResizeInput, sizeDifference } from '#server/workflows/instance-resize.ts';
import { instanceRestore, type RestoreInput } from '#server/workflows/instance-restore.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { answer, reserveInstance, resolveSize, type SizeChoice, suggestName } from './instances.ts';
import { type Accepted, acceptOnce, requestHash } from './operations.ts';
import { verbAction } from './present-instance.ts';
import { requireConfirmed } from './step-up.ts';

export type Request = { caller: Caller; instance: InstanceId; idempotencyKey: string | null };

type Held = {
  tx: Trx;
  instance: store.InstanceRecord;
  proof: Authorized<'instance', Action>;
  operation: OperationId;
};

/** The frame of every action: proof, the locked row, nobody else at work on it, its state allows `verb`; then `work`. */
export async function act(
  app: AppContext,
  request: Request,
  verb: InstanceVerb,
  body: unknown,
  work: (held: Held) => Promise<OperationId>,
): Promise<Accepted> {
  const hash = requestHash(verb, request.instance, body);
  const accepted = await acceptOnce(app, request.caller, request.idempotencyKey, hash, async (tx) => {
    const ref = { kind: 'instance', id: request.instance } as const;
    const proof = await authorize({ db: tx }, request.caller, verbAction[verb], ref);
    const instance = await store.lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    const operation = newOperationId(app.services);
    // Held before its state is judged: "another operation runs" is the better answer than what follows from it.
    await requireFree(tx, instance);
    const able = instanceAbility(verb, instance.kind, { ...instance, busyWith: null });
    if (able !== true) throw new BerthError('state_conflict', able);
    return work({ tx, instance, proof, operation });
  });
  return answer(app, request.caller, accepted.operation);
}

export async function requireFree(tx: Trx, instance: store.InstanceRecord): Promise<void> {
  // `hold` refuses with the name of what runs; a free instance is held by `begin` once its operation row exists.
  if (instance.operation !== null) await hold(tx, instance, instance.operation);
}

/** Writes the operation and takes the instance for it. */
export async function begin(
  app: AppContext,
  held: Held,
  accept: Omit<Parameters<typeof acceptOperation>[2], 'id' | 'actor' | 'instance'>,
): Promise<OperationId> {
  await acceptOperation(app.services, held.tx, {
    ...accept,
    id: held.operation,
    actor: held.proof.actor,
    instance: held.instance,
  });
  await hold(held.tx, held.instance, held.operation);
  return held.operation;
}

const powerTitles: Record<InstanceAction, string> = {
  start: 'Start',
  stop: 'Stop',
  restart: 'Restart',
  pause: 'Pause',
  resume: 'Resume',
};

export async function powerInstance(
  app: AppContext,
  request: Request,
  action: InstanceAction,
  force: boolean,
): Promise<Accepted> {
  return act(app, request, action, { force }, async (held) => {
    const { tx, instance } = held;
    const desired = desiredAfter[action];
    const operation = await begin(app, held, {
      kind: `instance.${action}`,
      title: `${powerTitles[action]} ${instance.name}`,
      workflow: instancePower(action),
      input: { force, before: instance.desired } satisfies PowerInput,
      before: { desired: instance.desired },
      after: { desired, force },
    });
    await store.changeInstance(tx, instance, { desired });
    return operation;
  });
}

export async function renameInstance(app: AppContext, request: Request, name: string): Promise<Accepted> {
  return act(app, request, 'rename', { name }, async (held) => {
    const { tx, instance } = held;
    if (name === instance.name) throw new BerthError('invalid_input', 'It has this name already.');
    if (await store.instanceNameTaken(tx, instance.project, name)) throw store.nameTaken(name);
    return begin(app, held, {
      kind: 'instance.rename',
      title: `Rename ${instance.name} to ${name}`,
      workflow: instanceRename,
      input: { from: instance.name, to: name } satisfies RenameInput,
      before: { name: instance.name },
      after: { name },
    });
  });
}

export async function resizeInstance(app: AppContext, request: Request, choice: SizeChoice): Promise<Accepted> {
  return act(app, request, 'resize', { size: choice }, async (held) => {
    const { tx, instance } = held;
    const from = instance.size;
    const to = resolveSize(choice, instance.kind);
    if (to.diskBytes < from.diskBytes && !app.services.driver.capabilities().diskShrink) {
      throw new BerthError('unsupported', 'A disk can grow, not shrink. Choose a size with at least the present disk.');
    }
    await reserveQuota(tx, instance.project, sizeDifference(to, from));
    const operation = await begin(app, held, {
      kind: 'instance.resize',
      title: `Resize ${instance.name}`,
      workflow: instanceResize,
      input: { from, to } satisfies ResizeInput,
      before: from,
      after: to,
    });
    const reserved = largerOf(from, to);
    await store.changeInstance(tx, instance, {
      cpus: reserved.cpus,
      memory_bytes: reserved.memoryBytes,
      disk_bytes: reserved.diskBytes,
    });
    return operation;
  });
}

/** Copies the instance (or one of its snapshots). The source is held until the copy is made. */
export async function cloneInstance(
  app: AppContext,
  request: Request,
  input: { name: string; snapshot: SnapshotId | null },
): Promise<Accepted> {
  return act(app, request, 'clone', input, async ({ tx, instance: source, proof, operation }) => {
    if (input.snapshot !== null) {
      const snapshot = await findSnapshot(tx, source.id, input.snapshot);
      if (snapshot === null) throw notFound('snapshot');
      if (snapshot.state !== 'ready') throw new BerthError('state_conflict', 'This snapshot is not ready.');
    }
    const instance = await reserveInstance(app, tx, {
      project: source.project,
      organization: source.organization,
      kind: source.kind,
      name: input.name,
      description: source.description,
      size: source.size,
      image: source.image,
      createdBy: proof.person.userId,
      operation: null,
    });
    await acceptOperation(app.services, tx, {
      id: operation,
      kind: 'instance.clone',
      title: `Clone ${source.name} as ${input.name}`,
      workflow: instanceClone,
      actor: proof.actor,
      instance,
      input: { source: { instance: source.id, snapshot: input.snapshot } } satisfies CloneInput,
      before: { source: source.name },
      after: { name: input.name, size: source.size },
    });
    await hold(tx, source, operation);
    await store.changeInstance(tx, instance, {
      operation_id: operation,
      image_fingerprint: source.imageFingerprint,
    });
    return operation;
  });
}

/** Deletes: archives what is ready; what never came to be is removed for good at once, there is nothing to keep. */
export async function archiveInstance(app: AppContext, request: Request): Promise<Accepted> {
  return act(app, request, 'archive', null, async (held) => {
    const { tx, instance, proof } = held;
    if (instance.phase === 'failed') return acceptPurge(app.services, tx, proof.actor, instance);
    return begin(app, held, {
      kind: 'instance.archive',
      title: `Delete ${instance.name}`,
      workflow: instanceArchive,
      input: { desired: instance.desired } satisfies ArchiveInput,
      before: { phase: instance.phase, desired: instance.desired },
      after: { phase: 'archived' },
    });
  });
}

/** Errors: name_taken with a suggestion when another instance has its name now; quota_exceeded. */
export async function restoreInstance(
  app: AppContext,
  request: Request,
  newName: string | undefined,
): Promise<Accepted> {
  return act(app, request, 'restore', { name: newName }, async (held) => {
    const { tx, instance } = held;
    const name = newName ?? instance.name;
    if (await store.instanceNameTaken(tx, instance.project, name)) {
      const suggestion = await suggestName(tx, instance.project, name);
      throw new BerthError(
        'name_taken',
        `Another instance is called "${name}" now.${suggestion === null ? '' : ` Restore it as "${suggestion}", for example.`}`,
        { fields: [{ field: 'name', message: suggestion === null ? 'Choose another name.' : `Free: ${suggestion}` }] },
      );
    }
    await reserveQuota(tx, instance.project, { ...instanceUse(instance), diskBytes: 0 });
    const desired = instance.desiredBeforeArchive ?? 'running';
    const operation = await begin(app, held, {
      kind: 'instance.restore',
      title: `Restore ${name}`,
      workflow: instanceRestore,
      input: {
        name: instance.name,
        desired,
        archivedAt: instance.archivedAt?.toISOString() ?? null,
        purgeAt: instance.purgeAt?.toISOString() ?? null,
      } satisfies RestoreInput,
      before: { phase: 'archived', name: instance.name },
      after: { phase: 'ready', name },
    });
    await store.changeInstance(tx, instance, {
      phase: 'ready',
      name,
      // Paused ones come back running: what they had in memory is gone.
      desired: desired === 'paused' ? 'running' : desired,
      desired_before_archive: null,
      archived_at: null,
      purge_at: null,
    });
    return operation;
  });
}

/** Errors: step_up_required, invalid_input when the name typed to confirm is another one. */
export async function purgeInstance(app: AppContext, request: Request, confirmName: string): Promise<Accepted> {
  return act(app, request, 'purge', { confirmName }, async ({ tx, instance, proof }) => {
    await requireConfirmed(app, proof.person, 'instance.purge', tx);
    if (confirmName !== instance.name) {
      throw new BerthError('invalid_input', `Type its name, ${instance.name}, to confirm.`, {
        fields: [{ field: 'confirmName', message: 'This is not its name.' }],
      });
    }
    return acceptPurge(app.services, tx, proof.actor, instance);
  });
}
