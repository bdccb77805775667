/** One-time codes of authenticator apps (RFC 6238: SHA-1, six digits, 30 seconds: what every app can). */
import { generateSecret, generateURI, verifySync } from 'otplib';
import { TOTP_PERIOD_SECONDS } from '#domain/factors.ts';

/** 160 bits in base 32. */
export function makeTotpSecret(): string {
  return generateSecret({ length: 20 });
}

/** What the QR code says: `otpauth://totp/...`. */
export function totpUri(secret: string, account: string, issuer: string): string {
  return generateURI({ issuer, label: account, secret, period: TOTP_PERIOD_SECONDS });
}

/**
 * Number of the time step whose code this is: now, the one before or the one after; null for anything else. Whether the
 * step was used already is the caller's matter.
 */
export function totpStep(secret: string, code: string, now: Date): number | null {
  const result = verifySync({
    secret,
    token: code,
    epoch: Math.floor(now.getTime() / 1000),
    epochTolerance: TOTP_PERIOD_SECONDS,
    period: TOTP_PERIOD_SECONDS,
  });
  return result.valid && 'timeStep' in result ? result.timeStep : null;
}
