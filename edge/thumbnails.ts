/** Small pictures of desktops for lists: one grab at a time per desktop, few at once in all, remembered for a while. */
import { THUMBNAIL_WIDTH } from '#contract/edge.ts';
import { grabFramebuffer } from './rfb/framebuffer.ts';
import { encodePng, shrink } from './rfb/picture.ts';
import type { ScreenDeps } from './screen.ts';

export const THUMBNAIL_FRESH_MS = 15_000;
/** A failed grab is not tried again for this long. */
export const THUMBNAIL_FAILED_MS = 3_000;
const GRABS_AT_ONCE_MAX = 2;
const REMEMBERED_MAX = 500;

type Entry = { png: Buffer | null; takenAt: number };

export class Thumbnails {
  readonly #deps: ScreenDeps;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Map<string, Promise<Buffer | null>>();
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor(deps: ScreenDeps, now: () => number) {
    this.#deps = deps;
    this.#now = now;
  }

  /** A PNG at most THUMBNAIL_FRESH_MS old; null while there is no picture. */
  get(instanceId: string): Promise<Buffer | null> {
    const known = this.#entries.get(instanceId);
    if (known !== undefined) {
      const age = this.#now() - known.takenAt;
      if (age < (known.png === null ? THUMBNAIL_FAILED_MS : THUMBNAIL_FRESH_MS)) return Promise.resolve(known.png);
    }
    let pending = this.#pending.get(instanceId);
    if (pending === undefined) {
      pending = this.#take(instanceId).finally(() => this.#pending.delete(instanceId));
      this.#pending.set(instanceId, pending);
    }
    return pending;
  }

  async #take(instanceId: string): Promise<Buffer | null> {
    if (this.#running >= GRABS_AT_ONCE_MAX) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running++;
    let png: Buffer | null = null;
    try {
      const { address, port, password } = await this.#deps.agent.screenCredentials(instanceId);
      if (!this.#deps.mayDial(address)) throw new Error(`the agent named an address outside the pools: ${address}`);
      png = await encodePng(shrink(await grabFramebuffer(address, port, password), THUMBNAIL_WIDTH));
    } catch (error) {
      this.#deps.log.info(
        { instanceId, error: error instanceof Error ? error.message : String(error) },
        'no thumbnail',
      );
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
    if (this.#entries.size >= REMEMBERED_MAX) this.#entries.clear();
    this.#entries.set(instanceId, { png, takenAt: this.#now() });
    return png;
  }
}
