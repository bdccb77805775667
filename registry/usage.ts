/** What was asked for, how often and when last: kept in one small file, so that a restart forgets a few seconds at most. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const SAVE_MS = 3_000;
/** Manifests whose last use is remembered; the oldest are forgotten first. */
const REMEMBERED_MAX = 20_000;

const figure = z.number().int().min(0).default(0);
const fileSchema = z.object({
  since: z.string(),
  hits: figure,
  misses: figure,
  servedBytes: figure,
  fetchedBytes: figure,
  evictedBytes: figure,
  used: z.record(z.string(), z.number()).default({}),
});
export type Counter = 'hits' | 'misses' | 'servedBytes' | 'fetchedBytes' | 'evictedBytes';
export type Counts = Record<Counter, number> & { since: string };

export class Usage {
  readonly #file: string;
  #counts: Counts;
  #used: Map<string, number>;
  #dirty = false;
  readonly #timer: NodeJS.Timeout;

  constructor(file: string) {
    this.#file = file;
    const { used, ...counts } = load(file);
    this.#counts = counts;
    this.#used = new Map(Object.entries(used));
    this.#timer = setInterval(() => this.save(), SAVE_MS);
  }

  get counts(): Counts {
    return this.#counts;
  }

  add(counter: Counter, amount: number): void {
    this.#counts[counter] += amount;
    this.#dirty = true;
  }

  /** A manifest of a repository was asked for now. */
  touch(name: string, digest: string): void {
    const key = `${name}@${digest}`;
    this.#used.delete(key);
    this.#used.set(key, Date.now());
    for (const oldest of this.#used.keys()) {
      if (this.#used.size <= REMEMBERED_MAX) break;
      this.#used.delete(oldest);
    }
    this.#dirty = true;
  }

  /** Milliseconds since 1970; 0 when nobody remembers. */
  lastUsed(name: string, digest: string): number {
    return this.#used.get(`${name}@${digest}`) ?? 0;
  }

  forget(name: string, digest: string): void {
    this.#dirty = this.#used.delete(`${name}@${digest}`) || this.#dirty;
  }

  save(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    writeFileSync(`${this.#file}.new`, JSON.stringify({ ...this.#counts, used: Object.fromEntries(this.#used) }), {
      mode: 0o600,
    });
    renameSync(`${this.#file}.new`, this.#file);
  }

  close(): void {
    clearInterval(this.#timer);
    this.save();
  }
}

function load(file: string): z.output<typeof fileSchema> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // Figures only: without them counting begins anew.
    return fileSchema.parse({ since: new Date().toISOString() });
  }
}
