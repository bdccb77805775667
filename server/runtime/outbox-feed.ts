/**
 * One feed per replica: reads the outbox and hands rows to the listeners of this process. It wakes on a nudge (something
 * was committed here), on a notification (another replica saw something) and, should both get lost, on a timer. Unless a
 * notification woke it, it passes the news on with one NOTIFY for the whole batch, outside every writing transaction.
 */
import { Client } from 'pg';
import type { Log } from './log.ts';

export type FeedRow = {
  seq: number;
  kind: string;
  ref: string;
  organizationId: string | null;
  projectId: string | null;
  instanceId: string | null;
  version: number;
};

/** What the feed needs of the store (store/outbox.ts). */
export type FeedSource<Row extends FeedRow> = {
  head(): Promise<{ cursor: string; seq: number }>;
  read(cursor: string): Promise<{ rows: Row[]; cursor: string; overflow: boolean }>;
  notify(seq: number): Promise<void>;
};

/** A batch of news; null: too many at once, refetch everything. */
export type FeedListener<Row extends FeedRow> = (rows: readonly Row[] | null) => void;

const POLL_MS = 250;
const RETRY_MS_MAX = 5_000;
/** Rows kept for connections that come back for a moment. */
export const RECENT_ROWS_MAX = 5_000;
const CHANNEL = 'berth_outbox';

export class OutboxFeed<Row extends FeedRow = FeedRow> {
  readonly #source: FeedSource<Row>;
  readonly #log: Log;
  readonly #listeners = new Set<FeedListener<Row>>();
  #cursor = '';
  #lastSeq = 0;
  /** In the order they were handed out. */
  #recent: Row[] = [];
  #wake: (() => void) | null = null;
  #woken: 'no' | 'nudge' | 'notification' = 'no';
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(source: FeedSource<Row>, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Starts at the present. Errors: whatever the database says. */
  async start(): Promise<void> {
    const head = await this.#source.head();
    this.#cursor = head.cursor;
    this.#lastSeq = head.seq;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  /** Number of the row handed out last (not always the highest). */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** What was handed out after row `seq`; null when this feed did not hand that row out, or long ago. */
  since(seq: number): readonly Row[] | null {
    const index = this.#recent.findLastIndex((row) => row.seq === seq);
    return index < 0 ? null : this.#recent.slice(index + 1);
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
  subscribe(listener: FeedListener<Row>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #wakeUp(by: 'nudge' | 'notification'): void {
    if (this.#woken !== 'nudge') this.#woken = by;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let pauseMs = POLL_MS;
    while (!this.#stopped) {
      await this.#sleep(pauseMs);
      if (this.#stopped) return;
      const passOn = this.#woken !== 'notification';
      this.#woken = 'no';
      try {
        await this.#take(passOn);
        pauseMs = POLL_MS;
      } catch (error) {
        if (this.#stopped) return;
        this.#log.warn({ err: error }, 'the outbox cannot be read; trying again');
        pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX);
      }
    }
  }

  async #take(passOn: boolean): Promise<void> {
    const { rows, cursor, overflow } = await this.#source.read(this.#cursor);
    this.#cursor = cursor;
    if (overflow) {
      this.#recent = [];
      for (const listener of this.#listeners) listener(null);
      return;
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    this.#lastSeq = last.seq;
    this.#recent.push(...rows);
    if (this.#recent.length > RECENT_ROWS_MAX) this.#recent = this.#recent.slice(-RECENT_ROWS_MAX / 2);
    for (const listener of this.#listeners) listener(rows);
    if (passOn) await this.#source.notify(last.seq);
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

/** Listens for notifications on a connection of its own, connecting again for ever. Returns the end of it. */
export function listenForNotifications(
  url: string,
  feed: Pick<OutboxFeed, 'notified' | 'nudge'>,
  log: Log,
): () => Promise<void> {
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
