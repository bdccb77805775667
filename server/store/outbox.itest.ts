import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '#server/runtime/log.ts';
import { listenForNotifications, OutboxFeed } from '#server/runtime/outbox-feed.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Db, onHintsCommitted, openDatabase, openPool, transact } from './database.ts';
import {
  emit,
  notifyOutbox,
  OUTBOX_READ_MAX,
  type OutboxRow,
  outboxHead,
  outboxSince,
  readOutbox,
  sweepOutbox,
} from './outbox.ts';

let db: Db;
let url = '';
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  ({ url } = await withDatabase());
  const pool = openPool(url, { max: 30 });
  db = openDatabase(pool);
  ends.push(() => pool.end());
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

async function until(what: string, probe: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!probe()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A transaction that waits for `release` before it commits. */
function slowWriter(ref: string): { written: Promise<void>; release(): void; done: Promise<void> } {
  let release = () => {};
  let wrote = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const written = new Promise<void>((resolve) => {
    wrote = resolve;
  });
  const done = transact(db, async (trx) => {
    await emit(trx, { kind: 'instance', ref });
    wrote();
    await released;
  });
  return { written, release: () => release(), done };
}

function startFeed(database: Db = db): { feed: OutboxFeed<OutboxRow>; seen: OutboxRow[] } {
  const feed = new OutboxFeed(
    {
      head: () => outboxHead(database),
      read: (cursor) => readOutbox(database, cursor),
      notify: (seq) => notifyOutbox(database, seq),
    },
    silentLog,
  );
  const seen: OutboxRow[] = [];
  feed.subscribe((rows) => {
    if (rows !== null) seen.push(...rows);
  });
  return { feed, seen };
}

describe('V10: the outbox', () => {
  it('a row of a transaction that commits late is never skipped, and holds nobody up meanwhile', async () => {
    const start = (await outboxHead(db)).cursor;
    const slow = slowWriter('late');
    await slow.written;
    await transact(db, (trx) => emit(trx, { kind: 'instance', ref: 'early' }));
    const first = await readOutbox(db, start);
    expect(first.rows.map((row) => row.ref)).toEqual(['early']);
    slow.release();
    await slow.done;
    // Its number is below the one already taken.
    const second = await readOutbox(db, first.cursor);
    expect(second.rows.map((row) => row.ref)).toEqual(['late']);
    expect(second.rows[0]?.seq).toBeLessThan(first.rows[0]?.seq ?? 0);
    expect((await readOutbox(db, second.cursor)).rows).toEqual([]);
    // Somebody whose last number was the early one is told of the late one as well.
    const since = await outboxSince(db, first.rows[0]?.seq ?? 0, 100);
    expect(since?.map((row) => row.ref)).toContain('late');
  });

  it('a rolled-back row is never seen', async () => {
    const start = (await outboxHead(db)).cursor;
    await expect(
      transact(db, async (trx) => {
        await emit(trx, { kind: 'instance', ref: 'ghost' });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect((await readOutbox(db, start)).rows).toEqual([]);
  });

  it('200 writers that commit in any order: every reader gets every row once', async () => {
    const one = startFeed();
    const two = startFeed();
    await one.feed.start();
    await two.feed.start();
    onHintsCommitted(db, () => one.feed.nudge());
    const refs = Array.from({ length: 200 }, (_, index) => `r${index}`);
    await Promise.all(
      refs.map((ref) =>
        transact(db, async (trx) => {
          await emit(trx, { kind: 'operation', ref });
          await sql`select pg_sleep(${Math.random() * 0.03})`.execute(trx);
        }),
      ),
    );
    await until('all rows', () => one.seen.length >= 200 && two.seen.length >= 200);
    expect(one.seen.map((row) => row.ref).sort()).toEqual([...refs].sort());
    expect(two.seen.map((row) => row.ref).sort()).toEqual([...refs].sort());
    await one.feed.stop();
    await two.feed.stop();
  });

  it('a commit reaches another replica by notification, well before its timer', async () => {
    const writer = startFeed();
    const reader = startFeed();
    await writer.feed.start();
    await reader.feed.start();
    onHintsCommitted(db, () => writer.feed.nudge());
    const unlisten = listenForNotifications(url, reader.feed, silentLog);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const before = reader.seen.length;
      const began = performance.now();
      await transact(db, (trx) => emit(trx, { kind: 'host', ref: `n${i}` }));
      await until('the hint', () => reader.seen.length > before);
      times.push(performance.now() - began);
    }
    // The timer alone would need 125 ms on average.
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(100);
    await unlisten();
    await writer.feed.stop();
    await reader.feed.stop();
  });

  it('forgets old rows but its newest, and knows when a position is gone', async () => {
    await transact(db, (trx) => emit(trx, { kind: 'host', ref: 'old' }, { kind: 'host', ref: 'newest' }));
    const { rows } = await sql<{
      min: number;
      max: number;
    }>`select min(seq) as min, max(seq) as max from outbox`.execute(db);
    const range = rows[0];
    if (range === undefined) throw new Error('no rows');
    expect(await outboxSince(db, range.min, 10_000)).not.toBeNull();
    expect(await sweepOutbox(db, new Date(Date.now() + 60_000))).toBeGreaterThan(0);
    expect(await outboxSince(db, range.min, 10_000)).toBeNull();
    expect((await outboxHead(db)).seq).toBe(range.max);
  });

  it('bounded: more at once than a reader takes is said, not cut', async () => {
    const start = (await outboxHead(db)).cursor;
    await sql`insert into outbox (kind, ref) select 'host', 'flood' from generate_series(1, ${OUTBOX_READ_MAX + 1})`.execute(
      db,
    );
    const flood = await readOutbox(db, start);
    expect([flood.rows.length, flood.overflow]).toEqual([0, true]);
    expect((await readOutbox(db, flood.cursor)).overflow).toBe(false);
  });
});
