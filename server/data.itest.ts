/** The data page: what it shows, what it never shows, who sees it, that it changes nothing and that it is recorded. */
import { sql } from 'kysely';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { dataKeys, dataTableNames, dataTables } from '#domain/data.ts';
import type { TestDatabase } from '#testkit/databases.ts';
import { makeHost, makeInstance, type Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';

let database: TestDatabase;
let server: TestServer;
let home: SetUp;
let place: Place;

beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, startWork: idleWork });
  home = await server.setUp();
  place = { ...home, person: home.owner.userId as NonNullable<typeof home.owner.userId> };
  for (let number = 0; number < 5; number++) await makeInstance(server.app.db, place, { name: `shown-${number}` });
  await makeHost(server.app.db);
  await home.owner.program();
});
afterAll(() => server?.stop());

const rows = (table: string, query: Record<string, string> = {}) =>
  home.owner.call(api.dataRows, { params: { table }, query });

describe('V12: the data page', () => {
  it('V12: every table can be looked at, page by page, each row once', async () => {
    const { items } = await home.owner.call(api.dataTables, {});
    expect(items.map(({ table }) => table)).toEqual(dataTableNames);
    for (const table of dataTableNames) {
      const whole = await rows(table, { limit: '200' });
      expect(whole.columns, table).toEqual(dataTables[table]);
      const walked: unknown[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof rows>> = await rows(table, {
          limit: '2',
          ...(cursor === null ? {} : { cursor }),
        });
        walked.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null && walked.length < whole.items.length + 50);
      // What is recorded while walking comes on top of the outbox; nothing else grows.
      if (table !== 'outbox') expect(walked, table).toEqual(whole.items);
    }
  });

  it('V12: rows are found by part of a column; patterns and quotes are only text', async () => {
    expect((await rows('instance', { column: 'name', value: 'SHOWN-' })).items).toHaveLength(5);
    expect((await rows('instance', { column: 'name', value: 'shown-3' })).items).toHaveLength(1);
    for (const value of ['%', '_', "'; drop table instance; --", '\\']) {
      expect((await rows('instance', { column: 'name', value })).items).toEqual([]);
    }
    for (const column of ['password_hash', 'name; drop table host', 'id, password_hash', '*']) {
      const response = await home.owner.try(api.dataRows, {
        params: { table: 'app_user' },
        query: { column, value: 'x' },
      });
      expect(response.statusCode, column).toBe(400);
    }
    const strange = await home.owner.try(api.dataRows, { params: { table: 'signing_key' } });
    expect(strange.statusCode).toBe(400);
    for (const cursor of ['bm9uc2Vuc2U', Buffer.from('"x\' or 1=1"').toString('base64url')]) {
      expect((await home.owner.try(api.dataRows, { params: { table: 'host' }, query: { cursor } })).statusCode).toBe(
        400,
      );
    }
  });

  it('V12: the database grants exactly what the list says, and the list holds no secret', async () => {
    const client = new Client({ connectionString: database.adminUrl });
    await client.connect();
    const granted = await client.query<{ table: string; columns: string[] }>(
      `select table_name as table, array_agg(column_name::text order by column_name) as columns
         from information_schema.column_privileges where grantee = 'berth_data' and privilege_type = 'SELECT' group by 1`,
    );
    const other = await client.query(
      `select table_name, privilege_type from information_schema.column_privileges
        where grantee = 'berth_data' and privilege_type <> 'SELECT'
        union all select table_name, privilege_type from information_schema.table_privileges where grantee = 'berth_data'`,
    );
    const keys = await client.query<{ table: string; columns: string[] }>(
      `select c.relname as table, array_agg(a.attname::text order by a.attname) as columns
         from pg_index i join pg_class c on c.oid = i.indrelid
         join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey) where i.indisprimary group by 1`,
    );
    await client.end();
    const listed = Object.entries(dataTables).map(([table, columns]) => ({ table, columns: [...columns].sort() }));
    const byName = (one: { table: string }, two: { table: string }) => one.table.localeCompare(two.table);
    expect(granted.rows.sort(byName)).toEqual(listed.sort(byName));
    expect(other.rows).toEqual([]);
    for (const { table, columns } of keys.rows) {
      if (table in dataKeys) expect([...dataKeys[table as keyof typeof dataKeys]].sort(), table).toEqual(columns);
    }
    const secret =
      /hash|sealed|secret|password|token|private|payload|public_key|credential|content|subject_sub|jwk|code_/;
    const shown = listed.flatMap(({ table, columns }) => columns.map((column) => `${table}.${column}`));
    expect(shown.filter((name) => secret.test(name.split('.')[1] ?? '') && name !== 'operation.error_code')).toEqual(
      [],
    );
  });

  it('V12: nothing can be changed or read beyond it, even by a statement that gets through', async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    const asReader = async (statement: string): Promise<string> => {
      await client.query('begin read only');
      await client.query('set local role berth_data');
      const code = await client.query(statement).then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
      await client.query('rollback');
      return code;
    };
    expect(await asReader('select id from app_user')).toBe('done');
    for (const statement of [
      'select password_hash from app_user',
      'select * from app_user',
      'select token_hash from session',
      'select * from signing_key',
      'select * from audit',
    ]) {
      expect(await asReader(statement), statement).toBe('42501');
    }
    for (const statement of ["update host set name = 'x'", 'delete from host', 'create table x (id int)']) {
      expect(['42501', '25006'], statement).toContain(await asReader(statement));
    }
    await client.end();
    // The server's own rights are not wider for it outside of such a transaction.
    const inherited = await sql<{ yes: boolean }>`
      select pg_has_role(current_user, 'berth_data', 'USAGE') as yes`.execute(server.app.db);
    expect(inherited.rows[0]?.yes).toBe(false);
  });

  it('V12: every look is in the audit log, with what was looked for', async () => {
    const looks = async () =>
      server.app.db.selectFrom('audit').selectAll().where('action', '=', 'data.read').orderBy('seq', 'desc').execute();
    const before = (await looks()).length;
    await rows('session', { column: 'address', value: '192.0.2.7' });
    await rows('session');
    const after = await looks();
    expect(after.length - before).toBe(2);
    expect(after[1]).toMatchObject({ target_id: 'session', actor: 'owner@example.test' });
    expect(JSON.stringify(after[1])).toContain('192.0.2.7');
    // Hints would make consoles look again because somebody looked.
    const hints = await server.app.db.selectFrom('outbox').selectAll().where('kind', '=', 'audit').execute();
    expect(hints.some((hint) => after.some((look) => look.id === hint.ref))).toBe(false);
  });

  it('V12: only for administrators of the installation, and for tokens with the scope', async () => {
    const tenant = await home.owner.addStranger();
    for (const table of ['host', 'instance']) {
      expect((await tenant.owner.try(api.dataRows, { params: { table } })).statusCode).toBe(404);
    }
    expect((await tenant.owner.try(api.dataTables, {})).statusCode).toBe(404);
    const { TestClient } = await import('#testkit/server.ts');
    const { secret } = await home.owner.call(api.tokensCreate, { body: { name: 'narrow', scopes: ['instance.*'] } });
    const narrow = new TestClient(server);
    narrow.token = secret;
    expect((await narrow.try(api.dataRows, { params: { table: 'host' } })).statusCode).toBe(403);
  });

  it('V12: a statement that takes too long is ended, and said to', async () => {
    const admin = new Client({ connectionString: database.adminUrl });
    await admin.connect();
    await admin.query('begin');
    await admin.query('lock table image in access exclusive mode');
    try {
      const response = await home.owner.try(api.dataRows, { params: { table: 'image' } });
      expect(response.statusCode).toBe(504);
      expect(response.json().code).toBe('timeout');
    } finally {
      await admin.query('rollback');
      await admin.end();
    }
  });
});
