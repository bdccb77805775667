/** Forgets what only had a short purpose: hints, rate windows, sessions long over, idempotency keys. */

import { rateLimitNames, rateLimits } from '#domain/rate-limits.ts';
import { SSH_FACTOR_HOURS, SSH_SESSION_DAYS } from '#domain/ssh.ts';
import { sweepAccountLinks } from './account.ts';
import type { Db } from './database.ts';
import { sweepDeviceLogins } from './device-logins.ts';
import { sweepSessions } from './identity.ts';
import { sweepKnownAddresses } from './known-addresses.ts';
import { sweepMails } from './mail.ts';
import { sweepOidcRecords } from './oidc-records.ts';
import { sweepOutbox } from './outbox.ts';
import { sweepOutsideSignIns } from './outside-sign-ins.ts';
import { sweepRateWindows } from './rate-windows.ts';
import { sweepRegistrations } from './registration.ts';
import { sweepRefreshTokens } from './sessions.ts';
import { sweepSignIns } from './sign-ins.ts';
import { sweepSshFactors } from './ssh-factors.ts';
import { sweepSshSessions } from './ssh-sessions.ts';

const HOUR_MS = 3600 * 1000;
/** How long a console may be away and still resume without a full refetch. */
export const OUTBOX_HOURS = 6;
const RATE_WINDOW_HOURS = 3;
/** Classes whose windows are a minute long: many rows, of no use soon. */
const shortClasses = rateLimitNames.filter((name) => rateLimits[name].windowSeconds === 60);
const SHORT_WINDOW_MINUTES = 5;
/** How long an address counts as known after the last sign-in from there. */
export const KNOWN_ADDRESS_DAYS = 90;
const SESSION_DAYS = 30;
/** How long administrators see what became of a mail. */
export const MAIL_DAYS = 30;
export const IDEMPOTENCY_HOURS = 48;

/** Safe to run in every replica at once. */
export async function sweep(db: Db, now: Date): Promise<void> {
  const ago = (ms: number) => new Date(now.getTime() - ms);
  await sweepOutbox(db, ago(OUTBOX_HOURS * HOUR_MS));
  await sweepRateWindows(db, ago(RATE_WINDOW_HOURS * HOUR_MS), shortClasses, ago(SHORT_WINDOW_MINUTES * 60_000));
  await sweepKnownAddresses(db, ago(KNOWN_ADDRESS_DAYS * 24 * HOUR_MS));
  await sweepSignIns(db, ago(HOUR_MS));
  await sweepDeviceLogins(db, ago(HOUR_MS));
  await sweepRefreshTokens(db, now);
  await sweepAccountLinks(db, ago(HOUR_MS));
  await sweepRegistrations(db, now);
  await sweepMails(db, ago(MAIL_DAYS * 24 * HOUR_MS));
  await sweepOutsideSignIns(db, ago(HOUR_MS));
  await sweepOidcRecords(db, now);
  await sweepSshFactors(db, ago(SSH_FACTOR_HOURS * HOUR_MS));
  await sweepSshSessions(db, ago(SSH_SESSION_DAYS * 24 * HOUR_MS));
  await sweepSessions(db, ago(SESSION_DAYS * 24 * HOUR_MS));
  await db
    .deleteFrom('idempotency')
    .where('created_at', '<', ago(IDEMPOTENCY_HOURS * HOUR_MS))
    .execute();
}
