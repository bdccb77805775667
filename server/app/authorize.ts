/**
 * The one authorization door. Every use case begins with `authorize` and hands the proof on to the store; the look-up
 * itself and the proof's constructor live in store/authorized.ts, out of reach of everybody else.
 */
import type { Action, PlatformAction } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { type Authorized, authorizeRef, type Ref } from '#server/store/authorized.ts';
import type { AppContext } from './context.ts';

/** Inside a transaction there is only `db`: then the database is always asked. */
type Door = Pick<AppContext, 'db'> & Partial<Pick<AppContext, 'keptRights'>>;

/**
 * Proof that `caller` may do `action` to what `ref` names. Errors: unauthenticated; not_found (does not exist, is not
 * the caller's, or the role does not allow it: the three look alike).
 */
export async function authorize<R extends Ref, A extends Action | PlatformAction>(
  app: Door,
  caller: Caller,
  action: A,
  ref: R,
): Promise<Authorized<R['kind'], A>> {
  return authorizeRef(
    app.db,
    caller,
    action,
    ref,
    caller.kind === 'person' ? app.keptRights?.lookUp(caller) : undefined,
  );
}

/** Proof of a platform right, which belongs to no organization. Errors: unauthenticated, not_found. */
export async function authorizePlatform<A extends PlatformAction>(
  app: Door,
  caller: Caller,
  action: A,
): Promise<Authorized<'platform', A>> {
  return authorizeRef(app.db, caller, action, { kind: 'platform' });
}

/** The person calling. Errors: unauthenticated. */
export function requirePerson(caller: Caller): Extract<Caller, { kind: 'person' }> {
  if (caller.kind !== 'person') throw new BerthError('unauthenticated', 'Sign in first.');
  return caller;
}
