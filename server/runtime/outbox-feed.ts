/**
 * One feed per replica: reads the outbox and hands rows to the listeners of this process. It wakes on a nudge (something
 * was committed here), on a notification (another replica saw something) and, should both get lost, on a timer. Unless a
 * notification woke it, it passes the news on with one NOTIFY for the whole batch, outside every writing transaction.
 */
import { Client } from 'pg';
import type { Log } from './log.ts';

export type FeedRow = {
  seq: number;
  txid: string;
  kind: string;
  ref: string;
  organizationId: string | null;
  projectId: string | null;
  instanceId: string | null;
  version: number;
};
export type FeedPosition = { txid: string; seq: number };

/** What the feed needs of the store (store/outbox.ts). */
export type FeedSource = {
  head(): Promise<FeedPosition>;
  read(after: FeedPosition): Promise<{ rows: FeedRow[]; pending: boolean }>;
  notify(seq: number): Promise<void>;
};

const POLL_MS = 250;
/** First pause while a row waits for an older transaction; doubles up to POLL_MS. */
const PENDING_MS_MIN = 5;
const RETRY_MS_MAX = 5_000;
const CHANNEL = 'berth_outbox';

export class OutboxFeed {
  readonly #source: FeedSource;
  readonly #log: Log;
  readonly #listeners = new Set<(rows: readonly FeedRow[]) => void>();
  #position: FeedPosition = { txid: '0', seq: 0 };
  #wake: (() => void) | null = null;
  #woken: 'no' | 'nudge' | 'notification' = 'no';
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(source: FeedSource, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Starts at the present. Errors: whatever the database says. */
  async start(): Promise<void> {
    this.#position = await this.#source.head();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  /** The last row handed out. */
  get position(): FeedPosition {
    return this.#position;
  }

  /** Something was committed here. */
  nudge(): void {
    this.#wakeUp('nudge');
  }

  /** Another replica notified. */
  notified(): void {
    this.#wakeUp('notification');
  }

  /** `listener` gets every batch from now on, in order; it must not throw. Returns the end of the subscription. */
  subscribe(listener: (rows: readonly FeedRow[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #wakeUp(by: 'nudge' | 'notification'): void {
    if (this.#woken !== 'nudge') this.#woken = by;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let pauseMs = POLL_MS;
    let pendingMs = PENDING_MS_MIN;
    while (!this.#stopped) {
      await this.#sleep(pauseMs);
      if (this.#stopped) return;
      const passOn = this.#woken !== 'notification';
      this.#woken = 'no';
      try {
        const pending = await this.#drain(passOn);
        pendingMs = pending ? Math.min(pendingMs * 2, POLL_MS) : PENDING_MS_MIN;
        pauseMs = pending ? pendingMs : POLL_MS;
      } catch (error) {
        if (this.#stopped) return;
        this.#log.warn({ err: error }, 'the outbox cannot be read; trying again');
        pauseMs = Math.min(Math.max(pauseMs, POLL_MS) * 2, RETRY_MS_MAX);
      }
    }
  }

  async #drain(passOn: boolean): Promise<boolean> {
    for (;;) {
      const { rows, pending } = await this.#source.read(this.#position);
      const last = rows.at(-1);
      if (last === undefined) return pending;
      this.#position = { txid: last.txid, seq: last.seq };
      for (const listener of this.#listeners) listener(rows);
      if (passOn) await this.#source.notify(last.seq);
    }
  }

  #sleep(ms: number): Promise<void> {
    if (this.#woken !== 'no') return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const self = this;
      function done() {
        clearTimeout(timer);
        self.#wake = null;
        resolve();
      }
      this.#wake = done;
    });
  }
}

/** True when `a` comes after `b` in the order readers take rows. */
export function isAfter(a: FeedPosition, b: FeedPosition): boolean {
  const [left, right] = [BigInt(a.txid), BigInt(b.txid)];
  return left === right ? a.seq > b.seq : left > right;
}

/** Listens for notifications on a connection of its own, connecting again for ever. Returns the end of it. */
export function listenForNotifications(url: string, feed: OutboxFeed, log: Log): () => Promise<void> {
  let stopped = false;
  let current: Client | null = null;
  let retry: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    const client = new Client({ connectionString: url, application_name: 'berth-server-listen' });
    current = client;
    client.on('notification', () => feed.notified());
    client.on('error', (error) => log.warn({ err: error }, 'the listening connection broke'));
    client.once('end', () => again());
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      // What was said while nobody listened is in the table.
      feed.nudge();
    } catch (error) {
      log.warn({ err: error }, 'cannot listen for notifications');
      again();
    }
  };
  const again = (): void => {
    if (stopped || retry !== undefined) return;
    retry = setTimeout(() => {
      retry = undefined;
      void connect();
    }, 1000);
  };
  void connect();
  return async () => {
    stopped = true;
    clearTimeout(retry);
    await current?.end().catch(() => {});
  };
}
