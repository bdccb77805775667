/**
 * Which country an address is in, by a database in MaxMind's format that an administrator keeps on the machine. Read when
 * there is one, and again when it changes; a file that cannot be read never replaces one that could.
 * Shared by server and edge. Not for the console.
 */
import { readFile, stat } from 'node:fs/promises';
import type { CountryResponse, Reader } from 'mmdb-lib';

export const COUNTRY_FILE_BYTES_MAX = 256 * 1024 * 1024;

export type CountryState = {
  /** `none`: there is no file; `broken`: there is one, and it cannot be used (an earlier one goes on while it runs). */
  state: 'none' | 'ready' | 'broken';
  builtAt: Date | null;
  problem: string | null;
};

export class CountryDatabase {
  readonly #path: string | undefined;
  #reader: Reader<CountryResponse> | null = null;
  #seen = '';
  #state: CountryState = { state: 'none', builtAt: null, problem: null };

  /** `path` absent: there is never one. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  get state(): CountryState {
    return this.#state;
  }

  /** Looks whether the file is another one. Errors: none. */
  async refresh(): Promise<void> {
    if (this.#path === undefined) return;
    try {
      const file = await stat(this.#path);
      const seen = `${file.ino} ${file.size} ${file.mtimeMs}`;
      if (seen === this.#seen) return;
      if (file.size > COUNTRY_FILE_BYTES_MAX) throw new Error('it is too large');
      const bytes = await readFile(this.#path);
      const { Reader } = await import('mmdb-lib');
      const reader = new Reader<CountryResponse>(bytes);
      if (!/country|city|enterprise/i.test(reader.metadata.databaseType)) {
        throw new Error(`it knows no countries (${reader.metadata.databaseType})`);
      }
      // A damaged tree shows when it is walked.
      for (const address of ['1.1.1.1', '2001:4860::']) reader.get(address);
      this.#seen = seen;
      this.#reader = reader;
      this.#state = { state: 'ready', builtAt: reader.metadata.buildEpoch, problem: null };
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const problem = missing ? 'There is no database.' : `The database cannot be used: ${String(error).slice(0, 200)}`;
      this.#seen = '';
      this.#state = { state: missing ? 'none' : 'broken', builtAt: this.#state.builtAt, problem };
    }
  }

  /** Null: unknown, or there is nothing to ask. */
  countryOf(address: string): string | null {
    try {
      const found = this.#reader?.get(address.replace(/^::ffff:(?=\d+\.)/i, ''));
      return found?.country?.iso_code ?? found?.registered_country?.iso_code ?? null;
    } catch {
      return null;
    }
  }
}
