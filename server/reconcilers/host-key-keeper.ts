/** Reads the SSH host keys of an instance once, when it is first healthy. From then on the gateway trusts those alone. */
import { toBerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { asSystem, authorizeRef } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { instancesWithoutHostKeys, pinHostKeys } from '../store/host-keys.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

/** `againMaxMs`: the longest wait before one that had none is asked again; the first is as short as `everyMs`. */
export type HostKeyPace = { everyMs: number; againMaxMs: number };
export const hostKeyPace: HostKeyPace = { everyMs: 1_000, againMaxMs: 15_000 };
const AT_ONCE_MAX = 20;
const REMEMBERED_MAX = 10_000;

export function hostKeyKeeper(services: Services, pace: HostKeyPace = hostKeyPace): Reconciler {
  /** Those that had none: when they are asked again. Soon at first (it may still be booting), then hardly (no sshd). */
  const later = new Map<InstanceId, { at: number; waitMs: number }>();
  return {
    name: 'host-key-keeper',
    everyMs: pace.everyMs,
    async run(signal) {
      const { db, driver } = services;
      const now = services.now();
      if (later.size > REMEMBERED_MAX) later.clear();
      let pinned = 0;
      for (const id of await instancesWithoutHostKeys(db, AT_ONCE_MAX + later.size)) {
        if (signal.aborted) break;
        const missed = later.get(id);
        if (missed !== undefined && missed.at > now) continue;
        try {
          const keys = await driver.sshHostKeys(id);
          const proof = await authorizeRef(db, asSystem('host-key-keeper'), 'instance.ssh', { kind: 'instance', id });
          await transact(db, (trx) => pinHostKeys(trx, proof, keys, new Date(now)));
          later.delete(id);
          pinned++;
        } catch (cause) {
          const waitMs = Math.min(pace.againMaxMs, missed === undefined ? pace.everyMs : missed.waitMs * 2);
          later.set(id, { at: now + waitMs, waitMs });
          services.log.debug({ instanceId: id, errorCode: toBerthError(cause).code }, 'no SSH host keys yet');
        }
      }
      return pinned === 0 ? null : `pinned the host keys of ${pinned} instances`;
    },
  };
}
