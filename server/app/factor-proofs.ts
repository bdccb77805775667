/**
 * Proving a second factor, in two halves: `proveFactor` looks whether an answer is right, `consume` uses it up inside
 * the transaction of what it allows. Between the halves another request may win: then `consume` says no.
 */
import { Buffer } from 'node:buffer';
import type { PasskeyAnswer } from '#contract/factors.ts';
import { type FactorKind, normaliseRecoveryCode, PASSKEY_CHALLENGE_MINUTES } from '#domain/factors.ts';
import type { UserId } from '#domain/ids.ts';
import {
  authenticationOptions,
  challengeOf,
  type PasskeySite,
  verifyAuthentication,
} from '#server/runtime/passkeys.ts';
import { type RateRule, reserve } from '#server/runtime/rate-limit.ts';
import { totpStep } from '#server/runtime/totp.ts';
import type { Trx } from '#server/store/database.ts';
import {
  findPasskey,
  listPasskeys,
  totpSecret,
  usePasskey,
  useRecoveryCode,
  useTotpStep,
} from '#server/store/factors.ts';
import { addHit, removeHit } from '#server/store/rate-windows.ts';
import { type ChallengeOwner, insertChallenge, takeChallenge } from '#server/store/sign-ins.ts';
import type { AppContext } from './context.ts';
import { digest } from './tokens.ts';

/**
 * Wrong codes of an authenticator app per account, from wherever they come: at this pace guessing one takes years. Who
 * is slowed down by somebody else's guesses still has passkeys and recovery codes.
 */
export const TOTP_ATTEMPTS: RateRule = { limit: 10, windowSeconds: 3600 };

export type FactorAnswer =
  | { type: 'totp'; code: string }
  | { type: 'recovery'; code: string }
  | { type: 'passkey'; passkey: PasskeyAnswer };

/** A right answer. `consume` is false when it was used up meanwhile. */
export type ProvenFactor = { kind: FactorKind; consume(trx: Trx): Promise<boolean> };

export function passkeySite(app: AppContext): PasskeySite {
  return { rpId: app.config.domain, origin: app.config.consoleOrigin, name: `Berth ${app.config.domain}` };
}

/** Where a person's key of an authenticator app is sealed to. */
export function totpPlace(userId: UserId) {
  return { table: 'totp', row: userId, column: 'secret_sealed' };
}

export function recoveryHash(userId: UserId, code: string): Buffer {
  return digest(`recovery code ${userId} ${code}`);
}

/** `owner` is what a passkey's challenge must have been made for. Errors: rate_limited (codes of the app). */
export async function proveFactor(
  app: AppContext,
  userId: UserId,
  answer: FactorAnswer,
  owner: ChallengeOwner,
): Promise<ProvenFactor | null> {
  if (answer.type === 'passkey') return provePasskey(app, answer.passkey, owner, { userId });
  if (answer.type === 'totp') return proveTotp(app, userId, answer.code);
  const code = normaliseRecoveryCode(answer.code);
  if (code === null) return null;
  const hash = recoveryHash(userId, code);
  return { kind: 'recovery', consume: (trx) => useRecoveryCode(trx, userId, hash, app.clock.now()) };
}

async function proveTotp(app: AppContext, userId: UserId, code: string): Promise<ProvenFactor | null> {
  const attempt = await countTotpAttempt(app, userId);
  const stored = await totpSecret(app.db, userId, 'confirmed');
  if (stored === null) return null;
  const { sealed } = stored;
  const step = totpStep(app.secrets.open(totpPlace(userId), sealed), code, app.clock.now());
  // Counting what was used already as a wrong answer: it may be somebody who looked over a shoulder.
  if (step === null || (stored.lastStep !== null && step <= stored.lastStep)) return null;
  await attempt.refund();
  return { kind: 'totp', consume: (trx) => useTotpStep(trx, userId, sealed, step) };
}

/** Counts an attempt before the code is looked at. Errors: rate_limited. */
export function countTotpAttempt(app: AppContext, userId: UserId) {
  const counter = {
    add: (hit: Parameters<typeof addHit>[1]) => addHit(app.db, hit),
    remove: (hit: Parameters<typeof removeHit>[1]) => removeHit(app.db, hit),
  };
  return reserve(counter, app.clock, 'totp', userId, TOTP_ATTEMPTS);
}

/** `expected.userId` null: whoever the passkey belongs to; then the person must have been verified by the device. */
export async function provePasskey(
  app: AppContext,
  answer: PasskeyAnswer,
  owner: ChallengeOwner,
  expected: { userId: UserId | null },
): Promise<(ProvenFactor & { userId: UserId }) | null> {
  const challenge = challengeOf(answer);
  if (challenge === null) return null;
  if (!(await takeChallenge(app.db, challengeHash(challenge), owner, app.clock.now()))) return null;
  const passkey = await findPasskey(app.db, answer.id);
  if (passkey === null || (expected.userId !== null && passkey.userId !== expected.userId)) return null;
  const { userHandle } = answer.response;
  if (typeof userHandle === 'string' && Buffer.from(userHandle, 'base64url').toString('utf8') !== passkey.userId) {
    return null;
  }
  const counter = await verifyAuthentication(passkeySite(app), answer, challenge, passkey, expected.userId === null);
  if (counter === null) return null;
  return {
    kind: 'passkey',
    userId: passkey.userId,
    consume: (trx) => usePasskey(trx, passkey.id, counter, app.clock.now()),
  };
}

/** Options with a fresh challenge for `owner`. `userId` null: any passkey of this installation. */
export async function passkeyChallenge(
  app: AppContext,
  owner: ChallengeOwner,
  userId: UserId | null,
): Promise<{ challenge: string }> {
  const known = userId === null ? null : await listPasskeys(app.db, userId);
  const options = await authenticationOptions(passkeySite(app), known, await makeChallenge(app, owner));
  return options;
}

/** 256 bits, kept as a digest. */
export async function makeChallenge(app: AppContext, owner: ChallengeOwner): Promise<Buffer> {
  const challenge = app.ids.random(32);
  const now = app.clock.now();
  await insertChallenge(app.db, {
    hash: challengeHash(challenge.toString('base64url')),
    owner,
    now,
    expiresAt: new Date(now.getTime() + PASSKEY_CHALLENGE_MINUTES * 60_000),
  });
  return challenge;
}

export function challengeHash(challenge: string): Buffer {
  return digest(`passkey challenge ${challenge}`);
}
