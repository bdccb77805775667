/** What somebody may do with a thing, or why not, in words. */
import { type Action, NOT_GRANTED, type Role, roleMay } from '#domain/authz.ts';
import { BerthError } from '#domain/errors.ts';
import type { Ability } from '#domain/instances.ts';

/** A role's refusal in words. */
export function roleRefusal(role: Role | null): string {
  return role === null || role === 'guest' ? NOT_GRANTED : `Your role (${role}) does not allow this.`;
}

export function roleAbility(role: Role | null, action: Action): Ability {
  return role !== null && roleMay(role, action) ? true : roleRefusal(role);
}

export const tooMuchReason = 'Your role does not allow handing out or taking away this much.';

/** When somebody would hand out or take away more than they hold. */
export function tooMuch(): BerthError {
  return new BerthError('state_conflict', tooMuchReason);
}
