/**
 * Keeps recordings of SSH sessions and their files the same: what was deleted or kept for long enough goes, a recording
 * whose gateway was killed is closed with what there is, a file that nobody told of is found, and an organization whose
 * recordings have reached their bound is marked, so that edge lets nobody begin another one there.
 */
import { RecordingFiles } from '../runtime/recordings.ts';
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { findInstance } from '../store/instances.ts';
import {
  finishSshRecording,
  forgetSshRecording,
  insertSshRecording,
  knownSshRecordings,
  markFullOrganizations,
  measureSshRecording,
  openSshRecordings,
  recordingsToRemove,
  removedSshRecordings,
  removeSshRecording,
} from '../store/ssh-recordings.ts';
import type { Services } from '../workflows/services.ts';
import { recordRecordingEnd } from '../workflows/ssh-audit.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 30_000;
const AT_ONCE_MAX = 200;
/** The gateway has long told of its connection by then, or never will. */
const STRANGE_MS = 24 * 3_600_000;
/** The gateway may still be about to tell of the end itself. */
const LATE_MS = 30_000;
const actor = asSystem('ssh-recording-keeper');

export function sshRecordingKeeper(services: Services, folder: string | null): Reconciler {
  const files = folder === null ? null : new RecordingFiles(folder);
  return {
    name: 'ssh-recording-keeper',
    everyMs: EVERY_MS,
    async run() {
      if (files === null) return null;
      const counts = {
        found: await findUntold(services, files),
        closed: await closeCutOff(services, files),
        expired: await removeExpired(services),
        deleted: await deleteFiles(services, files),
      };
      await transact(services.db, markFullOrganizations);
      const said = Object.entries(counts).filter(([, count]) => count > 0);
      return said.length === 0 ? null : said.map(([what, count]) => `${count} ${what}`).join(', ');
    },
  };
}

/** Files without a row: the gateway was killed before it could tell. */
async function findUntold({ db, now }: Services, files: RecordingFiles): Promise<number> {
  const ids = await files.ids();
  let found = 0;
  for (let at = 0; at < ids.length; at += AT_ONCE_MAX) {
    const some = ids.slice(at, at + AT_ONCE_MAX);
    const known = await knownSshRecordings(db, some);
    for (const id of some.filter((each) => !known.has(each))) {
      const [session, file] = await Promise.all([files.session(id), files.look(id)]);
      if (file === null) continue;
      const made =
        session === null
          ? null
          : await transact(db, (trx) => insertSshRecording(trx, { id, session, startedAt: file.startedAt }));
      if (made !== null) found++;
      else if (now() - file.changedAt.getTime() > STRANGE_MS) await files.remove(id);
    }
  }
  return found;
}

/** Open ones grow; those whose connection is over were cut off. */
async function closeCutOff({ db, now }: Services, files: RecordingFiles): Promise<number> {
  let closed = 0;
  for (const { id, over } of await openSshRecordings(db, new Date(now() - LATE_MS), AT_ONCE_MAX)) {
    const file = await files.look(id);
    if (!over && file !== null) {
      await measureSshRecording(db, id, file.bytes);
      continue;
    }
    if (!over) continue;
    const milliseconds = await files.milliseconds(id);
    await transact(db, async (trx) => {
      const reason = 'It was cut off: the SSH gateway ended.';
      const end = { at: new Date(now()), reason, bytes: file?.bytes ?? 0, milliseconds, sha256: null };
      const recording = await finishSshRecording(trx, id, end);
      if (recording === null) return;
      closed++;
      const instance = await findInstance(trx, recording.instance);
      await recordRecordingEnd(trx, actor, recording, instance?.name ?? recording.instance);
    });
  }
  return closed;
}

async function removeExpired({ db, now }: Services): Promise<number> {
  const expired = await recordingsToRemove(db, new Date(now()), AT_ONCE_MAX);
  for (const recording of expired) {
    await transact(db, async (trx) => {
      if (!(await removeSshRecording(trx, recording, new Date(now())))) return;
      const instance = await findInstance(trx, recording.instance);
      await record(trx, actor, {
        action: 'instance.ssh.recording.expire',
        targetKind: 'instance',
        targetId: recording.instance,
        target: instance?.name ?? recording.instance,
        organizationId: recording.organization,
        projectId: recording.project,
        before: {
          recording: recording.id,
          user: recording.user.email,
          startedAt: recording.startedAt.toISOString(),
          why: recording.gone ? 'the server went to another organization' : 'kept for long enough',
        },
      });
    });
  }
  return expired.length;
}

/** The file first: the row knows of it until then. */
async function deleteFiles({ db }: Services, files: RecordingFiles): Promise<number> {
  const removed = await removedSshRecordings(db, AT_ONCE_MAX);
  for (const id of removed) {
    await files.remove(id);
    await forgetSshRecording(db, id);
  }
  return removed.length;
}
