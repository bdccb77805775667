/**
 * New secrets for browser sessions when what they stand for changes: the password, a second factor, a confirmation, a
 * role. A copy of the old cookie is worth nothing from then on (but for reading, for RENEWAL_GRACE_SECONDS: requests
 * that were under way). The HTTP layer hands the new secret to the browser that made the request.
 */
import type { PersonCaller } from '#domain/caller.ts';
import { RENEWAL_GRACE_SECONDS } from '#domain/sessions.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { renewOwnSession } from '#server/store/sessions.ts';
import type { AppContext } from './context.ts';
import { digest, makeSecret } from './tokens.ts';

export type Renewal = { secret: string; expiresAt: Date };

/** By the caller of one request; nothing outlives it. */
const renewals = new WeakMap<PersonCaller, Renewal>();
const asked = new WeakSet<PersonCaller>();

/** Somebody changed what this person may do: `renewIfAsked` will renew. */
export function askForRenewal(person: PersonCaller): void {
  asked.add(person);
}

/** In the transaction of the change. Programs keep their tokens: those are never in a browser. */
export async function renewSession(app: AppContext, trx: Trx, person: PersonCaller): Promise<void> {
  await renew(app, trx, person, false);
}

/** Before a request that only reads is answered and can carry a cookie; two at once renew once. */
export async function renewIfAsked(app: AppContext, person: PersonCaller): Promise<void> {
  if (asked.delete(person)) await transact(app.db, (trx) => renew(app, trx, person, true));
}

async function renew(app: AppContext, trx: Trx, person: PersonCaller, ifAsked: boolean): Promise<void> {
  const secret = makeSecret(app.ids);
  const now = app.clock.now();
  const graceUntil = new Date(now.getTime() + RENEWAL_GRACE_SECONDS * 1000);
  const done = await renewOwnSession(trx, person, { tokenHash: digest(secret), graceUntil, now }, ifAsked);
  if (done && person.expiresAt !== null) renewals.set(person, { secret, expiresAt: person.expiresAt });
}

/** The new secret, once; null when nothing was renewed. */
export function takeRenewal(person: PersonCaller): Renewal | null {
  const renewal = renewals.get(person) ?? null;
  renewals.delete(person);
  return renewal;
}
