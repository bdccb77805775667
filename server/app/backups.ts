/** Backups of instances: looking at them, and accepting the work on them. */
import type { Backup } from '#contract/backups.ts';
import type { Role } from '#domain/authz.ts';
import { BACKUPS_PER_INSTANCE_MAX, backupBound } from '#domain/backups.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { type BackupId, type InstanceId, isId, type ProjectId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import * as repositories from '#server/store/backup-repositories.ts';
import * as store from '#server/store/backups.ts';
import type { Trx } from '#server/store/database.ts';
import type { InstanceRecord } from '#server/store/instances.ts';
import { reserveQuota } from '#server/store/quotas.ts';
import { acceptOperation } from '#server/workflows/accept.ts';
import { type BackupCreateInput, backupCreate } from '#server/workflows/backup-create.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { act, type Request } from './instance-actions.ts';
import { type Accepted, type Page, pageOf } from './operations.ts';

/** 256 bits, as the contract of the agent wants it. */
const PASSWORD_BYTES = 32;

export function presentBackup(backup: store.BackupRecord, role: Role | null): Backup {
  const { repository } = backup;
  const settled: Ability =
    backup.state === 'creating'
      ? 'It is still being made.'
      : backup.state === 'deleting'
        ? 'It is being deleted.'
        : backup.busyWith === null
          ? true
          : `Wait for: ${backup.busyWith}.`;
  const able = (action: Parameters<typeof roleAbility>[1], more: Ability = true): Ability => {
    const may = roleAbility(role, action);
    return may !== true ? may : settled !== true ? settled : more;
  };
  return {
    id: backup.id,
    project: repository.project,
    instance: repository.instance,
    instanceName: repository.instanceName,
    kind: repository.kind,
    state: backup.state,
    note: backup.note,
    size: backup.size,
    dataBytes: backup.dataBytes,
    files: backup.files,
    addedBytes: backup.addedBytes,
    createdAt: backup.createdAt.toISOString(),
    createdBy: backup.createdByName,
    finishedAt: backup.finishedAt?.toISOString() ?? null,
    repository: {
      id: repository.id,
      storedBytes: repository.storedBytes,
      state: repository.state,
      problem: repository.problem,
      checkedAt: repository.checkedAt?.toISOString() ?? null,
    },
    busyWith: backup.busyWith,
    can: {
      restore: able(
        'backup.restore',
        repository.instance === null ? 'Its instance is gone. Restore it as a new one.' : true,
      ),
      recover: able('backup.restore'),
      verify: able('backup.create'),
      delete: able('backup.delete'),
    },
  };
}

/** Newest first. */
export async function listBackups(app: AppContext, caller: Caller, instance: InstanceId): Promise<Backup[]> {
  const proof = await authorize(app, caller, 'backup.read', { kind: 'instance', id: instance });
  const backups = await store.backupsOfInstance(app.db, proof.id);
  return backups.map((backup) => presentBackup(backup, proof.role));
}

export async function listProjectBackups(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  query: { cursor?: string | undefined; limit: number },
): Promise<Page<Backup>> {
  const proof = await authorize(app, caller, 'backup.read', { kind: 'project', id: project });
  const { cursor } = query;
  if (cursor !== undefined && !isId('cpy', cursor)) {
    throw new BerthError('invalid_input', 'The cursor is not one of ours.');
  }
  const backups = await store.backupsOfProject(app.db, proof.id, { before: cursor, limit: query.limit + 1 });
  return pageOf(
    backups.map((backup) => presentBackup(backup, proof.role)),
    query.limit,
    (backup) => backup.id,
  );
}

export async function getBackup(app: AppContext, caller: Caller, id: BackupId): Promise<Backup> {
  const proof = await authorize(app, caller, 'backup.read', { kind: 'backup', id });
  const backup = await store.findBackup(app.db, proof.id);
  if (backup === null) throw notFound('backup');
  return presentBackup(backup, proof.role);
}

/**
 * The instance is free again as soon as this is accepted: only its backups are held. Errors: quota_exceeded,
 * state_conflict.
 */
export async function createBackup(app: AppContext, request: Request, note: string): Promise<Accepted> {
  return act(app, request, 'backup', { note }, async ({ tx, instance, proof, operation }) => {
    if (instance.imageFingerprint === null) throw new BerthError('state_conflict', 'Its image is not known yet.');
    const present = await store.backupsOfInstance(tx, instance.id);
    if (present.length >= BACKUPS_PER_INSTANCE_MAX) {
      throw new BerthError(
        'quota_exceeded',
        `An instance has at most ${BACKUPS_PER_INSTANCE_MAX} backups. Delete one first.`,
      );
    }
    // Not what it uses: the engine tells what is its alone, without what it shares with its image and snapshots.
    const bytesMax = backupBound(instance.size.diskBytes);
    await reserveQuota(tx, instance.project, { ...noUse, backups: 1, backupBytes: bytesMax });
    const repository = await currentRepository(app, tx, instance);
    await repositories.holdRepository(tx, repository.id, operation);
    const backup = app.ids.make('cpy');
    await store.insertBackup(
      tx,
      repository,
      {
        id: backup,
        note,
        size: instance.size,
        image: instance.image,
        imageFingerprint: instance.imageFingerprint,
        createdBy: proof.person.userId,
      },
      bytesMax,
      app.services.now(),
    );
    return acceptOperation(app.services, tx, {
      id: operation,
      kind: 'backup.create',
      title: `Back up ${instance.name}`,
      workflow: backupCreate,
      actor: proof.actor,
      instance,
      about: { kind: 'backup', id: backup },
      input: { backup, repository: repository.id, bytesMax } satisfies BackupCreateInput,
      after: { note, instanceId: instance.id },
    });
  });
}

/** The repository that backups of the instance go to; made when there is none, or the last one is damaged. */
async function currentRepository(app: AppContext, tx: Trx, instance: InstanceRecord) {
  const present = await repositories.lockCurrentRepository(tx, instance.id);
  if (present !== null) return present;
  const id = app.ids.make('vlt');
  const password = Buffer.from(app.ids.random(PASSWORD_BYTES)).toString('base64url');
  const { organization, project, kind } = instance;
  const repository = { id, organization, project, instance: instance.id, instanceName: instance.name, kind };
  const passwordSealed = app.secrets.seal(repositories.repositoryPasswordPlace(id), password);
  await repositories.insertRepository(tx, { ...repository, passwordSealed }, app.services.now());
  return repository;
}
