/** The own second factors: setting up, renaming, removing; the reset for somebody who lost theirs. */
import type { PasskeyRegistration } from '#contract/factors.ts';
import { mayChangeRole } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import {
  makeRecoveryCode,
  PASSKEYS_PER_USER_MAX,
  RECOVERY_CODE_BYTES,
  RECOVERY_CODES,
  TOTP_ENROL_MINUTES,
} from '#domain/factors.ts';
import type { OrganizationId, PasskeyId, UserId } from '#domain/ids.ts';
import { challengeOf, registrationOptions, verifyRegistration } from '#server/runtime/passkeys.ts';
import { makeTotpSecret, totpStep, totpUri } from '#server/runtime/totp.ts';
import { type AuditInput, record, recordForMember } from '#server/store/audit.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import {
  beginTotp,
  belongsHereAlone,
  confirmTotp,
  deletePasskey,
  deleteTotp,
  type Factors,
  insertPasskey,
  kindsOf,
  listPasskeys,
  lockPerson,
  organizationsThatAsk,
  type Passkey,
  readFactors,
  refreshSecondFactor,
  renamePasskey,
  replaceRecoveryCodes,
  resetFactors,
  totpSecret,
} from '#server/store/factors.ts';
import { endOtherSessions, ownPasswordHash } from '#server/store/identity.ts';
import { lockMember } from '#server/store/members.ts';
import { takeChallenge } from '#server/store/sign-ins.ts';
import { tooMuch } from './abilities.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import {
  challengeHash,
  countTotpAttempt,
  makeChallenge,
  passkeySite,
  recoveryHash,
  totpPlace,
} from './factor-proofs.ts';
import { renewSession } from './renewals.ts';
import { confirmedUntil, requireConfirmed } from './step-up.ts';

export type Security = Factors & {
  hasPassword: boolean;
  requiredBy: string[];
  confirmWith: ('password' | 'totp' | 'passkey' | 'recovery')[];
  confirmedUntil: Date | null;
};

export async function readSecurity(app: AppContext, caller: PersonCaller): Promise<Security> {
  const factors = await readFactors(app.db, caller.userId);
  const hasPassword = (await ownPasswordHash(app.db, caller)) !== null;
  return {
    ...factors,
    hasPassword,
    requiredBy: await organizationsThatAsk(app.db, caller.userId),
    confirmWith: [...(hasPassword ? (['password'] as const) : []), ...kindsOf(factors)],
    confirmedUntil: await confirmedUntil(app, caller),
  };
}

type OwnChange = Pick<AuditInput, 'action' | 'before' | 'after'>;

function note(trx: Trx, caller: PersonCaller, change: OwnChange): Promise<void> {
  const target = { targetKind: 'user', targetId: caller.userId, target: caller.email };
  return recordForMember(trx, caller, caller.userId, { ...target, ...change });
}

/** After the first factor: recovery codes, which are answered once, and the end of sessions that began without it. */
async function afterFirst(app: AppContext, trx: Trx, caller: PersonCaller, had: boolean): Promise<string[] | null> {
  await refreshSecondFactor(trx, caller.userId);
  await renewSession(app, trx, caller);
  if (had) return null;
  await endOtherSessions(trx, caller, app.clock.now());
  return giveRecoveryCodes(app, trx, caller.userId);
}

async function giveRecoveryCodes(app: AppContext, trx: Trx, userId: UserId): Promise<string[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, () => makeRecoveryCode(app.ids.random(RECOVERY_CODE_BYTES)));
  const hashes = codes.map((code) => recoveryHash(userId, code.replaceAll('-', '')));
  await replaceRecoveryCodes(trx, userId, hashes, app.clock.now());
  return codes;
}

/** Whether the person has a factor; under the lock of `lockPerson`. */
async function hasFactor(trx: Trx, userId: UserId): Promise<boolean> {
  return kindsOf(await readFactors(trx, userId)).length > 0;
}

/** Errors: step_up_required, conflict (there is one already). */
export async function beginTotpSetup(app: AppContext, caller: PersonCaller): Promise<{ secret: string; uri: string }> {
  await requireConfirmed(app, caller, 'factors.change');
  const secret = makeTotpSecret();
  const sealed = app.secrets.seal(totpPlace(caller.userId), secret);
  await transact(app.db, async (trx) => {
    if (!(await beginTotp(trx, caller.userId, sealed, app.clock.now()))) {
      throw new BerthError('conflict', 'You have an authenticator app already. Remove it first.');
    }
    await note(trx, caller, { action: 'account.totp.begin' });
  });
  return { secret, uri: totpUri(secret, caller.email, `Berth ${app.config.domain}`) };
}

/** Recovery codes when this is the first factor. Errors: invalid_input (wrong code), conflict (begin again), rate_limited. */
export async function confirmTotpSetup(app: AppContext, caller: PersonCaller, code: string): Promise<string[] | null> {
  await requireConfirmed(app, caller, 'factors.change');
  const attempt = await countTotpAttempt(app, caller.userId);
  const now = app.clock.now();
  const pendingSince = new Date(now.getTime() - TOTP_ENROL_MINUTES * 60_000);
  const pending = await totpSecret(app.db, caller.userId, { pendingSince });
  if (pending === null) throw beginAgain();
  const step = totpStep(app.secrets.open(totpPlace(caller.userId), pending.sealed), code, now);
  if (step === null) {
    throw new BerthError('invalid_input', 'That is not the code. Is the clock of your device right?', {
      fields: [{ field: 'code', message: 'Not the code your app shows now.' }],
    });
  }
  await attempt.refund();
  return transact(app.db, async (trx) => {
    await lockPerson(trx, caller.userId);
    const had = await hasFactor(trx, caller.userId);
    if (!(await confirmTotp(trx, caller.userId, pending.sealed, step, now))) throw beginAgain();
    await note(trx, caller, { action: 'account.totp.confirm' });
    return afterFirst(app, trx, caller, had);
  });
}

function beginAgain(): BerthError {
  return new BerthError('conflict', 'There is no authenticator app to confirm. Begin again.');
}

/** Refuses to take away the last factor where an organization asks for one. Errors: conflict. */
async function afterRemoval(app: AppContext, trx: Trx, caller: PersonCaller): Promise<void> {
  await renewSession(app, trx, caller);
  if (await refreshSecondFactor(trx, caller.userId)) return;
  const [organization] = await organizationsThatAsk(trx, caller.userId);
  if (organization === undefined) return;
  throw new BerthError('conflict', `${organization} asks for a second factor. Add another one before you remove this.`);
}

/** Errors: step_up_required, not_found, conflict (an organization asks for one). */
export async function removeTotp(app: AppContext, caller: PersonCaller): Promise<void> {
  await requireConfirmed(app, caller, 'factors.change');
  await transact(app.db, async (trx) => {
    await lockPerson(trx, caller.userId);
    if (!(await deleteTotp(trx, caller.userId))) throw notFound('authenticator app');
    await afterRemoval(app, trx, caller);
    await note(trx, caller, { action: 'account.totp.remove' });
  });
}

/** Errors: step_up_required, conflict (no factor that they could stand in for). */
export async function newRecoveryCodes(app: AppContext, caller: PersonCaller): Promise<string[]> {
  await requireConfirmed(app, caller, 'factors.change');
  return transact(app.db, async (trx) => {
    await lockPerson(trx, caller.userId);
    if (!(await hasFactor(trx, caller.userId))) {
      throw new BerthError('conflict', 'Recovery codes stand in for a second factor. Set one up first.');
    }
    await note(trx, caller, { action: 'account.recovery-codes.create' });
    return giveRecoveryCodes(app, trx, caller.userId);
  });
}

/** Errors: step_up_required. */
export async function passkeyRegistrationOptions(
  app: AppContext,
  caller: PersonCaller,
): Promise<{ challenge: string }> {
  await requireConfirmed(app, caller, 'factors.change');
  const known = await listPasskeys(app.db, caller.userId);
  const challenge = await makeChallenge(app, { purpose: 'register', userId: caller.userId });
  return registrationOptions(passkeySite(app), caller, known, challenge);
}

/** Errors: step_up_required, invalid_input (not a right answer), conflict (known already, too many). */
export async function addPasskey(
  app: AppContext,
  caller: PersonCaller,
  input: { name: string; passkey: PasskeyRegistration },
): Promise<{ passkey: Passkey; recoveryCodes: string[] | null }> {
  await requireConfirmed(app, caller, 'factors.change');
  const now = app.clock.now();
  const challenge = challengeOf(input.passkey);
  const owner = { purpose: 'register', userId: caller.userId } as const;
  const mine = challenge !== null && (await takeChallenge(app.db, challengeHash(challenge), owner, now));
  const verified = mine ? await verifyRegistration(passkeySite(app), input.passkey, challenge) : null;
  if (verified === null) {
    throw new BerthError('invalid_input', 'The passkey was not accepted. Begin again.', {
      fields: [{ field: 'passkey', message: 'Not accepted.' }],
    });
  }
  return transact(app.db, async (trx) => {
    await lockPerson(trx, caller.userId);
    const had = await hasFactor(trx, caller.userId);
    if ((await listPasskeys(trx, caller.userId)).length >= PASSKEYS_PER_USER_MAX) {
      throw new BerthError('conflict', `You have ${PASSKEYS_PER_USER_MAX} passkeys. Remove one you do not need.`);
    }
    const fields = { id: app.ids.make('pky'), userId: caller.userId, name: input.name, createdAt: now };
    const passkey = await insertPasskey(trx, { ...fields, ...verified }).catch((error: unknown) => {
      if (isUniqueViolation(error)) throw new BerthError('conflict', 'This passkey is known already.');
      throw error;
    });
    await note(trx, caller, { action: 'account.passkeys.create', after: { name: passkey.name } });
    return { passkey, recoveryCodes: await afterFirst(app, trx, caller, had) };
  });
}

/** Errors: not_found. */
export async function updatePasskey(
  app: AppContext,
  caller: PersonCaller,
  id: PasskeyId,
  input: { name: string },
): Promise<Passkey> {
  return transact(app.db, async (trx) => {
    const renamed = await renamePasskey(trx, caller.userId, id, input.name);
    if (renamed === null) throw notFound('passkey');
    await note(trx, caller, {
      action: 'account.passkeys.update',
      before: { name: renamed.before },
      after: { name: input.name },
    });
    return renamed.passkey;
  });
}

/** Errors: step_up_required, not_found, conflict (an organization asks for a factor and this is the last). */
export async function removePasskey(app: AppContext, caller: PersonCaller, id: PasskeyId): Promise<void> {
  await requireConfirmed(app, caller, 'factors.change');
  await transact(app.db, async (trx) => {
    await lockPerson(trx, caller.userId);
    const name = await deletePasskey(trx, caller.userId, id);
    if (name === null) throw notFound('passkey');
    await afterRemoval(app, trx, caller);
    await note(trx, caller, { action: 'account.passkeys.delete', before: { name } });
  });
}

/** For somebody who lost their factors: ends their sessions, they sign in with the password and set up new ones. */
export async function resetUserFactors(app: AppContext, caller: PersonCaller, userId: UserId): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.user.factors');
  await requireConfirmed(app, caller, 'factors.reset');
  await transact(app.db, async (trx) => {
    const reset = await resetFactors(trx, proof, userId, app.clock.now());
    if (reset === null) throw notFound('person');
    await recordForMember(trx, caller, userId, {
      action: 'platform.users.factors.reset',
      targetKind: 'user',
      targetId: userId,
      target: reset.email,
      before: reset.before,
    });
  });
}

/**
 * The same by the people of an organization. An account is one person's in all their organizations, so nobody of one may
 * weaken it for the others. Errors: not_found, step_up_required, state_conflict (a higher role, or not theirs alone).
 */
export async function resetMemberFactors(
  app: AppContext,
  caller: PersonCaller,
  ref: { organization: OrganizationId; user: UserId },
): Promise<void> {
  const place = { kind: 'member', id: ref.user, organization: ref.organization } as const;
  const proof = await authorize(app, caller, 'member.factors', place);
  await requireConfirmed(app, caller, 'factors.reset');
  if (ref.user === caller.userId) {
    throw new BerthError('state_conflict', 'Your own second factors are under Account, Security.');
  }
  await transact(app.db, async (trx) => {
    const locked = await lockMember(trx, proof);
    if (locked === null || locked.actorRole === null) throw notFound('member');
    if (!mayChangeRole(locked.actorRole, locked.member.role, null)) throw tooMuch();
    if (!(await belongsHereAlone(trx, proof))) {
      throw new BerthError(
        'state_conflict',
        'This person belongs to other organizations as well, or administers the installation: a platform administrator has to do it.',
      );
    }
    const reset = await resetFactors(trx, proof, ref.user, app.clock.now());
    if (reset === null) throw notFound('member');
    await record(trx, caller, {
      action: 'members.factors.reset',
      targetKind: 'user',
      targetId: ref.user,
      target: reset.email,
      organizationId: proof.organization,
      before: reset.before,
    });
  });
}
