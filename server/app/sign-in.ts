/**
 * Signing in. The first step proves a password or an outside identity and ends in `passFirstStep`: a session for who has
 * no second factor, else only a handle. The second step turns the handle into a session, once. A passkey alone is both
 * steps at once. Nothing else makes a session of an existing account.
 */
import type { PasskeyAnswer } from '#contract/factors.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { type FactorKind, SIGN_IN_MINUTES } from '#domain/factors.ts';
import type { OutsideSessionId } from '#domain/ids.ts';
import { verifyPassword } from '#server/runtime/passwords.ts';
import { recordForMember } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { kindsOf, readFactors } from '#server/store/factors.ts';
import { findAccount, revokeOwnSession, type User } from '#server/store/identity.ts';
import { bindOutsideSession } from '#server/store/linked-identities.ts';
import {
  attemptSignIn,
  findSignIn,
  findSignInUser,
  insertSignIn,
  type SignInProgress,
  type SignInPurpose,
  useSignIn,
} from '#server/store/sign-ins.ts';
import type { AppContext } from './context.ts';
import { type FactorAnswer, passkeyChallenge, proveFactor, provePasskey } from './factor-proofs.ts';
import { refusedSignIn, type SignedIn, startSession } from './identity.ts';
import { digest, makeSecret, sessionSecretPattern } from './tokens.ts';

/** What the first step was. */
export type FirstStep = 'password' | 'identity-provider';

/** `handle` goes into a cookie of this browser and nowhere else. */
export type SignInHandle = { handle: string; expiresAt: Date };
export type SignInStep =
  | { next: 'done'; signedIn: SignedIn }
  | ({ next: 'factor'; factors: FactorKind[] } & SignInHandle);

/** Errors: unauthenticated, the same for a wrong password, an unknown and a disabled account. */
export async function signIn(
  app: AppContext,
  caller: Caller,
  input: { email: string; password: string },
): Promise<SignInStep> {
  const account = await findAccount(app.db, input.email);
  const fits = await verifyPassword(account?.passwordHash ?? null, input.password);
  if (account === null || !fits || account.disabled) {
    await refusedSignIn(app, caller, 'session.create', input.email, account?.id ?? null);
    throw new BerthError('unauthenticated', 'The e-mail address or the password is not right.');
  }
  return passFirstStep(app, caller, account, 'password');
}

/**
 * After the first step was proven for `user`, who is not disabled: a session, or the handle of the second step. THE way
 * to sign an existing account in; never call `startSession` for one. `outsideSessionId`: what the session stands and falls
 * with.
 */
export async function passFirstStep(
  app: AppContext,
  caller: Caller,
  user: User,
  method: FirstStep,
  outsideSessionId: OutsideSessionId | null = null,
): Promise<SignInStep> {
  const factors = kindsOf(await readFactors(app.db, user.id));
  if (factors.length === 0) {
    return transact(app.db, async (trx) => ({
      next: 'done',
      signedIn: await enter(app, trx, caller, user, [method], outsideSessionId),
    }));
  }
  return transact(app.db, async (trx) => {
    const handle = await begin(app, trx, caller, 'factor', user, method, outsideSessionId);
    await recordForMember(trx, caller, user.id, {
      action: 'session.begin',
      targetKind: 'user',
      targetId: user.id,
      target: user.email,
      after: { method },
    });
    return { next: 'factor', factors, ...handle };
  });
}

/** The session of somebody who has proven everything that is asked of them. */
async function enter(
  app: AppContext,
  trx: Trx,
  caller: Caller,
  user: User,
  by: string[],
  outsideSessionId: OutsideSessionId | null,
): Promise<SignedIn> {
  const signedIn = await startSession(app, trx, user, caller.origin);
  await bindOutside(trx, signedIn, outsideSessionId);
  if (caller.kind === 'person' && caller.credential.via === 'session') {
    // Signing in over a session replaces it.
    await revokeOwnSession(trx, caller, caller.credential.sessionId, app.clock.now());
  }
  await recordForMember(trx, signedIn.person, user.id, {
    action: 'session.create',
    targetKind: 'user',
    targetId: user.id,
    target: user.email,
    after: { by },
  });
  return signedIn;
}

/** Errors: gone when the person was signed out at the provider between the two steps. */
export async function bindOutside(trx: Trx, { person }: SignedIn, id: OutsideSessionId | null): Promise<void> {
  if (id === null || person.credential.via !== 'session') return;
  if (!(await bindOutsideSession(trx, id, person.credential.sessionId))) throw over();
}

async function begin(
  app: AppContext,
  trx: Trx | AppContext['db'],
  caller: Caller,
  purpose: SignInPurpose,
  user: User | null,
  method: string,
  outsideSessionId: OutsideSessionId | null = null,
): Promise<SignInHandle> {
  const handle = makeSecret(app.ids);
  const now = app.clock.now();
  const expiresAt = new Date(now.getTime() + SIGN_IN_MINUTES * 60_000);
  await insertSignIn(trx, {
    id: app.ids.make('sin'),
    ...lookup(handle, purpose, caller),
    userId: user?.id ?? null,
    method,
    outsideSessionId,
    now,
    expiresAt,
  });
  return { handle, expiresAt };
}

/** The digest holds the purpose: a handle for one thing is not even found for another. */
function lookup(handle: string, purpose: SignInPurpose, caller: Caller) {
  return {
    purpose,
    tokenHash: digest(`sign-in ${purpose} ${handle}`),
    userAgent: caller.origin.userAgent ?? 'unknown',
  };
}

function over(): BerthError {
  return new BerthError(
    'gone',
    'This sign-in has ended: it took too long or there were too many attempts. Start again.',
  );
}

function notRight(): BerthError {
  return new BerthError('unauthenticated', 'That did not work. Check it and try again.');
}

/** Errors: gone (no sign-in in progress here), unauthenticated (not the right answer), rate_limited. */
export async function signInFactor(
  app: AppContext,
  caller: Caller,
  handle: string | null,
  answer: FactorAnswer,
): Promise<SignedIn> {
  const progress = await attempt(app, caller, handle, 'factor');
  const user = progress.userId === null ? null : await findSignInUser(app.db, progress.userId);
  if (user === null) throw over();
  const refuse = async (): Promise<never> => {
    await refusedSignIn(app, caller, 'session.factor', user.email, user.id);
    throw notRight();
  };
  const proven = await proveFactor(app, user.id, answer, { purpose: 'factor', signInId: progress.id });
  if (proven === null) return refuse();
  const signedIn = await finish(app, caller, progress, user, proven.consume, [progress.method, proven.kind]);
  return signedIn ?? refuse();
}

/** A challenge for the second step, or for signing in with a passkey alone; the latter comes with a handle of its own. */
export async function signInPasskeyOptions(
  app: AppContext,
  caller: Caller,
  handle: string | null,
  purpose: 'sign-in' | 'factor',
): Promise<{ options: { challenge: string }; handle: SignInHandle | null }> {
  if (purpose === 'factor') {
    const progress = await current(app, caller, handle, 'factor');
    const owner = { purpose: 'factor', signInId: progress.id } as const;
    return { options: await passkeyChallenge(app, owner, progress.userId), handle: null };
  }
  const made = await begin(app, app.db, caller, 'passkey', null, 'passkey');
  const progress = await current(app, caller, made.handle, 'passkey');
  const options = await passkeyChallenge(app, { purpose: 'passkey', signInId: progress.id }, null);
  return { options, handle: made };
}

/** Errors: gone (no challenge of this browser), unauthenticated (unknown passkey, disabled account, wrong answer). */
export async function signInPasskey(
  app: AppContext,
  caller: Caller,
  handle: string | null,
  answer: PasskeyAnswer,
): Promise<SignedIn> {
  const progress = await attempt(app, caller, handle, 'passkey');
  const owner = { purpose: 'passkey', signInId: progress.id } as const;
  const proven = await provePasskey(app, answer, owner, { userId: null });
  const user = proven === null ? null : await findSignInUser(app.db, proven.userId);
  const signedIn =
    proven === null || user === null ? null : await finish(app, caller, progress, user, proven.consume, ['passkey']);
  if (signedIn !== null) return signedIn;
  await refusedSignIn(app, caller, 'session.passkey', user?.email ?? 'a passkey', user?.id ?? null);
  throw notRight();
}

/** Uses up handle and factor and makes the session, all or nothing; null when another request was first. */
async function finish(
  app: AppContext,
  caller: Caller,
  progress: SignInProgress,
  user: User,
  consume: (trx: Trx) => Promise<boolean>,
  by: string[],
): Promise<SignedIn | null> {
  const lost = new Error('lost');
  return transact(app.db, async (trx) => {
    if (!(await useSignIn(trx, progress.id, app.clock.now()))) throw lost;
    if (!(await consume(trx))) throw lost;
    return enter(app, trx, caller, user, by, progress.outsideSessionId);
  }).catch((error: unknown) => {
    if (error === lost) return null;
    throw error;
  });
}

async function attempt(app: AppContext, caller: Caller, handle: string | null, purpose: SignInPurpose) {
  if (handle === null || !sessionSecretPattern.test(handle)) throw over();
  const progress = await attemptSignIn(app.db, lookup(handle, purpose, caller), app.clock.now());
  if (progress === null) throw over();
  return progress;
}

async function current(app: AppContext, caller: Caller, handle: string | null, purpose: SignInPurpose) {
  if (handle === null || !sessionSecretPattern.test(handle)) throw over();
  const progress = await findSignIn(app.db, lookup(handle, purpose, caller), app.clock.now());
  if (progress === null) throw over();
  return progress;
}
