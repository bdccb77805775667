/** The audit entry of the end of an SSH connection: told by the gateway, or found to have fallen silent. */

import { record } from '../store/audit.ts';
import type { Actor } from '../store/authorized.ts';
import type { Trx } from '../store/database.ts';
import type { SshRecording } from '../store/ssh-recordings.ts';
import type { SshSession } from '../store/ssh-sessions.ts';

export async function recordSshEnd(trx: Trx, actor: Actor, session: SshSession, target: string): Promise<void> {
  const { bytesIn, bytesOut, endReason, startedAt, endedAt } = session;
  await record(trx, actor, {
    action: 'instance.ssh.end',
    targetKind: 'instance',
    targetId: session.instance,
    target,
    organizationId: session.organization,
    projectId: session.project,
    after: {
      session: session.id,
      user: session.user.email,
      reason: endReason,
      seconds: Math.max(0, Math.round(((endedAt ?? startedAt).getTime() - startedAt.getTime()) / 1000)),
      bytesIn,
      bytesOut,
    },
  });
}

/** The audit entry of the end of a recording. Its digest proves later what was in the file. */
export async function recordRecordingEnd(
  trx: Trx,
  actor: Actor,
  recording: SshRecording,
  target: string,
): Promise<void> {
  const { id, session, user, endReason, milliseconds, bytes, sha256 } = recording;
  await record(trx, actor, {
    action: 'instance.ssh.recorded',
    targetKind: 'instance',
    targetId: recording.instance,
    target,
    organizationId: recording.organization,
    projectId: recording.project,
    after: { recording: id, session, user: user.email, reason: endReason, milliseconds, bytes, sha256 },
  });
}
