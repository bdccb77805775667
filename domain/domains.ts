/**
 * Domains of tenants' own: which names may be claimed, what proves a claim, and who wins when several claim one name.
 * A proven domain covers itself and every name below it that nobody else has proven.
 */
import { hostnameProblem } from './names.ts';

export const domainStates = ['pending', 'verified', 'lost'] as const;
export type DomainState = (typeof domainStates)[number];

/**
 * `txt`: the claim's own TXT record. `cname`: the name is an alias of an address of this project. `address`: the name
 * has this installation's addresses, which does not say whose it is there.
 */
export const domainProofs = ['txt', 'cname', 'address'] as const;
export type DomainProof = (typeof domainProofs)[number];

export const DOMAINS_PER_PROJECT_MAX = 50;
/** How long a claim may stay unproven. */
export const DOMAIN_CLAIM_DAYS = 7;
/** How long a proof may be missing before the domain counts as lost and its routes stop. */
export const DOMAIN_GRACE_DAYS = 7;
/** How often a proven domain is looked at. */
export const DOMAIN_CHECK_HOURS = 6;
/** How often one that is not proven (or whose proof is missing) is, for the first hour and then. */
export const DOMAIN_PENDING_MINUTES = 1;
export const DOMAIN_PENDING_LATER_MINUTES = 15;

const CHALLENGE_LABEL = '_berth-challenge';
/** Room for the challenge's label in front. */
const NAME_LENGTH_MAX = 253 - CHALLENGE_LABEL.length - 1;

/** The name at which the TXT record is looked for. */
export function challengeName(domain: string): string {
  return `${CHALLENGE_LABEL}.${domain}`;
}

/** What the TXT record says. */
export function challengeValue(token: string): string {
  return `berth-verify=${token}`;
}

/** Why nobody can claim `name`, for people; null when they can. `platform` is the installation's own domain. */
export function domainNameProblem(name: string, platform: string): string | null {
  const problem = hostnameProblem(name);
  if (problem !== null) return problem;
  if (name.length > NAME_LENGTH_MAX) return `At most ${NAME_LENGTH_MAX} characters.`;
  if (name === platform || name.endsWith(`.${platform}`)) {
    return `Names under ${platform} need no domain: use them in a route as they are.`;
  }
  return null;
}

/** `name` and everything above it with at least two labels: whoever has proven one of these may use `name`. */
export function coveringNames(name: string): string[] {
  const labels = name.split('.');
  return labels.slice(0, -1).map((_, at) => labels.slice(at).join('.'));
}

/** Whether a proof says whose the name is. One that only says "here" gives way to one that does. */
export function isStrongProof(proof: DomainProof): boolean {
  return proof !== 'address';
}

const MINUTE_MS = 60_000;

/** When (Unix ms) to look again: soon while somebody waits, seldom when all is well. */
export function nextCheckAt(
  domain: { state: DomainState; createdAt: number; failingSince: number | null },
  now: number,
): number {
  if (domain.state === 'verified' && domain.failingSince === null) return now + DOMAIN_CHECK_HOURS * 60 * MINUTE_MS;
  const waiting = now - (domain.failingSince ?? domain.createdAt);
  return now + (waiting < 60 * MINUTE_MS ? DOMAIN_PENDING_MINUTES : DOMAIN_PENDING_LATER_MINUTES) * MINUTE_MS;
}
