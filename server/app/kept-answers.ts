/**
 * Answers of expensive lists, kept as bytes until something they show changes. Every request is still authenticated and
 * authorized; then one small query asks the outbox whether anything changed since the answer was made, so an answer
 * never hides a change that was committed (on any replica) before the request. Only what has no hint (usage figures,
 * the time of the last look) may be as old as KEPT_MS_MAX.
 */
import type { OrganizationId } from '#domain/ids.ts';
import { Serialized } from '#server/runtime/serialized.ts';
import type { Db } from '#server/store/database.ts';
import { type Standpoint, standpoint } from '#server/store/standpoint.ts';

export const KEPT_MS_MAX = 1_000;
export const KEPT_BYTES_MAX = 16 * 1024 ** 2;

type Kept = { answer: Serialized<unknown>; standpoint: Standpoint; at: number };

export class KeptAnswers {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /**
   * The answer kept under `key`, or what `make` answers. The key must name everything the answer depends on besides the
   * database: the person, the role, the resource, the query. `now` in milliseconds.
   */
  async answer<T>(
    db: Db,
    key: string,
    organization: OrganizationId,
    now: number,
    make: () => Promise<T>,
  ): Promise<Serialized<T>> {
    const kept = this.#kept.get(key);
    const young = kept !== undefined && now - kept.at < KEPT_MS_MAX ? kept : null;
    const stand = await standpoint(db, organization, young?.standpoint ?? null);
    if (young !== null && !stand.changed) return young.answer as Serialized<T>;
    const answer = new Serialized(await make());
    this.#keep(key, { answer, standpoint: stand.now, at: now });
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
