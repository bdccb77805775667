/**
 * Rate limits. Sign-in and provisioning are counted in PostgreSQL, so replicas share them; plain calls are counted by
 * each process for itself. All use the sliding-window estimate: hits of this window plus the share of the window before
 * that still lies inside the last full length.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { BerthError } from '#domain/errors.ts';
import type { Clock } from './clock.ts';

export type RateRule = { limit: number; windowSeconds: number };
export type RateRules = { signIn: RateRule; signInAddress: RateRule; provisioning: RateRule; api: RateRule };

export const defaultRateLimits = { signIn: 5, signInAddress: 30, provisioning: 20, api: 3000 } as const;

/** Rules with the installation's own numbers where it has some. */
export function rateRules(limits: Partial<Record<keyof RateRules, number | undefined>> = {}): RateRules {
  const limit = (name: keyof RateRules) => limits[name] ?? defaultRateLimits[name];
  return {
    signIn: { limit: limit('signIn'), windowSeconds: 900 },
    signInAddress: { limit: limit('signInAddress'), windowSeconds: 900 },
    provisioning: { limit: limit('provisioning'), windowSeconds: 3600 },
    api: { limit: limit('api'), windowSeconds: 60 },
  };
}

/** What a call is told about its limit. */
export type RateState = { limit: number; remaining: number; resetSeconds: number };

/** The shared counter (store/rate-windows.ts). */
export type SharedCounter = {
  add(hit: { class: string; subject: string; start: Date; previous: Date }): Promise<{
    current: number;
    previous: number;
  }>;
  remove(hit: { class: string; subject: string; start: Date }): Promise<void>;
};

export type Reservation = { state: RateState; refund(): Promise<void> };

/**
 * Counts one attempt in the shared counter before the work begins, so that parallel attempts cannot slip through.
 * Errors: rate_limited with the seconds to wait; a refused attempt is not counted, so a person who keeps trying is not
 * locked out for longer.
 */
export async function reserve(
  counter: SharedCounter,
  clock: Clock,
  name: string,
  subject: string,
  rule: RateRule,
): Promise<Reservation> {
  const lengthMs = rule.windowSeconds * 1000;
  const now = clock.now().getTime();
  const start = Math.floor(now / lengthMs) * lengthMs;
  const hit = { class: name, subject: digest(subject), start: new Date(start), previous: new Date(start - lengthMs) };
  const counted = await counter.add(hit);
  const state = rateState(rule, counted, (now - start) / lengthMs);
  if (state.remaining < 0) {
    await counter.remove(hit);
    throw limited(state);
  }
  return { state, refund: () => counter.remove(hit) };
}

function rateState(rule: RateRule, counted: { current: number; previous: number }, elapsed: number): RateState {
  const used = counted.current + counted.previous * (1 - elapsed);
  return {
    limit: rule.limit,
    remaining: Math.floor(rule.limit - used + 1e-9),
    resetSeconds: Math.max(1, Math.ceil(rule.windowSeconds * (1 - elapsed))),
  };
}

function limited(state: RateState): BerthError {
  return new BerthError('rate_limited', `Too many attempts. Try again in ${waitText(state.resetSeconds)}.`, {
    retryAfterSeconds: state.resetSeconds,
  });
}

function waitText(seconds: number): string {
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? 'a minute' : `${minutes} minutes`;
}

const LOCAL_SUBJECTS_MAX = 20_000;

/** Counter of one process; forgets the oldest subjects beyond LOCAL_SUBJECTS_MAX. */
export class LocalLimiter {
  readonly #clock: Clock;
  readonly #rule: RateRule;
  readonly #windows = new Map<string, { start: number; current: number; previous: number }>();

  constructor(clock: Clock, rule: RateRule) {
    this.#clock = clock;
    this.#rule = rule;
  }

  /** Counts one call. Errors: rate_limited. */
  take(subject: string): RateState {
    const lengthMs = this.#rule.windowSeconds * 1000;
    const now = this.#clock.now().getTime();
    const start = Math.floor(now / lengthMs) * lengthMs;
    let window = this.#windows.get(subject);
    if (window === undefined || window.start !== start) {
      const previous = window !== undefined && window.start === start - lengthMs ? window.current : 0;
      window = { start, current: 0, previous };
      this.#windows.delete(subject);
      this.#windows.set(subject, window);
      if (this.#windows.size > LOCAL_SUBJECTS_MAX) {
        const oldest = this.#windows.keys().next().value;
        if (oldest !== undefined) this.#windows.delete(oldest);
      }
    }
    window.current++;
    const state = rateState(this.#rule, window, (now - start) / lengthMs);
    if (state.remaining < 0) {
      window.current--;
      throw limited(state);
    }
    return state;
  }
}

/** The part of an address that one subscriber holds: all of IPv4, the /64 of IPv6. */
export function addressBlock(address: string | null): string {
  if (address === null || isIP(address) !== 6) return address ?? 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const canonical = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const end = tail === '' ? [] : tail.split(':');
    while (groups.length + end.length < 8) groups.push('0');
    groups.push(...end);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

function digest(subject: string): string {
  return createHash('sha256').update(subject).digest('base64url').slice(0, 32);
}
