/** The resolver that instances ask: where it listens, and how long rules believe what it answered. Pure. */

/** Past the lifetime of an answer its addresses stay with the rules for this long: programs use what they just asked. */
export const NAME_GRACE_SECONDS = 120;
/** Addresses that stand for the names of one rule at a time, in each family. */
export const ADDRESSES_PER_NAME_RULE_MAX = 4_096;
/** Questions a second that one instance may ask; bursts of twice as many. */
export const DNS_QUESTIONS_PER_SECOND_MAX = 300;

/**
 * Addresses of the installation's own that only its instances are led to: link-local, so that nothing routes to it from
 * outside, and in the last network of the unique-local prefix.
 */
export function resolverAddresses(installation: string, prefix6: string): { address4: string; address6: string } {
  let hash = 0;
  for (const char of installation) hash = (hash * 31 + char.charCodeAt(0)) % 0x7fffffff;
  // 64 to 163: far from what clouds use (169 and 170) and from both ends, which are reserved.
  return {
    address4: `169.254.${64 + (hash % 100)}.${1 + (Math.floor(hash / 100) % 254)}`,
    address6: `${prefix6}:ffff::53`,
  };
}
