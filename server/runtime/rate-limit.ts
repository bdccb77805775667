/**
 * Counting calls. All limits use the sliding-window estimate: hits of this window plus the share of the window before
 * that still lies inside the last full length. `reserve` counts each attempt in PostgreSQL before the work begins (rare
 * and precious: signing in, creating). `CallLimiter` counts plain calls in memory and shares what it counted, so that
 * all replicas enforce one limit without a statement for every call.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { BerthError } from '#domain/errors.ts';
import { type RateRule, SIGN_IN_WAIT_SECONDS_MAX } from '#domain/rate-limits.ts';
import type { Clock } from './clock.ts';

export type { RateRule } from '#domain/rate-limits.ts';

/** What a call is told about its limit. */
export type RateState = { limit: number; remaining: number; resetSeconds: number; windowSeconds: number };

export type Window = { class: string; subject: string; start: Date; previous: Date };
export type Counted = { current: number; previous: number };
/** `after` attempts are free; each further one must be `2, 4, 8 ... max` seconds after the one before. */
export type Waits = { after: number; maxSeconds: number };

/** The shared counter (store/rate-windows.ts). */
export type SharedCounter = {
  /** One hit. With `waits` it may be refused: then nothing is counted and `waitMs` says how long to wait. */
  add(hit: Window & { now: Date; waits: Waits | null }): Promise<Counted & { waitMs: number }>;
  remove(hit: Pick<Window, 'class' | 'subject' | 'start'>): Promise<void>;
};

export type Reservation = { state: RateState; refund(): Promise<void> };

/**
 * Counts one attempt in the shared counter before the work begins, so that parallel attempts cannot slip through.
 * `freeAttempts` turns on growing waits after that many. Errors: rate_limited with the seconds to wait; a refused
 * attempt is not counted, so a person who keeps trying is not locked out for longer.
 */
export async function reserve(
  counter: SharedCounter,
  clock: Clock,
  name: string,
  subject: string,
  rule: RateRule,
  freeAttempts: number | null = null,
): Promise<Reservation> {
  const now = clock.now();
  const { elapsed, ...window } = windowAt(name, subject, rule, now.getTime());
  const waits = freeAttempts === null ? null : { after: freeAttempts, maxSeconds: SIGN_IN_WAIT_SECONDS_MAX };
  const counted = await counter.add({ ...window, now, waits });
  const state = rateState(rule, counted, elapsed);
  if (counted.waitMs > 0) {
    throw new RateLimited({ ...state, resetSeconds: Math.ceil(counted.waitMs / 1000) });
  }
  if (state.remaining < 0) {
    await counter.remove(window);
    throw new RateLimited(state);
  }
  return { state, refund: () => counter.remove(window) };
}

function windowAt(name: string, subject: string, rule: RateRule, now: number): Window & { elapsed: number } {
  const lengthMs = rule.windowSeconds * 1000;
  const start = Math.floor(now / lengthMs) * lengthMs;
  return {
    class: name,
    subject: digest(subject),
    start: new Date(start),
    previous: new Date(start - lengthMs),
    elapsed: (now - start) / lengthMs,
  };
}

function rateState(rule: RateRule, counted: Counted, elapsed: number): RateState {
  const used = counted.current + counted.previous * (1 - elapsed);
  return {
    limit: rule.limit,
    remaining: Math.floor(rule.limit - used + 1e-9),
    resetSeconds: Math.max(1, Math.ceil(rule.windowSeconds * (1 - elapsed))),
    windowSeconds: rule.windowSeconds,
  };
}

/** rate_limited, with the limit that was met. */
export class RateLimited extends BerthError {
  readonly state: RateState;
  constructor(state: RateState) {
    super('rate_limited', `Too many attempts. Try again in ${waitText(state.resetSeconds)}.`, {
      retryAfterSeconds: state.resetSeconds,
    });
    this.state = state;
  }
}

function waitText(seconds: number): string {
  if (seconds < 60) return seconds === 1 ? 'a second' : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? 'a minute' : `${minutes} minutes`;
}

export type SharedHits = Window & { hits: number };
/** Adds many hits at once and answers the totals in the same order. */
export type ShareHits = (hits: readonly SharedHits[]) => Promise<Counted[]>;

const LOCAL_SUBJECTS_MAX = 20_000;
const SHARED_AT_ONCE_MAX = 1_000;
/** Up to this part of a limit a replica counts by itself and shares every SHARE_MS; beyond, it asks at each call. */
const LOCAL_PART = 1 / 4;
export const SHARE_MS = 1_000;

type Entry = Window & {
  /** Hits of all replicas in this window, as last heard, and of the window before. */
  counted: Counted;
  /** Our hits since then. */
  pending: number;
};

/**
 * Counter of plain calls. While a subject has used little, one replica may not know what another let through in the
 * last second: at most a quarter of the limit per replica. Then every call is counted in PostgreSQL and the limit is
 * exact. Without the database it goes on with what it knows. Forgets the oldest subjects beyond LOCAL_SUBJECTS_MAX.
 */
export class CallLimiter {
  readonly #clock: Clock;
  readonly #share: ShareHits;
  readonly #entries = new Map<string, Entry>();
  /** Windows that are over with hits that were not shared yet. */
  #late: Entry[] = [];

  constructor(clock: Clock, share: ShareHits) {
    this.#clock = clock;
    this.#share = share;
  }

  /** Counts one call. Errors: rate_limited. */
  async take(name: string, subject: string, rule: RateRule): Promise<RateState> {
    const { elapsed, ...window } = windowAt(name, subject, rule, this.#clock.now().getTime());
    const entry = this.#entry(window);
    if (rateState(rule, plus(entry, 1), elapsed).remaining < 0)
      throw new RateLimited(rateState(rule, plus(entry, 1), elapsed));
    entry.pending++;
    if (plus(entry, 0).current > rule.limit * LOCAL_PART) await this.#shareNow([entry]).catch(() => {});
    const state = rateState(rule, plus(entry, 0), elapsed);
    if (state.remaining >= 0) return state;
    entry.pending--;
    throw new RateLimited(state);
  }

  /** Shares what was counted since the last time. Errors: those of the database; nothing is lost then. */
  async share(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    const due = [...late, ...this.#entries.values()].filter((entry) => entry.pending !== 0);
    for (let first = 0; first < due.length; first += SHARED_AT_ONCE_MAX) {
      await this.#shareNow(due.slice(first, first + SHARED_AT_ONCE_MAX));
    }
  }

  #entry(window: Window): Entry {
    const key = `${window.class} ${window.subject}`;
    const known = this.#entries.get(key);
    if (known !== undefined && known.start.getTime() === window.start.getTime()) return known;
    if (known !== undefined && known.pending !== 0) this.#late.push(known);
    const follows = known !== undefined && known.start.getTime() === window.previous.getTime();
    const entry = { ...window, counted: { current: 0, previous: follows ? plus(known, 0).current : 0 }, pending: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > LOCAL_SUBJECTS_MAX) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return entry;
  }

  async #shareNow(entries: Entry[]): Promise<void> {
    const hits = entries.map((entry) => ({ ...entry, hits: entry.pending }));
    for (const entry of entries) entry.pending = 0;
    // Until the answer is there they count as if it had been given.
    for (const [index, entry] of entries.entries()) entry.counted.current += hits[index]?.hits ?? 0;
    try {
      const totals = await this.#share(hits);
      for (const [index, entry] of entries.entries()) {
        const total = totals[index];
        // Answers may overtake each other: counts of one window only grow, but for calls that were taken back.
        if (total !== undefined) {
          entry.counted = {
            current: Math.max(total.current, entry.counted.current),
            previous: Math.max(total.previous, entry.counted.previous),
          };
        }
      }
    } catch (error) {
      for (const [index, entry] of entries.entries()) {
        const lost = hits[index]?.hits ?? 0;
        entry.counted.current -= lost;
        entry.pending += lost;
      }
      throw error;
    }
  }
}

function plus(entry: Pick<Entry, 'counted' | 'pending'>, more: number): Counted {
  return { current: entry.counted.current + entry.pending + more, previous: entry.counted.previous };
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

/** Subjects are kept as digests: the table names nobody. */
export function digest(subject: string): string {
  return createHash('sha256').update(subject).digest('base64url').slice(0, 32);
}
