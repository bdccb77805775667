/** The built-in supervisor inside the command itself: `berth up` without --detach, and `berth dev`. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checklist } from './checklist.ts';
import type { Layout } from './layout.ts';
import { Refusal } from './refusal.ts';
import { supervisorStatus } from './supervisor-client.ts';
import { logLine, type RunningSupervisor, supervise } from './supervisor-main.ts';
import { supervisorCode } from './up.ts';

export class Foreground {
  readonly #list: Checklist;
  #running: RunningSupervisor | null = null;
  #stopping: Promise<void> | null = null;
  #end: () => void = () => {};
  readonly #ended: Promise<void>;
  /** Called when a person asked for the end, before the processes are stopped. */
  onStop: () => void = () => {};

  constructor(list: Checklist) {
    this.#list = list;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#interrupt());
  }

  /** True when the processes are children of this command. */
  get here(): boolean {
    return this.#running !== null;
  }

  /** Starts supervising here. With `exclusive`, a background supervisor is an error; else it is left in charge. */
  async start(layout: Layout, exclusive: boolean): Promise<void> {
    if ((await supervisorStatus(layout)) !== null) {
      if (exclusive)
        throw new Refusal(`A stack runs in ${layout.data} already: ./berth down --data-dir ${layout.data}`);
      this.#list.line('    Berth runs in the background already and is left there.');
      return;
    }
    const file = join(layout.logs, 'supervisor.log');
    const say = (message: string, fields?: Record<string, unknown>) => appendFileSync(file, logLine(message, fields));
    this.#running = await supervise(layout.processes, supervisorCode(), this.#end, say);
  }

  /** Stops what runs here, in order; safe to call more than once. */
  stop(): Promise<void> {
    const running = this.#running;
    this.#stopping ??= running === null ? Promise.resolve() : running.supervisor.stopAll().then(() => running.close());
    return this.#stopping.finally(this.#end);
  }

  /** Until somebody asked for the end, here or by `berth down`. */
  async wait(): Promise<void> {
    await this.#ended;
    await this.stop();
  }

  #interrupt(): void {
    if (this.#stopping !== null || this.#running === null) process.exit(130);
    this.#list.line('\nStopping Berth; instances keep running. (Again: leave at once.)');
    this.onStop();
    // Half-way through `up` nobody waits for the end: leave when everything has stopped.
    void this.stop().then(() => setTimeout(() => process.exit(130), 1000).unref());
  }
}
