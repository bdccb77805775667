/** Keys of the installation, for its administrators: what there is, and changing them. */
import type { Caller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import {
  SIGNING_KEY_LEAD_MINUTES,
  SIGNING_KEY_OVERLAP_HOURS,
  type SigningKeyState,
  type SigningPurpose,
  signingKeyState,
  signingPurposes,
} from '#domain/keys.ts';
import { makeAuditKey } from '#server/runtime/audit-keys.ts';
import { keyIdOf, makeSealingKey } from '#server/runtime/secrets.ts';
import { record } from '#server/store/audit.ts';
import { readAuditKeys, replaceAuditKey } from '#server/store/audit-keys.ts';
import { transact } from '#server/store/database.ts';
import {
  insertNextSealingKey,
  listSealingKeys,
  type SealingKeyState,
  sealedCounts,
  sealingKeyPlace,
} from '#server/store/sealing-keys.ts';
import { insertNextSigningKey, listSigningKeys } from '#server/store/signing-keys.ts';
import { currentSigner } from '#server/workflows/audit-proof.ts';
import { authorizePlatform, requirePerson } from './authorize.ts';
import type { AppContext } from './context.ts';
import { makeSigningKey } from './signing-keys.ts';
import { requireConfirmed } from './step-up.ts';

export type Keys = {
  signing: {
    id: string;
    purpose: SigningPurpose;
    state: SigningKeyState;
    createdAt: Date;
    activeFrom: Date;
    expiresAt: Date | null;
  }[];
  audit: {
    id: string;
    state: 'signing' | 'retired';
    createdAt: Date;
    retiredAt: Date | null;
    follows: string | null;
  }[];
  sealing: { id: string; state: SealingKeyState; createdAt: Date; secrets: number }[];
};

export async function listKeys(app: AppContext, caller: Caller): Promise<Keys> {
  await authorizePlatform(app, caller, 'platform.key.read');
  const now = app.clock.now();
  const signing = await listSigningKeys(app.db, now);
  const counts = await sealedCounts(app.db);
  return {
    signing: signing.map((key) => ({
      id: key.id,
      purpose: key.purpose,
      state: signingKeyState(
        key,
        signing.filter((other) => other.purpose === key.purpose),
        now,
      ),
      createdAt: key.createdAt,
      activeFrom: key.activeFrom,
      expiresAt: key.expiresAt,
    })),
    sealing: (await listSealingKeys(app.db)).map(({ id, state, createdAt }) => ({
      id,
      state,
      createdAt,
      secrets: counts.get(id) ?? 0,
    })),
    audit: (await readAuditKeys(app.db)).map(({ id, createdAt, retiredAt, succession }) => ({
      id,
      state: retiredAt === null ? 'signing' : 'retired',
      createdAt,
      retiredAt,
      follows: succession?.key ?? null,
    })),
  };
}

/**
 * New keys for signing and sealing. The signing keys are published now and sign after a while, the old ones count on for
 * a while; with `atOnce` (a key may be known to somebody) the old ones end now and every program signs in anew with its
 * refresh token. The sealing key takes over by itself (reconciler `key-keeper`). Errors: not_found, step_up_required.
 */
export async function rotateKeys(app: AppContext, caller: Caller, input: { atOnce: boolean }): Promise<Keys> {
  const proof = await authorizePlatform(app, caller, 'platform.key.rotate');
  const person = requirePerson(caller);
  await requireConfirmed(app, person, 'keys.rotate');
  const now = app.clock.now();
  const activeFrom = input.atOnce ? now : new Date(now.getTime() + SIGNING_KEY_LEAD_MINUTES * 60_000);
  const othersEndAt = input.atOnce ? now : new Date(activeFrom.getTime() + SIGNING_KEY_OVERLAP_HOURS * 3_600_000);
  // What is to follow must have something before it.
  for (const purpose of signingPurposes) await app.signingKeys.signer(purpose);
  const signing = await Promise.all(signingPurposes.map((purpose) => makeSigningKey(app, purpose, activeFrom)));
  const sealing = makeSealingKey();
  const sealingId = keyIdOf(sealing);
  const keySealed = app.secrets.sealWith(app.secrets.masterId, sealingKeyPlace(sealingId), sealing.toString('base64'));
  await transact(app.db, async (trx) => {
    for (const key of signing) await insertNextSigningKey(trx, proof, key, othersEndAt);
    const announced = await insertNextSealingKey(trx, proof, { id: sealingId, keySealed, now });
    await record(trx, person, {
      action: 'platform.keys.rotate',
      targetKind: 'installation',
      target: app.config.domain,
      after: {
        signing: signing.map(({ id }) => id),
        sealing: announced ? sealingId : null,
        atOnce: input.atOnce,
      },
    });
  });
  app.services.nudge('key-keeper');
  return listKeys(app, caller);
}

/**
 * A new key for the audit logs. The old one says which key follows it, so that whoever noted its thumbprint goes on
 * believing; then its private half is gone, and its public half checks what it signed for ever. `leaked`: the old key
 * says nothing, because somebody else could say it too. Errors: not_found, step_up_required, conflict.
 */
export async function rotateAuditKey(app: AppContext, caller: Caller, input: { leaked: boolean }): Promise<Keys> {
  const proof = await authorizePlatform(app, caller, 'platform.key.rotate');
  const person = requirePerson(caller);
  await requireConfirmed(app, person, 'keys.rotate');
  const now = app.clock.now();
  const before = await currentSigner(app);
  const key = makeAuditKey(app.secrets);
  const signed = before.sign('succession', { at: now.toISOString(), next: key.id });
  await transact(app.db, async (trx) => {
    const succession = input.leaked ? null : signed;
    if (!(await replaceAuditKey(trx, proof, before.key, { ...key, succession }, now))) {
      throw new BerthError('conflict', 'Somebody else changed the key just now.');
    }
    await record(trx, person, {
      action: 'platform.keys.rotate-audit',
      targetKind: 'installation',
      target: app.config.domain,
      before: { signing: before.key },
      after: { signing: key.id, leaked: input.leaked },
    });
  });
  return listKeys(app, caller);
}
