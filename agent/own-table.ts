/**
 * One nftables table that the agent owns alone and keeps exactly as it wants it: loaded in one transaction when it is
 * missing or differs, removed when nothing is wanted any more.
 */
import { createHash } from 'node:crypto';
import { BerthError } from '#domain/errors.ts';
import { nft } from './incus/filters.ts';

export class OwnTable {
  readonly name: string;
  /** How the kernel lists what was loaded last: whatever differs from it, somebody else did. */
  #seen: { mark: string; listing: string } | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /** `body`: what stands inside the table; null: no table. True when it had to be changed. Errors: unavailable. */
  async keep(body: string | null): Promise<boolean> {
    const present = await nft(['list', 'table', 'inet', this.name], '');
    if (body === null) {
      this.#seen = null;
      if (present.ok) await this.#load(`delete table inet ${this.name}\n`);
      return present.ok;
    }
    const mark = createHash('sha256').update(body).digest('hex').slice(0, 16);
    if (present.ok && this.#seen?.mark === mark && this.#seen.listing === present.stdout) return false;
    const table = `table inet ${this.name} {\n  comment "berth ${mark}"\n${body}\n}\n`;
    await this.#load(`table inet ${this.name}\ndelete table inet ${this.name}\n${table}`);
    const after = await nft(['list', 'table', 'inet', this.name], '');
    this.#seen = after.ok ? { mark, listing: after.stdout } : null;
    return true;
  }

  async #load(text: string): Promise<void> {
    const loaded = await nft(['-f', '-'], text);
    if (loaded.ok) return;
    throw new BerthError('unavailable', 'A firewall table could not be loaded.', {
      detail: `${this.name}: ${loaded.stderr.slice(0, 500)}`,
    });
  }
}
