/**
 * Fresh confirmation before something dangerous (domain/factors.ts names what). It is kept on the session or token that
 * confirmed and nowhere else: another device of the same person confirms for itself.
 */
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { CONFIRMATION_MINUTES, type DangerousAction, dangerousActions } from '#domain/factors.ts';
import { verifyPassword } from '#server/runtime/passwords.ts';
import { recordForMember } from '#server/store/audit.ts';
import { type Db, transact } from '#server/store/database.ts';
import { ownPasswordHash } from '#server/store/identity.ts';
import { confirmedAt, setConfirmed } from '#server/store/sign-ins.ts';
import type { AppContext } from './context.ts';
import { type FactorAnswer, passkeyChallenge, proveFactor } from './factor-proofs.ts';
import { refusedSignIn } from './identity.ts';
import { renewSession } from './renewals.ts';

/**
 * First thing in a dangerous use case, after `authorize`; inside a transaction give it as `db`. Errors: step_up_required;
 * forbidden for service accounts, which cannot confirm.
 */
export async function requireConfirmed(
  app: AppContext,
  caller: PersonCaller,
  action: DangerousAction,
  db: Db = app.db,
): Promise<void> {
  if (caller.serviceOf !== null) {
    throw new BerthError(
      'forbidden',
      `A person has to do this: a service account cannot confirm before ${dangerousActions[action]}.`,
    );
  }
  if ((await confirmedUntil(app, caller, db)) !== null) return;
  throw new BerthError('step_up_required', `Confirm that it is you before ${dangerousActions[action]}.`);
}

/** Null when nothing was confirmed lately. */
export async function confirmedUntil(app: AppContext, caller: PersonCaller, db: Db = app.db): Promise<Date | null> {
  const at = await confirmedAt(db, caller.credential);
  if (at === null) return null;
  const until = new Date(at.getTime() + CONFIRMATION_MINUTES * 60_000);
  return until > app.clock.now() ? until : null;
}

/** Errors: invalid_input (not the right answer), rate_limited. */
export async function confirm(
  app: AppContext,
  caller: PersonCaller,
  answer: FactorAnswer | { type: 'password'; password: string },
): Promise<Date> {
  const owner = { purpose: 'confirm', userId: caller.userId } as const;
  const proven = answer.type === 'password' ? null : await proveFactor(app, caller.userId, answer, owner);
  const fits =
    answer.type === 'password'
      ? await verifyPassword(await ownPasswordHash(app.db, caller), answer.password)
      : proven !== null;
  const now = app.clock.now();
  const done =
    fits &&
    (await transact(app.db, async (trx) => {
      if (proven !== null && !(await proven.consume(trx))) return false;
      await setConfirmed(trx, caller.credential, now);
      await renewSession(app, trx, caller);
      await recordForMember(trx, caller, caller.userId, {
        action: 'account.confirm',
        targetKind: 'user',
        targetId: caller.userId,
        target: caller.email,
        after: { by: answer.type },
      });
      return true;
    }));
  if (!done) {
    await refusedSignIn(app, caller, 'account.confirm', caller.email, caller.userId);
    const field = answer.type === 'password' ? 'password' : answer.type === 'passkey' ? 'passkey' : 'code';
    throw new BerthError('invalid_input', 'That did not work. Check it and try again.', {
      fields: [{ field, message: 'Not right.' }],
    });
  }
  return new Date(now.getTime() + CONFIRMATION_MINUTES * 60_000);
}

export function confirmPasskeyOptions(app: AppContext, caller: PersonCaller): Promise<{ challenge: string }> {
  return passkeyChallenge(app, { purpose: 'confirm', userId: caller.userId }, caller.userId);
}
