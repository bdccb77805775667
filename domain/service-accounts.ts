/**
 * Service accounts: principals of one organization that are no people. They act by tokens alone and never own anything:
 * whatever their groups and projects give, what counts is at most SERVICE_ROLE_MAX.
 */
import { highestRole, mayChangeRole, type Role, roleRank } from './authz.ts';

/** Everything but ownership: they are counted as nobody's successor and as no last owner. */
export const serviceRoles = ['admin', 'operator', 'member', 'viewer', 'guest'] as const satisfies readonly Role[];
export type ServiceRole = (typeof serviceRoles)[number];
export const SERVICE_ROLE_MAX = 'admin' satisfies ServiceRole;

export const SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX = 100;
/** Living ones of one account: enough to change over from an old one to a new one. */
export const SERVICE_TOKENS_MAX = 10;
/** There is no token of a service account that never expires. */
export const SERVICE_TOKEN_DAYS_MAX = 366;
export const SERVICE_TOKEN_DAYS_DEFAULT = 90;

const HANDLE_PREFIX = 'service:';

/** What stands where people have an e-mail address. No address looks like it. */
export function serviceHandle(name: string): string {
  return `${HANDLE_PREFIX}${name}`;
}

export function isServiceHandle(text: string): boolean {
  return text.startsWith(HANDLE_PREFIX);
}

/** The highest of `held` that counts for a service account. */
export function serviceRole(held: Iterable<Role | null>): ServiceRole | null {
  const role = highestRole(held);
  return role !== null && roleRank(role) > roleRank(SERVICE_ROLE_MAX) ? SERVICE_ROLE_MAX : (role as ServiceRole | null);
}

/**
 * Whether somebody with `actor` in the whole organization may make, change, disable or delete an account that holds
 * `held` anywhere (null: nothing), give it `to`, or make and revoke its tokens: whoever has a token of it has all it holds.
 */
export function mayManageService(actor: Role | null, held: Role | null, to: Role | null = held): boolean {
  return actor !== null && mayChangeRole(actor, held, to);
}
