/** Statements that say how far things are do not wait for the disk; everything else does. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withDatabase } from '#testkit/postgres.ts';
import { type Db, openDatabase, openPool, withoutWaiting } from './database.ts';

let db: Db;
beforeAll(async () => {
  db = openDatabase(openPool((await withDatabase()).url, { max: 1 }));
  // The databases of tests wait for no disk at all.
  await sql`set synchronous_commit = on`.execute(db);
});
afterAll(() => db?.destroy());

const setting = sql<{ value: string }>`select current_setting('synchronous_commit') as value`;
const inside = (connection: Db) =>
  sql<{ value: string }>`
    with soon as ${withoutWaiting(connection)} select current_setting('synchronous_commit') as value from soon where set`;
const read = async (query: typeof setting, connection: Db) => (await query.execute(connection)).rows[0]?.value;

it('a hasty statement: it counts for its own statement, not for the next one of the connection', async () => {
  expect(await read(inside(db), db)).toBe('off');
  expect(await read(setting, db)).toBe('on');
});

it('a hasty statement: inside a transaction it changes nothing', async () => {
  await db.transaction().execute(async (trx) => {
    expect(await read(inside(trx), trx)).toBe('on');
    expect(await read(setting, trx)).toBe('on');
  });
});
