/** Recordings of SSH sessions: who is recorded, watching and deleting what was; and what the gateway tells of them. */
import type { Readable } from 'node:stream';
import type { ServerSshBody } from '#contract/ssh-gateway.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, OrganizationId, SshRecordingId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { RecordingFiles } from '#server/runtime/recordings.ts';
import { record } from '#server/store/audit.ts';
import { asSystem } from '#server/store/authorized.ts';
import { transact } from '#server/store/database.ts';
import { findInstance } from '#server/store/instances.ts';
import { getOrganization } from '#server/store/organizations.ts';
import * as store from '#server/store/ssh-recordings.ts';
import { recordRecordingEnd } from '#server/workflows/ssh-audit.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { accessOf, personOf, tell } from './ssh-sessions.ts';

/** Errors: unavailable (this installation runs no SSH gateway). */
function filesOf(app: AppContext): RecordingFiles {
  const folder = app.config.ssh?.recordings;
  if (folder === undefined) throw new BerthError('unavailable', 'This installation runs no SSH gateway.');
  return new RecordingFiles(folder);
}

export type RecordingPolicy = store.SshRecordingPolicy & { usedBytes: number; can: { update: Ability } };

export async function readRecordingPolicy(
  app: AppContext,
  caller: Caller,
  id: OrganizationId,
): Promise<RecordingPolicy> {
  const proof = await authorize(app, caller, 'organization.read', { kind: 'organization', id });
  const [policy, usedBytes] = await Promise.all([
    store.readRecordingPolicy(app.db, proof.organization),
    store.recordedBytes(app.db, proof.organization),
  ]);
  return { ...policy, usedBytes, can: { update: roleAbility(proof.role, 'ssh-recording.update') } };
}

export async function setRecordingPolicy(
  app: AppContext,
  caller: Caller,
  id: OrganizationId,
  input: { enabled: boolean; days: number },
): Promise<RecordingPolicy> {
  const proof = await authorize(app, caller, 'ssh-recording.update', { kind: 'organization', id });
  await transact(app.db, async (trx) => {
    const { enabled, days } = await store.readRecordingPolicy(trx, proof.organization);
    await store.writeRecordingPolicy(trx, proof, input);
    await record(trx, caller, {
      action: 'organizations.ssh-recording',
      targetKind: 'organization',
      targetId: id,
      target: (await getOrganization(trx, proof)).name,
      organizationId: id,
      before: { enabled, days },
      after: input,
    });
  });
  app.services.nudge('ssh-recording-keeper');
  return readRecordingPolicy(app, caller, id);
}

/** Of one server; what is open goes on as it began. */
export async function setInstanceRecording(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  enabled: boolean,
): Promise<Awaited<ReturnType<typeof accessOf>>> {
  const proof = await authorize(app, caller, 'ssh-recording.update', { kind: 'instance', id });
  await transact(app.db, async (trx) => {
    const before = await store.isRecorded(trx, proof.id);
    await store.setRecorded(trx, proof, enabled);
    await tell(trx, caller, proof, 'instance.ssh.recording', {
      before: { enabled: before },
      after: { enabled },
    });
  });
  return accessOf(app, proof);
}

export async function listSshRecordings(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ items: store.SshRecording[]; nextCursor: string | null; can: { delete: Ability } }> {
  const proof = await authorize(app, caller, 'ssh-recording.play', { kind: 'instance', id });
  const found = await store.listSshRecordings(app.db, proof, page);
  return { ...found, can: { delete: roleAbility(proof.role, 'ssh-recording.delete') } };
}

/** Whoever reads it is written down before the first byte. Errors: not_found. */
export async function readSshRecording(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  recording: SshRecordingId,
): Promise<{ name: string; bytes: number; content: Readable }> {
  const proof = await authorize(app, caller, 'ssh-recording.play', { kind: 'instance', id });
  const found = await store.findSshRecording(app.db, proof, recording);
  const file = found === null ? null : await filesOf(app).read(found.id);
  if (found === null || file === null) throw notFound('recording');
  try {
    await transact(app.db, (trx) =>
      tell(trx, caller, proof, 'instance.ssh.recording.read', {
        after: { recording: found.id, session: found.session, user: found.user.email },
      }),
    );
  } catch (error) {
    file.content.destroy();
    throw error;
  }
  const day = found.startedAt.toISOString().slice(0, 19).replace(/[-:]/g, '');
  return { ...file, name: `ssh-${day}-${found.id}.cast` };
}

/** Errors: not_found, state_conflict (it is still being written). */
export async function deleteSshRecording(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  recording: SshRecordingId,
): Promise<void> {
  const proof = await authorize(app, caller, 'ssh-recording.delete', { kind: 'instance', id });
  await transact(app.db, async (trx) => {
    const found = await store.findSshRecording(trx, proof, recording);
    if (found === null) throw notFound('recording');
    if (found.endedAt === null) {
      throw new BerthError('state_conflict', 'It is still being recorded. End the connection first.');
    }
    if (!(await store.removeSshRecording(trx, found, app.clock.now()))) throw notFound('recording');
    await tell(trx, caller, proof, 'instance.ssh.recording.delete', {
      before: {
        recording: found.id,
        session: found.session,
        user: found.user.email,
        startedAt: found.startedAt.toISOString(),
        sha256: found.sha256,
      },
    });
  });
  app.services.nudge('ssh-recording-keeper');
}

/** Told twice is told once. */
export async function beginSshRecording(app: AppContext, body: ServerSshBody<'record'>): Promise<void> {
  const { recording: id, session, startedAt } = body;
  await transact(app.db, (trx) => store.insertSshRecording(trx, { id, session, startedAt: new Date(startedAt) }));
}

export async function finishSshRecording(app: AppContext, body: ServerSshBody<'recorded'>): Promise<void> {
  const { recording, reason, bytes, milliseconds, sha256, endedAt } = body;
  await transact(app.db, async (trx) => {
    const end = { at: new Date(endedAt), reason, bytes, milliseconds, sha256 };
    const found = await store.finishSshRecording(trx, recording, end);
    if (found === null) return;
    const person = await personOf(app, found.user.id, {
      session: found.session,
      address: found.address,
      client: 'SSH',
    });
    const instance = await findInstance(trx, found.instance);
    await recordRecordingEnd(trx, person ?? asSystem('ssh-gateway'), found, instance?.name ?? found.instance);
  });
}
