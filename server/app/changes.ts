/**
 * What this replica may go on believing. Before anything kept in memory is used, one small query asks the outbox what
 * changed; requests that come in while one is under way share the next, so under load there is one query for many
 * requests. A look that begins after a request came in sees everything that was committed (on any replica) before it:
 * nothing kept ever hides such a change. Only what has no hint (usage figures, the time of the last look, the end of a
 * term) may be as old as BELIEVED_MS_MAX.
 */
import type { OrganizationId } from '#domain/ids.ts';
import type { Db } from '#server/store/database.ts';
import { changesSince, type Standpoint, standpoint } from '#server/store/standpoint.ts';

export const BELIEVED_MS_MAX = 1_000;

type Look = { standpoint: Standpoint; at: number };

export class Changes {
  readonly #db: Db;
  readonly #now: () => number;
  #last: Look | null = null;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #rights = 0;
  #everybody = 0;
  readonly #organizations = new Map<OrganizationId, number>();

  /** `now` in milliseconds. */
  constructor(db: Db, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** Grows whenever somebody's identity or rights may have changed, as of the last look. */
  get rights(): number {
    return this.#rights;
  }

  /** Differs whenever something that people of the organization see has changed, as of the last look. */
  version(organization: OrganizationId): string {
    return `${this.#everybody} ${this.#organizations.get(organization) ?? 0}`;
  }

  /** Done when a look that began after this call has ended. Errors: those of the database. */
  look(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  async #after(running: Promise<void> | null): Promise<void> {
    await running?.catch(() => undefined);
    // From here on whoever comes needs another look: this one may have begun without them.
    this.#running = this.#next;
    this.#next = null;
    try {
      await this.#take();
    } finally {
      this.#running = null;
    }
  }

  async #take(): Promise<void> {
    const at = this.#now();
    const last = this.#last;
    if (last === null || at - last.at >= BELIEVED_MS_MAX) {
      // Nothing kept is that old any more: no need to read through what happened meanwhile.
      this.#last = { standpoint: await standpoint(this.#db), at };
      this.#rights += 1;
      this.#everybody += 1;
      this.#organizations.clear();
      return;
    }
    const changes = await changesSince(this.#db, last.standpoint);
    this.#last = { standpoint: changes.now, at };
    if (changes.rights) this.#rights += 1;
    if (changes.everybody) this.#everybody += 1;
    for (const id of changes.organizations) this.#organizations.set(id, (this.#organizations.get(id) ?? 0) + 1);
  }
}
