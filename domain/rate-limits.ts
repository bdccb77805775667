/**
 * How often somebody may call, by class of endpoint. Every class has a limit per account and a wider one per address
 * (an IPv4 address or an IPv6 /64: a school has many people behind one). Administrators change the numbers while Berth
 * runs; the lengths of time are fixed.
 */
export type RateRule = { limit: number; windowSeconds: number };

export const RATE_LIMIT_MAX = 10_000_000;

/** In the order of the admin page. */
export const rateLimits = {
  signIn: { limit: 5, windowSeconds: 900, title: 'Wrong passwords and codes, per account' },
  signInAddress: { limit: 30, windowSeconds: 900, title: 'Wrong passwords and codes, per address' },
  mail: { limit: 5, windowSeconds: 3600, title: 'Mails that a stranger can cause, per account' },
  mailAddress: { limit: 20, windowSeconds: 3600, title: 'Mails that a stranger can cause, per address' },
  provisioning: { limit: 20, windowSeconds: 3600, title: 'Calls that create instances and the like, per account' },
  provisioningAddress: { limit: 400, windowSeconds: 3600, title: 'The same, per address' },
  api: { limit: 100, windowSeconds: 60, title: 'Calls that change something, per account' },
  apiAddress: { limit: 1_000, windowSeconds: 60, title: 'The same, per address' },
  read: { limit: 3_000, windowSeconds: 60, title: 'Calls that only read, per account' },
  readAddress: { limit: 30_000, windowSeconds: 60, title: 'The same, per address' },
} as const satisfies Record<string, RateRule & { title: string }>;

export type RateLimitName = keyof typeof rateLimits;
export const rateLimitNames = Object.keys(rateLimits) as RateLimitName[];
export type RateRules = Record<RateLimitName, RateRule>;

/** Rules with other numbers where `limits` has some; later ones win. */
export function rateRules(...limits: (Partial<Record<RateLimitName, number | undefined>> | undefined)[]): RateRules {
  const limitOf = (name: RateLimitName) =>
    limits.reduce<number>((found, each) => each?.[name] ?? found, rateLimits[name].limit);
  return Object.fromEntries(
    rateLimitNames.map((name) => [name, { limit: limitOf(name), windowSeconds: rateLimits[name].windowSeconds }]),
  ) as RateRules;
}

/** So many wrong attempts cost nothing, whoever mistypes; each one after that doubles the wait. */
export const SIGN_IN_FREE_ATTEMPTS = 2;
export const SIGN_IN_WAIT_SECONDS_MAX = 60;

/** Attempts before waits begin, for an installation that allows `limit`: few limits leave few free ones. */
export function freeAttempts(limit: number): number {
  return Math.max(0, limit - (rateLimits.signIn.limit - SIGN_IN_FREE_ATTEMPTS));
}
