import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestDatabase } from '#testkit/databases.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Db, openDatabase, openPool, transact } from './database.ts';
import { PREPARED_STATEMENTS_MAX } from './prepared.ts';

let database: TestDatabase;
let db: Db;
let admin: Db;

beforeAll(async () => {
  database = await withDatabase();
  db = openDatabase(openPool(database.url, { max: 1 }));
  admin = openDatabase(openPool(database.adminUrl, { max: 1 }));
});
afterAll(async () => {
  await db?.destroy();
  await admin?.destroy();
});

const prepared = async (on = db) =>
  Number((await sql<{ n: number }>`select count(*) as n from pg_prepared_statements`.execute(on)).rows[0]?.n);

it('A7: a statement with values is prepared once per connection', async () => {
  const before = await prepared();
  for (let index = 0; index < 5; index++) await sql`select ${index}::int + 17`.execute(db);
  expect(await prepared()).toBe(before + 1);
});

it('A7: a migration under a living connection changes what a statement answers, inside and outside of transactions', async () => {
  await sql`create table prepared_test (id int)`.execute(admin);
  await sql`grant select on prepared_test to public`.execute(admin);
  await sql`insert into prepared_test values (1)`.execute(admin);
  const ask = (on: Db) => sql`select * from prepared_test where id = ${1}`.execute(on);
  for (let index = 0; index < 8; index++) await ask(db);
  await sql`alter table prepared_test add column more text default 'x'`.execute(admin);
  expect((await ask(db)).rows).toEqual([{ id: 1, more: 'x' }]);
  for (let index = 0; index < 8; index++) await ask(db);
  await sql`alter table prepared_test add column most text default 'y'`.execute(admin);
  expect((await transact(db, (tx) => ask(tx))).rows).toEqual([{ id: 1, more: 'x', most: 'y' }]);
});

it('A7: errors come through as they are, and the number of prepared statements has a limit', async () => {
  await expect(sql`select ${1}::int / 0`.execute(db)).rejects.toMatchObject({ code: '22012' });
  const fresh = openDatabase(openPool(database.url, { max: 1 }));
  for (let index = 0; index < PREPARED_STATEMENTS_MAX + 20; index++) {
    const { rows } = await sql<{ n: number }>`select ${index}::int as ${sql.ref(`n${index}`)}, 1 as n`.execute(fresh);
    expect(rows[0]?.n).toBe(1);
  }
  const count = await prepared(fresh);
  await fresh.destroy();
  expect(count).toBeGreaterThan(PREPARED_STATEMENTS_MAX / 2);
  expect(count).toBeLessThanOrEqual(PREPARED_STATEMENTS_MAX);
});
