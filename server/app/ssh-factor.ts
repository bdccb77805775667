/**
 * The second factor at the SSH gateway, of somebody who has proven a key there, where the organization of the server asks
 * for both. The gateway hands on what was typed and is told whether it was right; edge learns it from the database, never
 * from the gateway.
 */
import type { ServerSshBody } from '#contract/ssh-gateway.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { reserve } from '#server/runtime/rate-limit.ts';
import { recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { kindsOf, readFactors } from '#server/store/factors.ts';
import { addHit, removeHit } from '#server/store/rate-windows.ts';
import { insertSshFactor } from '#server/store/ssh-factors.ts';
import type { AppContext } from './context.ts';
import { proveFactor } from './factor-proofs.ts';
import { refusedSignIn } from './identity.ts';
import { personOf } from './ssh-sessions.ts';

/**
 * Errors: unauthenticated (not right), rate_limited, conflict (they have nothing that can be typed), not_found (nobody
 * such).
 */
export async function proveSshFactor(app: AppContext, body: ServerSshBody<'factor'>): Promise<void> {
  const { session, user } = body;
  const person = await personOf(app, user, body);
  if (person === null) throw notFound('person');
  const kinds = kindsOf(await readFactors(app.db, user));
  if (!kinds.includes('totp') && !kinds.includes('recovery')) {
    throw new BerthError('conflict', 'This account has no second factor that can be typed.');
  }
  const counter = {
    add: (hit: Parameters<typeof addHit>[1]) => addHit(app.db, hit),
    remove: (hit: Parameters<typeof removeHit>[1]) => removeHit(app.db, hit),
  };
  // As at any other door: wrong answers of an account are counted, right ones are not.
  const attempt = await reserve(counter, app.clock, 'signIn', `ssh-factor ${user}`, app.rates.rules.signIn);
  const refuse = async (): Promise<never> => {
    await refusedSignIn(app, person, 'instance.ssh.factor', person.email, user);
    throw new BerthError('unauthenticated', 'That is not the code.');
  };
  const code = body.code.replace(/\s/g, '');
  const answer = /^\d{6}$/.test(code) ? ({ type: 'totp', code } as const) : ({ type: 'recovery', code } as const);
  const proven = await proveFactor(app, user, answer, { purpose: 'confirm', userId: user });
  if (proven === null) return refuse();
  const isIn = await transact(app.db, async (trx) => {
    if (!(await proven.consume(trx))) return false;
    await insertSshFactor(trx, { session, user, now: app.clock.now() });
    await recordForMember(trx, person, user, {
      action: 'instance.ssh.factor',
      targetKind: 'user',
      targetId: user,
      target: person.email,
      after: { session, by: proven.kind },
    });
    return true;
  });
  if (!isIn) return refuse();
  await attempt.refund();
}
