/** Reading what a provider says about a person: never trusted to have the right type. */
import { GROUPS_MAX } from '#domain/identity-providers.ts';

const TEXT_MAX = 254;
const GROUP_LENGTH_MAX = 500;

export type Claims = Record<string, unknown>;

export function textClaim(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value.length <= TEXT_MAX ? value : null;
}

/** The address in lower case; null for what is none. */
export function emailClaim(value: unknown): string | null {
  const text = textClaim(value)?.toLowerCase() ?? null;
  return text !== null && /^[^\s@]+@[^\s@]+$/.test(text) ? text : null;
}

/** The value at a path with dots, where the name itself does not exist. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Claims)[part];
  }
  return at;
}

/** Groups of the first of `sources` that has the claim. Null when the provider leaves them out for being too many. */
export function groupsClaim(path: string | null, sources: readonly Claims[]): readonly string[] | null {
  if (path === null) return [];
  for (const source of sources) {
    const value = claimAt(source, path);
    if (typeof value === 'string') return [value];
    if (Array.isArray(value)) {
      return value
        .filter((item): item is string => typeof item === 'string' && item.length <= GROUP_LENGTH_MAX)
        .slice(0, GROUPS_MAX);
    }
    // Microsoft: "more groups than fit, ask elsewhere".
    const elsewhere = source['_claim_names'];
    if (typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, path)) return null;
  }
  return [];
}
