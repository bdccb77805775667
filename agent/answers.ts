/** What guests were told by the resolver: by whom asked, which address stands for which name. Bounded; pure memory. */

/** Addresses remembered of one guest, and guests remembered. */
export const ANSWERS_PER_GUEST_MAX = 2_000;
export const ANSWER_GUESTS_MAX = 2_000;
/** A connection may outlive the answer it came from by this long and still be called by its name. */
const REMEMBERED_SECONDS = 3_600;

export type Answer = { client: string; name: string; addresses: string[]; ttlSeconds: number };
export type Told = { address: string; name: string; validUntil: number };

export class Answers {
  /** By client, then by address; both in the order of the last answer. */
  readonly #told = new Map<string, Map<string, { name: string; validUntil: number }>>();

  add({ client, name, addresses, ttlSeconds }: Answer, now: number): void {
    const mine = this.#told.get(client) ?? new Map<string, { name: string; validUntil: number }>();
    this.#told.delete(client);
    this.#told.set(client, mine);
    for (const address of addresses) {
      mine.delete(address);
      mine.set(address, { name, validUntil: now + ttlSeconds * 1000 });
    }
    drop(mine, ANSWERS_PER_GUEST_MAX);
    drop(this.#told, ANSWER_GUESTS_MAX);
  }

  /** Under which name a guest knows an address; null: it has not asked. */
  nameOf(client: string, address: string, now: number): string | null {
    const found = this.#told.get(client)?.get(address);
    return found === undefined || found.validUntil + REMEMBERED_SECONDS * 1000 < now ? null : found.name;
  }

  /** Answers that have not run out, by client. */
  *valid(now: number): Generator<Told & { client: string }> {
    for (const [client, mine] of this.#told) {
      for (const [address, { name, validUntil }] of mine)
        if (validUntil > now) yield { client, address, name, validUntil };
    }
  }
}

function drop(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
