/**
 * Carries on what `berth keys rotate` began: the announced sealing key takes over once every replica knows it, everything
 * sealed is brought under it, and keys that nothing needs any more are forgotten.
 */
import { SEALING_KEY_KEPT_MINUTES, SEALING_KEY_LEAD_SECONDS } from '#domain/keys.ts';
import type { KeyRing } from '../runtime/secrets.ts';
import { transact } from '../store/database.ts';
import { deleteOldSealingKeys, promoteSealingKey, sealedCounts } from '../store/sealing-keys.ts';
import { sweepSigningKeys } from '../store/signing-keys.ts';
import { loadSealingKeys, sealAnew } from '../workflows/sealing.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

export type KeyPace = { everyMs: number; leadMs: number; keptMs: number };
export const keyPace: KeyPace = {
  everyMs: 5_000,
  leadMs: SEALING_KEY_LEAD_SECONDS * 1000,
  keptMs: SEALING_KEY_KEPT_MINUTES * 60_000,
};

export function keyKeeper(services: Services, ring: KeyRing, pace: KeyPace = keyPace): Reconciler {
  const { db } = services;
  return {
    name: 'key-keeper',
    everyMs: pace.everyMs,
    async run(signal) {
      const now = new Date(services.now());
      const promoted = await transact(db, (trx) => promoteSealingKey(trx, ago(now, pace.leadMs), now));
      await loadSealingKeys(db, ring);
      const sealed = await sealAnew(db, ring, signal);
      const needed = [...(await sealedCounts(db)).keys()];
      const forgotten = await deleteOldSealingKeys(db, needed, ago(now, pace.keptMs));
      const ended = await sweepSigningKeys(db, now);
      const account = [
        promoted === null ? '' : `key ${promoted} seals from now on`,
        sealed === 0 ? '' : `sealed ${sealed} secrets anew`,
        forgotten === 0 ? '' : `forgot ${forgotten} sealing keys`,
        ended === 0 ? '' : `forgot ${ended} signing keys`,
      ].filter((text) => text !== '');
      return account.length === 0 ? null : account.join(', ');
    },
  };
}

function ago(now: Date, ms: number): Date {
  return new Date(now.getTime() - ms);
}
