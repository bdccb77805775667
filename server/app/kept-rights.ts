/**
 * Who is calling and what they may, kept in memory for requests that only read: at most BELIEVED_MS_MAX, and never past
 * a change that was committed before the request (see changes.ts). Requests that change something always ask.
 */
import type { PersonCaller } from '#domain/caller.ts';
import type { LookUp } from '#server/store/authorized.ts';
import { BELIEVED_MS_MAX, type Changes } from './changes.ts';

export const KEPT_RIGHTS_MAX = 20_000;

type Kept = { value: object; at: number };

export class KeptRights {
  readonly #changes: Changes;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  /** When it was last looked for the request of this caller. */
  readonly #looked = new WeakMap<PersonCaller, number>();
  #rights = 0;

  /** `now` in milliseconds. */
  constructor(changes: Changes, now: () => number) {
    this.#changes = changes;
    this.#now = now;
  }

  /** This caller's request only reads, and `Changes.look` was done for it. */
  reads(caller: PersonCaller): void {
    this.#looked.set(caller, this.#now());
  }

  /** For the door: remembers what the database says when the caller's request only reads; else asks each time. */
  lookUp(caller: PersonCaller): LookUp {
    return async (key, ask) => {
      const looked = this.#looked.get(caller);
      if (looked === undefined) return ask();
      // A stream holds its caller for hours.
      if (this.#now() - looked >= BELIEVED_MS_MAX) {
        await this.#changes.look();
        this.reads(caller);
      }
      return this.recall(`door ${key}`, ask);
    };
  }

  /** What is kept under `key`, or what `ask` answers; that is kept when `lasts` says so. A null never is. */
  async recall<T extends object>(
    key: string,
    ask: () => Promise<T | null>,
    lasts: (value: T) => boolean = () => true,
  ): Promise<T | null> {
    const { rights } = this.#changes;
    if (rights !== this.#rights) {
      this.#kept.clear();
      this.#rights = rights;
    }
    const now = this.#now();
    const kept = this.#kept.get(key);
    if (kept !== undefined && now - kept.at < BELIEVED_MS_MAX) return kept.value as T;
    const value = await ask();
    // What changed while the database was asked may or may not be in the answer.
    if (value === null || !lasts(value) || this.#changes.rights !== rights) return value;
    if (this.#kept.size >= KEPT_RIGHTS_MAX) this.#kept.clear();
    this.#kept.set(key, { value, at: now });
    return value;
  }
}
