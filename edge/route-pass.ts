/**
 * The cookie of one private route: says which sign-in it was lent from, is bound to one host name by a MAC, and is worth
 * nothing once that sign-in has ended. Needs no table, so it holds over a restart of edge.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

const CACHE_MAX = 5_000;
const SHAPE = /^(ses_[0-9a-z]{26})\.(\d{10,13})\.([A-Za-z0-9_-]{43})$/;

export class RoutePasses {
  readonly #key: Buffer;
  /** Passes whose MAC was checked before: host name and cookie -> session. */
  readonly #known = new Map<string, { sessionId: string; expiresAt: number }>();

  /** `secret`: the installation's edge key, at least 32 bytes. */
  constructor(secret: Uint8Array) {
    if (secret.byteLength < 32) throw new RangeError('the edge key has fewer than 32 bytes');
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'berth edge route pass v1', 32));
  }

  #mac(sessionId: string, expiresAt: string, hostname: string): Buffer {
    return createHmac('sha256', this.#key).update(`${sessionId}\n${expiresAt}\n${hostname}`).digest();
  }

  /** The cookie's value; `expiresAt` is Unix time in milliseconds. */
  issue(sessionId: string, hostname: string, expiresAt: number): string {
    const until = String(Math.floor(expiresAt));
    return `${sessionId}.${until}.${this.#mac(sessionId, until, hostname).toString('base64url')}`;
  }

  /** The session the pass was lent from; undefined when it is forged, expired or for another host name. */
  check(value: string, hostname: string, now: number): string | undefined {
    const key = `${hostname} ${value}`;
    let pass = this.#known.get(key);
    if (pass === undefined) {
      const match = SHAPE.exec(value);
      if (match === null) return undefined;
      const [, sessionId = '', until = '', mac = ''] = match;
      const given = Buffer.from(mac, 'base64url');
      const right = this.#mac(sessionId, until, hostname);
      if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
      pass = { sessionId, expiresAt: Number(until) };
      if (this.#known.size >= CACHE_MAX) this.#known.clear();
      this.#known.set(key, pass);
    }
    return pass.expiresAt > now ? pass.sessionId : undefined;
  }
}

export const CODE_SECONDS_MAX = 60;
const CODES_MAX = 10_000;

/** Things that can be fetched once, for a while, by an unguessable code; they live in memory only, the oldest go first. */
export class OneTimeCodes<T> {
  readonly #codes = new Map<string, { value: T; expiresAt: number }>();
  readonly #random: () => string;
  readonly #ms: number;

  /** `random` makes an unguessable string of URL-safe characters. */
  constructor(random: () => string, seconds: number) {
    this.#random = random;
    this.#ms = seconds * 1000;
  }

  issue(value: T, now: number): string {
    for (const [code, { expiresAt }] of this.#codes) {
      // Insertion order is age order: the first live one ends the sweep.
      if (expiresAt > now && this.#codes.size < CODES_MAX) break;
      this.#codes.delete(code);
    }
    const code = this.#random();
    this.#codes.set(code, { value, expiresAt: now + this.#ms });
    return code;
  }

  /** Right or too late, it is gone afterwards. */
  take(code: string, now: number): T | undefined {
    const found = this.#codes.get(code);
    if (found === undefined) return undefined;
    this.#codes.delete(code);
    return found.expiresAt <= now ? undefined : found.value;
  }
}

export type LentSignIn = { sessionId: string; hostname: string; state: string; path: string };

/** Single-use codes that carry a sign-in from the console to a route's host name. */
export class SignInCodes {
  readonly #codes: OneTimeCodes<LentSignIn>;

  /** `random` makes an unguessable string of URL-safe characters. */
  constructor(random: () => string) {
    this.#codes = new OneTimeCodes(random, CODE_SECONDS_MAX);
  }

  issue(lent: LentSignIn, now: number): string {
    return this.#codes.issue(lent, now);
  }

  /** Takes the code: right or wrong host name, it is gone afterwards. */
  take(code: string, hostname: string, state: string | undefined, now: number): LentSignIn | undefined {
    const lent = this.#codes.take(code, now);
    if (lent === undefined || lent.hostname !== hostname || state === undefined || lent.state !== state)
      return undefined;
    return lent;
  }
}
