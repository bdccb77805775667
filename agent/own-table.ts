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

/** Every element that all sets together may have. */
const LISTING_BYTES_MAX = 64 * 1024 * 1024;

export class OwnTable {
  readonly name: string;
  /** How the kernel lists what was loaded last: whatever differs from it, somebody else did. */
  #seen: { mark: string; listing: string } | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /**
   * `body`: what stands inside the table; null: no table. `filled` are commands for a table made anew, in the same
   * transaction; TABLE in them is its name. True when it had to be changed. Errors: unavailable.
   */
  async keep(body: string | null, filled: readonly string[] = []): Promise<boolean> {
    const present = await this.#listing();
    if (body === null) {
      this.#seen = null;
      if (present.ok) await this.#load(`delete table inet ${this.name}\n`);
      return present.ok;
    }
    const mark = createHash('sha256').update(body).digest('hex').slice(0, 16);
    if (present.ok && this.#seen?.mark === mark && this.#seen.listing === present.stdout) return false;
    const table = `table inet ${this.name} {\n  comment "berth ${mark}"\n${body}\n}\n`;
    await this.#load(`table inet ${this.name}\ndelete table inet ${this.name}\n${table}${this.#named(filled)}`);
    const after = await this.#listing();
    this.#seen = after.ok ? { mark, listing: after.stdout } : null;
    return true;
  }

  /** Commands about what the kernel fills, in one transaction. Errors: unavailable. */
  async run(commands: readonly string[]): Promise<void> {
    await this.#load(this.#named(commands));
  }

  /** The table as it is now, for an agent that was away; null when there is none. Errors: unavailable. */
  async read(): Promise<string | null> {
    return this.#read(['list', 'table', 'inet', this.name]);
  }

  /** The same with numbers instead of names of protocols and ports. Errors: unavailable when it is too large. */
  async readNumeric(): Promise<string | null> {
    return this.#read(['-n', 'list', 'table', 'inet', this.name]);
  }

  async #read(args: readonly string[]): Promise<string | null> {
    const { ok, stdout, stderr } = await nft(args, '', LISTING_BYTES_MAX);
    if (ok) return stdout;
    if (stderr.includes('No such file')) return null;
    throw new BerthError('unavailable', 'A firewall table could not be read.', { detail: stderr.slice(0, 500) });
  }

  #named(commands: readonly string[]): string {
    return commands.map((command) => `${command.replace(' TABLE ', ` ${this.name} `)}\n`).join('');
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
