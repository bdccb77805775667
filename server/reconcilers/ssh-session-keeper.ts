/** Closes the record of SSH connections whose gateway fell silent (it was killed): such a connection is over. */
import { SSH_SESSION_SILENT_SECONDS } from '#domain/ssh.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { findInstance } from '../store/instances.ts';
import { finishSshSession, silentSshSessions } from '../store/ssh-sessions.ts';
import type { Services } from '../workflows/services.ts';
import { recordSshEnd } from '../workflows/ssh-audit.ts';
import type { Reconciler } from './reconciler.ts';

export const sshSessionPace = { everyMs: 10_000, silentMs: SSH_SESSION_SILENT_SECONDS * 1000 };
const AT_ONCE_MAX = 200;

export function sshSessionKeeper(services: Services, pace = sshSessionPace): Reconciler {
  // Nothing could be heard before this began: the gateway gets as long to speak.
  const since = services.now();
  return {
    name: 'ssh-session-keeper',
    everyMs: pace.everyMs,
    async run() {
      const now = services.now();
      if (now - since < pace.silentMs) return null;
      const silent = await silentSshSessions(services.db, new Date(now - pace.silentMs), AT_ONCE_MAX);
      for (const id of silent) {
        await transact(services.db, async (trx) => {
          const end = { at: new Date(now), reason: 'The SSH gateway fell silent.', counts: null };
          const session = await finishSshSession(trx, id, end);
          if (session === null) return;
          const instance = await findInstance(trx, session.instance);
          await recordSshEnd(trx, asSystem('ssh-session-keeper'), session, instance?.name ?? session.instance);
        });
      }
      return silent.length === 0 ? null : `closed the record of ${silent.length} SSH connections`;
    },
  };
}
