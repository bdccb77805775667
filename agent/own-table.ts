/**
 * One nftables table that the agent owns alone and keeps exactly as it wants it: loaded in one transaction when it is
 * missing or differs, removed when nothing is wanted any more.
 */
import { createHash } from 'node:crypto';
import { BerthError } from '#domain/errors.ts';
import { nft } from './incus/filters.ts';
import { DYNAMIC_PREFIX } from './policy-table.ts';

/** Sets that the kernel fills. */
const COUNTED = new RegExp(`\\tset ${DYNAMIC_PREFIX}\\w+ \\{[\\s\\S]*?\\n\\t\\}\\n`, 'g');

export class OwnTable {
  readonly name: string;
  /** How the kernel lists what was loaded last: whatever differs from it, somebody else did. */
  #seen: { mark: string; listing: string } | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /** `body`: what stands inside the table; null: no table. True when it had to be changed. Errors: unavailable. */
  async keep(body: string | null): Promise<boolean> {
    const present = await this.#listing();
    if (body === null) {
      this.#seen = null;
      if (present.ok) await this.#load(`delete table inet ${this.name}\n`);
      return present.ok;
    }
    const mark = createHash('sha256').update(body).digest('hex').slice(0, 16);
    if (present.ok && this.#seen?.mark === mark && this.#seen.listing === present.stdout) return false;
    const table = `table inet ${this.name} {\n  comment "berth ${mark}"\n${body}\n}\n`;
    await this.#load(`table inet ${this.name}\ndelete table inet ${this.name}\n${table}`);
    const after = await this.#listing();
    this.#seen = after.ok ? { mark, listing: after.stdout } : null;
    return true;
  }

  /** What the kernel has, without what it counts by itself. */
  async #listing(): Promise<{ ok: boolean; stdout: string }> {
    const { ok, stdout } = await nft(['list', 'table', 'inet', this.name], '');
    return { ok, stdout: stdout.replace(COUNTED, '') };
  }

  async #load(text: string): Promise<void> {
    const loaded = await nft(['-f', '-'], text);
    if (loaded.ok) return;
    throw new BerthError('unavailable', 'A firewall table could not be loaded.', {
      detail: `${this.name}: ${loaded.stderr.slice(0, 500)}`,
    });
  }
}
