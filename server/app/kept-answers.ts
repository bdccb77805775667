/**
 * Answers of expensive lists, kept as bytes until something they show changes. Every request is still authenticated and
 * authorized, and nothing kept hides a change that was committed before the request (see changes.ts).
 */
import type { OrganizationId } from '#domain/ids.ts';
import { Serialized } from '#server/runtime/serialized.ts';
import { BELIEVED_MS_MAX, type Changes } from './changes.ts';

export const KEPT_BYTES_MAX = 16 * 1024 ** 2;

type Kept = { answer: Serialized<unknown>; version: string; at: number };

export class KeptAnswers {
  readonly #changes: Changes;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  /**
   * The answer kept under `key`, or what `make` answers. The key must name everything the answer depends on besides the
   * database: the person, the role, the resource, the query. `now` in milliseconds. The caller has had a look at what
   * changed for this request (`Changes.look`).
   */
  async answer<T>(
    key: string,
    organization: OrganizationId,
    now: number,
    make: () => Promise<T>,
  ): Promise<Serialized<T>> {
    const version = this.#changes.version(organization);
    const kept = this.#kept.get(key);
    if (kept !== undefined && now - kept.at < BELIEVED_MS_MAX && kept.version === version) {
      return kept.answer as Serialized<T>;
    }
    const answer = new Serialized(await make());
    this.#keep(key, { answer, version, at: now });
    return answer;
  }

  #keep(key: string, kept: Kept): void {
    this.#drop(key);
    this.#kept.set(key, kept);
    this.#bytes += kept.answer.bytes.length;
    // The oldest first: a Map keeps the order in which keys came.
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.answer.bytes.length;
  }
}
