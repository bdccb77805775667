import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noOrigin } from '#domain/caller.ts';
import { newId } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { Authorized, asSystem, authorizeRef, SystemCaller } from './authorized.ts';
import { databaseErrorCode, openDatabase, openPool } from './database.ts';
import { migrate } from './migrate.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-migrations-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('R5: migrations', () => {
  it('apply once, also when four replicas start together; a second run does nothing', async () => {
    const { url } = await withDatabase({ empty: true });
    const runs = await Promise.all([migrate(url), migrate(url), migrate(url), migrate(url)]);
    expect(runs.filter((applied) => applied.length > 0)).toHaveLength(1);
    expect(await migrate(url)).toEqual([]);
  });

  it('a broken migration leaves nothing behind; a changed or unknown one is refused', async () => {
    const { url } = await withDatabase({ empty: true });
    await writeFile(join(dir, '0001-first.sql'), 'create table first (id int);');
    await writeFile(join(dir, '0002-broken.sql'), 'create table second (id int); select nonsense;');
    await expect(migrate(url, dir)).rejects.toThrow('0002-broken.sql');
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("select to_regclass('first') as first, to_regclass('second') as second");
    await client.end();
    expect(rows[0]).toEqual({ first: 'first', second: null });
    await writeFile(join(dir, '0002-broken.sql'), 'create table second (id int);');
    expect(await migrate(url, dir)).toEqual(['0002-broken.sql']);
    await writeFile(join(dir, '0001-first.sql'), 'create table first (id bigint);');
    await expect(migrate(url, dir)).rejects.toThrow('was changed');
    await rm(join(dir, '0001-first.sql'));
    await expect(migrate(url, dir)).rejects.toThrow('does not know');
  });
});

describe('I4: proofs', () => {
  it('cannot be made by hand, copied into being or changed', async () => {
    const fields = { kind: 'project', action: 'project.read', id: null, actor: null, organizationId: null };
    expect(() => new Authorized(Symbol('authorized') as never, fields as never)).toThrow('authorize()');
    expect(() => new SystemCaller(Symbol('authorized') as never, 'x', 'system')).toThrow('asSystem()');
    const { url } = await withDatabase();
    const pool = openPool(url);
    const db = openDatabase(pool);
    const proof = await authorizeRef(db, asSystem('a test'), 'platform.image.build', { kind: 'platform' });
    expect(Authorized.isGenuine(proof)).toBe(true);
    expect(Authorized.isGenuine({ ...proof })).toBe(false);
    expect(Authorized.isGenuine(Object.create(proof))).toBe(false);
    expect(() => {
      (proof as { action: string }).action = 'platform.image.delete';
    }).toThrow(TypeError);
    await pool.end();
  });

  it('not even Berth itself gets a proof for what does not exist, and nobody gets one unknown', async () => {
    const { url } = await withDatabase();
    const pool = openPool(url);
    const db = openDatabase(pool);
    const ref = { kind: 'instance', id: newId('ins') } as const;
    await expect(authorizeRef(db, asSystem('a test'), 'instance.read', ref)).rejects.toMatchObject({
      code: 'not_found',
    });
    const nobody = { kind: 'anonymous', origin: noOrigin } as const;
    await expect(authorizeRef(db, nobody, 'instance.read', ref)).rejects.toMatchObject({ code: 'unauthenticated' });
    await pool.end();
  });
});

describe('the tables as TypeScript knows them', () => {
  it('every table of the schema can be read with every column the types name', async () => {
    const { url } = await withDatabase();
    const pool = openPool(url);
    const { rows } = await pool.query<{ table_name: string; columns: string[] }>(`
      select table_name, array_agg(column_name::text order by column_name) as columns
        from information_schema.columns where table_schema = 'public' and table_name not like 'edge\\_%'
       group by table_name`);
    const source = await import('node:fs/promises').then((fs) =>
      fs.readFile(new URL('tables.ts', import.meta.url), 'utf8'),
    );
    const typed = parseTables(source);
    const actual = Object.fromEntries(
      rows.filter((row) => row.table_name !== 'schema_migration').map((row) => [row.table_name, row.columns]),
    );
    expect(typed).toEqual(actual);
    await pool.end();
  });

  it('refuses bigints beyond the safe range instead of rounding them', async () => {
    const { url } = await withDatabase();
    const pool = openPool(url);
    expect((await pool.query('select 9007199254740991::bigint as n')).rows[0].n).toBe(9007199254740991);
    await expect(pool.query('select 9007199254740993::bigint as n')).rejects.toThrow('safe range');
    expect(databaseErrorCode(await pool.query('select 1/0').catch((error: unknown) => error))).toBe('22012');
    await pool.end();
  });
});

/** Table and column names out of the `Tables` type: types leave no trace at run time. */
function parseTables(source: string): Record<string, string[]> {
  const body = source.slice(
    source.indexOf('export type Tables = {'),
    source.indexOf('\n};', source.indexOf('export type Tables = {')),
  );
  const tables: Record<string, string[]> = {};
  for (const match of body.matchAll(/^ {2}([a-z_]+): \{([\s\S]*?)\n? ?(?:\n {2})?\};$/gm)) {
    const [, table = '', columns = ''] = match;
    let depth = 0;
    let flat = '';
    for (const character of columns) {
      if ('<{('.includes(character)) depth++;
      if (depth === 0) flat += character;
      if ('>})'.includes(character)) depth--;
    }
    tables[table] = [...flat.matchAll(/(?:^|[;\s])([a-z0-9_]+)\??:/g)].map((column) => column[1] ?? '').sort();
  }
  return tables;
}
