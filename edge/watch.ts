/**
 * Connections that stay open, each with the person who opened it: whether they still may is asked again whenever the
 * state changes (and twice a second, for expiry), and whoever may no longer is cut off.
 */
import type { Knowledge } from './callers.ts';
import type { Caller } from './state.ts';

export const RECHECK_MS = 500;

/** Why somebody may not (or no longer) be connected; `code` closes WebSockets (contract/edge.ts). */
export type Refusal = { code: number; reason: string };

export type Watched = {
  caller: Pick<Caller, 'userId'>;
  instanceId: string;
  /** Why it has to end now; null when it may stay. */
  refusal(): Refusal | null;
  cut(refusal: Refusal): void;
};

export type WatchLimits = { whole: number; perUser: number; perInstance: number };

export class Watch<T extends Watched> {
  readonly #limits: WatchLimits;
  readonly #open = new Set<T>();
  readonly #timer: NodeJS.Timeout;
  readonly #forget: () => void;

  constructor(knowledge: Knowledge, limits: WatchLimits) {
    this.#limits = limits;
    this.#forget = knowledge.state.onChange(() => this.#recheck());
    this.#timer = setInterval(() => this.#recheck(), RECHECK_MS).unref();
  }

  /** False when a bound is reached; else it is watched until `leave`. */
  enter(entry: T): boolean {
    let ofUser = 0;
    let ofInstance = 0;
    for (const open of this.#open) {
      if (open.caller.userId === entry.caller.userId) ofUser++;
      if (open.instanceId === entry.instanceId) ofInstance++;
    }
    const { whole, perUser, perInstance } = this.#limits;
    if (this.#open.size >= whole || ofUser >= perUser || ofInstance >= perInstance) return false;
    this.#open.add(entry);
    return true;
  }

  leave(entry: T): void {
    this.#open.delete(entry);
  }

  get size(): number {
    return this.#open.size;
  }

  entries(): Iterable<T> {
    return this.#open;
  }

  #recheck(): void {
    for (const entry of this.#open) {
      const refusal = entry.refusal();
      if (refusal !== null) entry.cut(refusal);
    }
  }

  /** Cuts everybody off. */
  stop(refusal: Refusal): void {
    this.#forget();
    clearInterval(this.#timer);
    for (const entry of this.#open) entry.cut(refusal);
  }
}
