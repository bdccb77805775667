/** Lives of keys and of what they sign. */

/** RSA modulus of keys that sign tokens. */
export const SIGNING_KEY_BITS = 4096;
/** What a key signs: access tokens of Berth's own API, or what Berth tells apps about a person (OpenID Connect). */
export const signingPurposes = ['access', 'identity'] as const;
export type SigningPurpose = (typeof signingPurposes)[number];

/** A new signing key is published for this long before it signs, so that everybody who checks has fetched it. */
export const SIGNING_KEY_LEAD_MINUTES = 15;
/** How long what the old key signed is accepted after the new one took over; longer than any token it signed. */
export const SIGNING_KEY_OVERLAP_HOURS = 24;
/** How long public keys may be cached by those who check. */
export const JWKS_CACHE_SECONDS = 300;

/** A new sealing key is known to every replica for this long before it seals. */
export const SEALING_KEY_LEAD_SECONDS = 10;
/** An old sealing key that no row needs is kept for this long: a replica may have been about to write with it. */
export const SEALING_KEY_KEPT_MINUTES = 60;

export type SigningKeyState = 'waiting' | 'signing' | 'verifying';

/** What a key is for at `now`; `keys` are all of its purpose, newest `activeFrom` first. */
export function signingKeyState(
  key: { id: string; activeFrom: Date },
  keys: readonly { id: string; activeFrom: Date }[],
  now: Date,
): SigningKeyState {
  if (key.activeFrom > now) return 'waiting';
  return keys.find((candidate) => candidate.activeFrom <= now)?.id === key.id ? 'signing' : 'verifying';
}
