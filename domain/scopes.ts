/**
 * Scopes narrow what a token may do; they never widen it: the rights of its person are looked up all the same. A scope
 * is an action (`instance.read`), everything about a resource (`instance.*`) or all reading (`*.read`). No list at all:
 * whatever the person may do.
 */
import { type Action, actions, type PlatformAction, platformActions } from './authz.ts';
import { BerthError } from './errors.ts';

/** What the own account needs: its data, and changes to it. */
export const accountActions = ['account.read', 'account.update'] as const;
export type AccountAction = (typeof accountActions)[number];
export type ScopedAction = Action | PlatformAction | AccountAction;

export type Scopes = readonly string[] | null;

const all: readonly ScopedAction[] = [...accountActions, ...actions, ...platformActions];
export const READ_SCOPE = '*.read';
/** Last parts of actions that change nothing and open nothing. */
const reading = new Set(['read', 'list', 'inspect']);

/** 'platform.image.build' -> 'platform.image'. */
export function resourceOf(action: string): string {
  return action.slice(0, action.lastIndexOf('.'));
}

/** Every scope there is: for choosing and for checking. */
export const scopeNames: readonly string[] = [
  READ_SCOPE,
  ...new Set(all.flatMap((action) => [`${resourceOf(action)}.*`, action])),
];
const known = new Set(scopeNames);

export function isScope(text: string): boolean {
  return known.has(text);
}

function covers(scope: string, action: string): boolean {
  if (scope === action) return true;
  if (scope === READ_SCOPE) return reading.has(action.slice(action.lastIndexOf('.') + 1));
  return scope.endsWith('.*') && resourceOf(action) === scope.slice(0, -2);
}

export function scopesAllow(scopes: Scopes, action: ScopedAction): boolean {
  return scopes === null || scopes.some((scope) => covers(scope, action));
}

/** True when `inner` allows nothing that `outer` does not. */
export function scopesWithin(inner: Scopes, outer: Scopes): boolean {
  if (outer === null) return true;
  if (inner === null) return false;
  return all.every((action) => !scopesAllow(inner, action) || scopesAllow(outer, action));
}

/** Errors: forbidden when a token's scopes do not hold `action`. Says nothing about what exists. */
export function refuseBeyondScopes(scopes: Scopes, action: ScopedAction): void {
  if (scopesAllow(scopes, action)) return;
  throw new BerthError('forbidden', `This token may not do that: it lacks the scope ${action}.`);
}
