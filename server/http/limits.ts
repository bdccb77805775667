/**
 * Limits on calls at the door. Plain calls are counted per account and per address before anything else; attempts that
 * are rare and precious (signing in, mails, creating) once the input is known to be well-formed. Signing in:
 *
 * - An account takes 5 wrong answers in 15 minutes from all addresses it never signed in from, together.
 * - From an address that it has signed in from it has a count of its own, which nobody elsewhere can use up, and after
 *   a few wrong answers waits of at most a minute. So a right password from there always gets through.
 * - An address takes 30 wrong answers in 15 minutes, whatever the account.
 * - What is right does not count. All of it is the same for accounts that do not exist.
 */
import type { FastifyReply } from 'fastify';
import type { RouteDefinition } from '#contract/route.ts';
import type { Caller } from '#domain/caller.ts';
import { freeAttempts, type RateLimitName, type RateRules } from '#domain/rate-limits.ts';
import type { Clock } from '#server/runtime/clock.ts';
import {
  addressBlock,
  type CallLimiter,
  RateLimited,
  type RateState,
  type Reservation,
  reserve,
  type SharedCounter,
} from '#server/runtime/rate-limit.ts';

export type LimitOptions = {
  clock: Clock;
  rules(): RateRules;
  counter: SharedCounter;
  calls: CallLimiter;
  /** Whether this account (an e-mail address) has signed in from this block of addresses before. */
  isKnownAddress(email: string, block: string): Promise<boolean>;
};

/** What is known of who is calling when attempts are counted. */
type Attempt = { caller: Caller; body: unknown; signInHandle: string | null };

export class Limits {
  readonly #o: LimitOptions;

  constructor(options: LimitOptions) {
    this.#o = options;
  }

  /** Counts one call; the answer says how much is left, also when it is refused. Errors: rate_limited. */
  async call(route: { method: string }, caller: Caller, reply: FastifyReply): Promise<void> {
    return telling(reply, () => this.#call(route, caller, reply));
  }

  /** Counts an attempt at something precious before it is made. Errors: rate_limited. */
  async attempt(route: RouteDefinition, attempt: Attempt, reply: FastifyReply): Promise<Reservation[]> {
    return telling(reply, () => this.#attempt(route, attempt, reply));
  }

  async #call(route: { method: string }, caller: Caller, reply: FastifyReply): Promise<void> {
    const { calls } = this.#o;
    const rules = this.#o.rules();
    const name = route.method === 'GET' ? 'read' : 'api';
    const wide = `${name}Address` as const;
    const states = [await calls.take(wide, addressBlock(caller.origin.address), rules[wide])];
    if (caller.kind === 'person') states.push(await calls.take(name, caller.userId, rules[name]));
    sendRate(reply, scarcest(states));
  }

  async #attempt(route: RouteDefinition, attempt: Attempt, reply: FastifyReply): Promise<Reservation[]> {
    const block = addressBlock(attempt.caller.origin.address);
    if (route.rateClass === 'api') return [];
    if (route.rateClass === 'sign-in') return this.#signIn(route, attempt, block, reply);
    const account = emailOf(attempt.body) ?? personOf(attempt.caller);
    const names = route.rateClass === 'mail' ? (['mailAddress', 'mail'] as const) : provisioning;
    return this.#both(names, block, account, reply);
  }

  async #signIn(route: RouteDefinition, attempt: Attempt, block: string, reply: FastifyReply): Promise<Reservation[]> {
    const rules = this.#o.rules();
    const free = freeAttempts(rules.signIn.limit);
    const email = emailOf(attempt.body);
    if (email === null) {
      const subject = `${block} ${personOf(attempt.caller) ?? attempt.signInHandle ?? route.id}`;
      return this.#both(['signInAddress', 'signIn'], block, subject, reply);
    }
    if (await this.#o.isKnownAddress(email, block)) {
      const subject = `${route.id} ${block} ${email}`;
      const attempts = [await this.#reserve('signInKnown', subject, rules.signInAddress, free)];
      return told(attempts, reply);
    }
    return this.#both(['signInAddress', 'signIn'], block, `${route.id} ${email}`, reply, free);
  }

  /** Address first, then account; a refusal of the second gives the first back. */
  async #both(
    [wide, narrow]: readonly [RateLimitName, RateLimitName],
    block: string,
    account: string | null,
    reply: FastifyReply,
    free: number | null = null,
  ): Promise<Reservation[]> {
    const rules = this.#o.rules();
    const attempts = [await this.#reserve(wide, block, rules[wide])];
    if (account === null) return told(attempts, reply);
    try {
      attempts.push(await this.#reserve(narrow, account, rules[narrow], free));
    } catch (error) {
      await attempts[0]?.refund();
      throw error;
    }
    return told(attempts, reply);
  }

  #reserve(name: string, subject: string, rule: RateRules['signIn'], free: number | null = null) {
    return reserve(this.#o.counter, this.#o.clock, name, subject, rule, free);
  }
}

async function telling<T>(reply: FastifyReply, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RateLimited) sendRate(reply, error.state);
    throw error;
  }
}

const provisioning = ['provisioningAddress', 'provisioning'] as const;

/** The account an attempt is about. */
export function emailOf(body: unknown): string | null {
  const isEmail = typeof body === 'object' && body !== null && 'email' in body && typeof body.email === 'string';
  return isEmail ? String(body.email).trim().toLowerCase() : null;
}

function personOf(caller: Caller): string | null {
  return caller.kind === 'person' ? caller.userId : null;
}

function told(attempts: Reservation[], reply: FastifyReply): Reservation[] {
  sendRate(reply, scarcest(attempts.map((attempt) => attempt.state)));
  return attempts;
}

/** The state of the limit that will be reached first. */
function scarcest(states: RateState[]): RateState | undefined {
  return states.toSorted((a, b) => a.remaining - b.remaining)[0];
}

/** The widely used trio, with the policy as in draft-ietf-httpapi-ratelimit-headers-07. */
function sendRate(reply: FastifyReply, state: RateState | undefined): void {
  if (state === undefined) return;
  reply.header('ratelimit-limit', String(state.limit));
  reply.header('ratelimit-remaining', String(Math.max(0, state.remaining)));
  reply.header('ratelimit-reset', String(state.resetSeconds));
  reply.header('ratelimit-policy', `${state.limit};w=${state.windowSeconds}`);
}
