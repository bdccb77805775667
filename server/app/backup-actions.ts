/** What is done with a backup that exists. Each: right, its state allows it, hold the repository, reserve, operation. */
import type { Action } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { BackupId, OperationId } from '#domain/ids.ts';
import { instanceAbility, SNAPSHOTS_PER_INSTANCE_MAX } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import type { Authorized } from '#server/store/authorized.ts';
import * as repositories from '#server/store/backup-repositories.ts';
import * as store from '#server/store/backups.ts';
import type { Trx } from '#server/store/database.ts';
import { findImage } from '#server/store/images.ts';
import { changeInstance, type InstanceRecord, lockInstance } from '#server/store/instances.ts';
import { reserveQuota } from '#server/store/quotas.ts';
import { insertSnapshot, snapshotsOf } from '#server/store/snapshots.ts';
import { isMoving } from '#server/store/transfers.ts';
import { type AcceptInput, acceptOperation, hold, newOperationId } from '#server/workflows/accept.ts';
import type { BackupInput } from '#server/workflows/backup-create.ts';
import { backupDelete } from '#server/workflows/backup-delete.ts';
import { backupRecover } from '#server/workflows/backup-recover.ts';
import { type BackupRestoreInput, backupRestore } from '#server/workflows/backup-restore.ts';
import { backupVerify, type VerifyInput } from '#server/workflows/backup-verify.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireFree } from './instance-actions.ts';
import { answer, imageFor, reserveInstance } from './instances.ts';
import { type Accepted, acceptOnce, requestHash } from './operations.ts';

export type BackupRequest = { caller: Caller; backup: BackupId; idempotencyKey: string | null };

type Held = {
  tx: Trx;
  backup: store.BackupRecord;
  /** Locked; null when it is gone. */
  instance: InstanceRecord | null;
  proof: Authorized<'backup', Action>;
  /** Writes the operation; the repository is held for it already. */
  accept(input: Pick<AcceptInput, 'kind' | 'title' | 'workflow' | 'input' | 'before' | 'after'>): Promise<OperationId>;
  operation: OperationId;
};

/** The frame: proof, the instance's row and the repository's locked in this order, nobody else at work on it; `work`. */
async function actOn(
  app: AppContext,
  request: BackupRequest,
  verb: string,
  action: Action,
  body: unknown,
  work: (held: Held) => Promise<OperationId>,
): Promise<Accepted> {
  const hash = requestHash(`backup.${verb}`, request.backup, body);
  const accepted = await acceptOnce(app, request.caller, request.idempotencyKey, hash, async (tx) => {
    const proof = await authorize({ db: tx }, request.caller, action, { kind: 'backup', id: request.backup });
    const before = await store.findBackup(tx, proof.id);
    if (before === null) throw notFound('backup');
    const instance = before.repository.instance === null ? null : await lockInstance(tx, before.repository.instance);
    if (instance !== null && (await isMoving(tx, instance.id))) {
      throw new BerthError('state_conflict', 'It is moving to another project, its backups with it. Wait for that.');
    }
    const repository = await repositories.lockRepository(tx, before.repository.id);
    const operation = newOperationId(app.services);
    if (repository === null) throw notFound('backup');
    await repositories.holdRepository(tx, repository.id, operation);
    // Again under the locks: it may have been deleted, or its instance, meanwhile.
    const backup = await store.findBackup(tx, proof.id);
    if (backup === null) throw notFound('backup');
    if (backup.state !== 'ready') throw new BerthError('state_conflict', `This backup is ${backup.state}.`);
    const { organization, project, instanceName: name } = repository;
    const accept: Held['accept'] = (input) =>
      acceptOperation(app.services, tx, {
        ...input,
        id: operation,
        actor: proof.actor,
        instance: { id: repository.instance, organization, project, name },
        about: { kind: 'backup', id: backup.id },
      });
    return work({ tx, backup, instance, proof, accept, operation });
  });
  return answer(app, request.caller, accepted.operation);
}

/** When it was made, for people. */
function madeAt(backup: store.BackupRecord): string {
  return `${backup.createdAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Errors: state_conflict, quota_exceeded (no snapshot left), invalid_input when the name typed is another one. */
export async function restoreBackup(app: AppContext, request: BackupRequest, confirmName: string): Promise<Accepted> {
  return actOn(app, request, 'restore', 'backup.restore', { confirmName }, async (held) => {
    const { tx, backup, instance, proof } = held;
    if (instance === null) throw new BerthError('state_conflict', 'Its instance is gone. Restore it as a new one.');
    await requireFree(tx, instance);
    const able = instanceAbility('overwrite', instance.kind, { ...instance, busyWith: null });
    if (able !== true) throw new BerthError('state_conflict', able);
    if (confirmName !== instance.name) {
      throw new BerthError('invalid_input', `Type its name, ${instance.name}, to confirm.`, {
        fields: [{ field: 'confirmName', message: 'This is not its name.' }],
      });
    }
    if ((backup.dataBytes ?? 0) > instance.size.diskBytes) {
      throw new BerthError('state_conflict', 'Its disk is smaller than what the backup holds. Resize it first.');
    }
    if ((await snapshotsOf(tx, instance.id)).length >= SNAPSHOTS_PER_INSTANCE_MAX) {
      throw new BerthError('quota_exceeded', 'A snapshot is taken first, and it has as many as it may. Delete one.');
    }
    await reserveQuota(tx, instance.project, { ...noUse, snapshots: 1 });
    const snapshot = app.ids.make('snp');
    const now = app.services.now();
    const name = `Before restoring, ${new Date(now).toISOString().slice(0, 19).replace('T', ' ')}`;
    const { organization, project } = instance;
    const row = { id: snapshot, organization, project, instance: instance.id, name };
    await insertSnapshot(tx, { ...row, createdBy: proof.person.userId }, now);
    const operation = await held.accept({
      kind: 'backup.restore',
      title: `Restore ${instance.name} as of ${madeAt(backup)}`,
      workflow: backupRestore,
      input: {
        backup: backup.id,
        repository: backup.repository.id,
        snapshot,
        desired: instance.desired,
      } satisfies BackupRestoreInput,
      before: { snapshot: name },
      after: { backup: backup.id, madeAt: backup.createdAt.toISOString(), instanceId: instance.id },
    });
    await hold(tx, instance, operation);
    // What is paused cannot go on with another disk under it.
    if (instance.desired === 'paused') await changeInstance(tx, instance, { desired: 'running' });
    return operation;
  });
}

/** Errors: name_taken, quota_exceeded, state_conflict, conflict (no free address). */
export async function recoverBackup(app: AppContext, request: BackupRequest, name: string): Promise<Accepted> {
  return actOn(app, request, 'recover', 'backup.restore', { name }, async ({ tx, backup, proof, operation }) => {
    const { repository } = backup;
    await authorize({ db: tx }, request.caller, 'instance.create', { kind: 'project', id: repository.project });
    // Its image may have been deleted meanwhile; nothing is taken from it.
    const image = (await findImage(tx, backup.image)) ?? (await imageFor(tx, repository.kind, undefined));
    const instance = await reserveInstance(app, tx, {
      project: repository.project,
      organization: repository.organization,
      kind: repository.kind,
      name,
      description: `From a backup of ${repository.instanceName}, ${madeAt(backup)}`,
      size: backup.size,
      image: image.id,
      createdBy: proof.person.userId,
      operation: null,
    });
    await acceptOperation(app.services, tx, {
      id: operation,
      kind: 'backup.recover',
      title: `Restore a backup of ${repository.instanceName} as ${name}`,
      workflow: backupRecover,
      actor: proof.actor,
      instance,
      input: { backup: backup.id, repository: repository.id } satisfies BackupInput,
      before: { backup: backup.id, of: repository.instanceName, madeAt: backup.createdAt.toISOString() },
      after: { name, size: backup.size },
    });
    await changeInstance(tx, instance, { operation_id: operation, image_fingerprint: backup.imageFingerprint });
    return operation;
  });
}

export async function verifyBackup(app: AppContext, request: BackupRequest): Promise<Accepted> {
  return actOn(app, request, 'verify', 'backup.create', null, async ({ backup, accept }) =>
    accept({
      kind: 'backup.verify',
      title: `Verify the backups of ${backup.repository.instanceName}`,
      workflow: backupVerify,
      input: { repository: backup.repository.id } satisfies VerifyInput,
    }),
  );
}

export async function deleteBackup(app: AppContext, request: BackupRequest): Promise<Accepted> {
  return actOn(app, request, 'delete', 'backup.delete', null, async ({ tx, backup, accept }) => {
    const operation = await accept({
      kind: 'backup.delete',
      title: `Delete a backup of ${backup.repository.instanceName}`,
      workflow: backupDelete,
      input: { backup: backup.id, repository: backup.repository.id } satisfies BackupInput,
      before: { madeAt: backup.createdAt.toISOString(), note: backup.note },
    });
    await store.setBackupState(tx, backup, 'deleting', app.services.now());
    return operation;
  });
}
