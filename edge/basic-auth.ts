/**
 * Passwords of routes (HTTP Basic). Checking one is slow on purpose, so a right one is remembered for a while, and wrong
 * ones are counted: a stranger can neither guess fast nor keep this process busy.
 */
import { createHash } from 'node:crypto';
import type { EdgeRoute } from './state.ts';

const GOOD_MS = 10 * 60_000;
const KNOWN_MAX = 5_000;
/** Wrong passwords of one address to one route before it has to wait. */
export const BASIC_FAILURES_MAX = 10;
export const BASIC_WAIT_MS = 60_000;
const CHECKS_AT_ONCE_MAX = 2;
const CHECKS_WAITING_MAX = 32;
const CREDENTIALS_LENGTH_MAX = 500;

type Failures = { count: number; until: number };

/** `good`: it is right. `wrong`: none, or not this one. `wait`: too many wrong ones. `unknown`: ask `learn` first. */
export type BasicVerdict = 'good' | 'wrong' | 'wait' | 'unknown';

export class BasicAuth {
  readonly #now: () => number;
  /** Digest of route, stored hash and credentials -> until when it is right. */
  readonly #good = new Map<string, number>();
  readonly #bad = new Map<string, number>();
  readonly #failures = new Map<string, Failures>();
  #checking = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  verdict(route: EdgeRoute, authorization: string, address: string): BasicVerdict {
    const auth = route.rules?.basicAuth;
    if (auth === undefined) return 'good';
    const given = credentials(authorization);
    if (given === null || given.user !== auth.user) return 'wrong';
    const key = keyOf(route, auth.hash, authorization);
    const now = this.#now();
    if ((this.#good.get(key) ?? 0) > now) return 'good';
    if ((this.#bad.get(key) ?? 0) > now) return 'wrong';
    const failures = this.#failures.get(`${route.id} ${address}`);
    if (failures !== undefined && failures.until > now && failures.count >= BASIC_FAILURES_MAX) return 'wait';
    return this.#waiting.length >= CHECKS_WAITING_MAX ? 'wait' : 'unknown';
  }

  /** Does the slow work; `verdict` knows afterwards. */
  async learn(route: EdgeRoute, authorization: string, address: string): Promise<void> {
    const auth = route.rules?.basicAuth;
    const given = credentials(authorization);
    if (auth === undefined || given === null) return;
    if (this.#checking >= CHECKS_AT_ONCE_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#checking++;
    try {
      // Only installations that use such a route pay for it.
      const { verify } = await import('@node-rs/argon2');
      const fits = await verify(auth.hash, given.password.normalize('NFC')).catch(() => false);
      const key = keyOf(route, auth.hash, authorization);
      const now = this.#now();
      if (fits) {
        remember(this.#good, key, now + GOOD_MS);
        return;
      }
      remember(this.#bad, key, now + BASIC_WAIT_MS);
      const place = `${route.id} ${address}`;
      const before = this.#failures.get(place);
      const isOld = before === undefined || before.until <= now;
      remember(this.#failures, place, {
        count: isOld ? 1 : before.count + 1,
        until: isOld ? now + BASIC_WAIT_MS : before.until,
      });
    } finally {
      this.#checking--;
      this.#waiting.shift()?.();
    }
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= KNOWN_MAX && !map.has(key)) map.clear();
  map.set(key, value);
}

function keyOf(route: EdgeRoute, hash: string, authorization: string): string {
  return createHash('sha256').update(`${route.id}\0${hash}\0${authorization}`).digest('base64url');
}

/** User and password of an `Authorization` header; null when it is not Basic. */
function credentials(authorization: string): { user: string; password: string } | null {
  const match = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization);
  if (match === null || authorization.length > CREDENTIALS_LENGTH_MAX) return null;
  const text = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
