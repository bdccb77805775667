/** One cache: docker-registry with the door before it (front), the door behind it (upstream), and the room it may take. */
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryFacts, RegistryOrder } from '#contract/registry-process.ts';
import { Front } from './front.ts';
import { Program } from './program.ts';
import { BUSY_MS, Storage } from './storage.ts';
import { Upstream } from './upstream.ts';
import { Usage } from './usage.ts';

/** The file system keeps at least this free, whatever the cap says. */
const FREE_BYTES_MIN = 1024 ** 3;
const LOOK_MS = 15_000;
/** After something came or went. */
const SOON_MS = 1_000;

export class Cache {
  readonly #order: RegistryOrder;
  readonly #log: (message: string) => void;
  readonly #usage: Usage;
  readonly #storage: Storage;
  readonly #upstream: Upstream;
  readonly #program: Program;
  readonly #front: Front;
  readonly #timer: NodeJS.Timeout;
  /** Bytes of blobs that are on their way. */
  readonly #coming = new Map<string, number>();
  #room: Promise<unknown> = Promise.resolve();
  #usedBytes = 0;
  #images: RegistryFacts['images'] = [];
  #problem: string | null = null;
  #seen = '';
  #soon: NodeJS.Timeout | null = null;

  private constructor(order: RegistryOrder, upstream: (parts: Cache) => Upstream, log: (message: string) => void) {
    this.#order = order;
    this.#log = log;
    this.#usage = new Usage(join(order.dataDir, 'usage.json'));
    this.#upstream = upstream(this);
    this.#program = new Program({
      program: order.program,
      dataDir: order.dataDir,
      upstream: this.#upstream,
      log,
    });
    this.#storage = new Storage(this.#program.root, this.#usage);
    this.#front = new Front({
      socket: this.#program.socket,
      ready: () => this.#program.up,
      pass: (pull, question, answer, sent) => this.#upstream.pass(pull, question, answer, sent),
      storage: this.#storage,
      usage: this.#usage,
    });
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  static async start(order: RegistryOrder, log: (message: string) => void): Promise<Cache> {
    const cache = new Cache(
      order,
      (self) =>
        new Upstream({
          spec: order.spec,
          fetched: (bytes) => self.#usage.add('fetchedBytes', bytes),
          passed: (bytes) => self.#usage.add('servedBytes', bytes),
          reserve: (digest, bytes) => self.#reserve(digest, bytes),
          release: (digest) => {
            self.#coming.delete(digest);
            self.#lookSoon();
          },
        }),
      log,
    );
    await cache.#upstream.listen();
    cache.#program.start();
    cache.#front.listen(order.listen, order.port);
    await cache.#look();
    return cache;
  }

  /** What changes without a restart. */
  listen(addresses: readonly string[]): void {
    this.#front.listen(addresses, this.#order.port);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#front.close();
    await this.#program.stop();
    await this.#upstream.close();
    this.#usage.close();
  }

  /** Removes every image. */
  async empty(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#evict(0, true);
    });
  }

  facts(): RegistryFacts {
    const { since, hits, misses, servedBytes, fetchedBytes, evictedBytes } = this.#usage.counts;
    const problem = this.#program.problem ?? this.#problem;
    return {
      state: this.#program.up ? 'running' : this.#program.problem === null ? 'starting' : 'failed',
      problem: problem?.slice(0, 500) ?? null,
      upstreamProblem: this.#upstream.problem,
      usedBytes: this.#usedBytes,
      images: this.#images,
      since,
      hits,
      misses,
      servedBytes,
      fetchedBytes,
      evictedBytes,
      limit: this.#upstream.limit,
    };
  }

  /** Room for a blob that upstream is about to send; asked one after the other. */
  #reserve(digest: string, bytes: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const fits = async (): Promise<boolean> => {
        await this.#measure();
        const coming = [...this.#coming].reduce((sum, [blob, size]) => sum + (blob === digest ? 0 : size), 0);
        if (this.#usedBytes + coming + bytes > this.#order.spec.bytesMax) return false;
        const { bavail, bsize } = await statfs(this.#order.dataDir);
        return bavail * bsize - coming - bytes > FREE_BYTES_MIN;
      };
      if (bytes <= this.#order.spec.bytesMax && !(await fits())) await this.#evict(bytes);
      if (bytes > this.#order.spec.bytesMax || !(await fits())) {
        this.#problem = 'There was no room for an image: it was passed on and not kept.';
        return false;
      }
      this.#problem = null;
      this.#coming.set(digest, bytes);
      return true;
    });
  }

  async #evict(needed: number, all = false): Promise<void> {
    const before = this.#usedBytes;
    await this.#front.alone(async () => {
      await this.#storage.unlink(this.#order.spec.bytesMax, needed, all);
      await this.#program.sweep();
    });
    await this.#measure();
    this.#lookSoon();
    const freed = Math.max(0, before - this.#usedBytes);
    this.#usage.add('evictedBytes', freed);
    this.#log(`made room in the image cache: ${freed} bytes (nothing used in the last ${BUSY_MS / 1000} s)`);
  }

  async #measure(): Promise<void> {
    this.#usedBytes = [...(await this.#storage.blobs()).values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      void this.#look();
    }, SOON_MS);
  }

  async #look(): Promise<void> {
    try {
      const { hits, misses } = this.#usage.counts;
      await this.#measure();
      const seen = `${this.#usedBytes} ${hits} ${misses}`;
      if (seen !== this.#seen) this.#images = await this.#storage.images();
      this.#seen = seen;
      if (this.#usedBytes > this.#order.spec.bytesMax) await this.#inTurn(() => this.#evict(0));
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#log(this.#problem);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#room.then(work, work);
    this.#room = turn.catch(() => undefined);
    return turn;
  }
}
