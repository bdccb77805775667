/** Looking at tables as they are stored. Recorded before anything is read, every time. */
import type { Caller } from '#domain/caller.ts';
import { type DataTable, dataKeys, dataTableNames, dataTables } from '#domain/data.ts';
import { BerthError } from '#domain/errors.ts';
import { record } from '#server/store/audit.ts';
import { readData } from '#server/store/data.ts';
import { transact } from '#server/store/database.ts';
import { decodeTextCursor, encodeCursor } from '#server/store/page.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

export async function listDataTables(
  app: AppContext,
  caller: Caller,
): Promise<{ table: DataTable; columns: string[] }[]> {
  await authorizePlatform(app, caller, 'platform.data.read');
  return dataTableNames.map((table) => ({ table, columns: [...dataTables[table]] }));
}

export type DataAnswer = { table: DataTable; columns: string[]; items: (string | null)[][]; nextCursor: string | null };

/** Errors: not_found, invalid_input, unsupported, timeout. */
export async function readDataTable(
  app: AppContext,
  caller: Caller,
  table: DataTable,
  query: { cursor?: string | undefined; limit: number; column?: string | undefined; value?: string | undefined },
): Promise<DataAnswer> {
  const proof = await authorizePlatform(app, caller, 'platform.data.read');
  const columns: readonly string[] = dataTables[table];
  const { column, value = '' } = query;
  if (column !== undefined && !columns.includes(column)) {
    throw new BerthError('invalid_input', 'There is no such column.', {
      fields: [{ field: 'column', message: `One of ${columns.join(', ')}.` }],
    });
  }
  const filter = column === undefined || value === '' ? null : { column, value };
  const after = keyOf(table, query.cursor);
  await transact(app.db, (trx) =>
    record(trx, proof.person, {
      action: 'data.read',
      targetKind: 'table',
      targetId: table,
      target: table,
      after: { ...filter, ...(query.cursor === undefined ? {} : { cursor: query.cursor }), limit: query.limit },
    }),
  );
  const page = await readData(app.db, proof, table, { limit: query.limit, after, filter });
  return {
    table,
    columns: [...columns],
    items: page.rows,
    nextCursor: page.nextKey === null ? null : encodeCursor(page.nextKey.join(' ')),
  };
}

/** Parts of keys are ids and numbers: neither holds a blank. */
function keyOf(table: DataTable, cursor: string | undefined): string[] | null {
  const length = dataKeys[table].length;
  const part = table === 'outbox' ? '[0-9]{1,18}' : '[A-Za-z0-9_.:@-]{1,100}';
  const last = table === 'operation_step' ? '[0-9]{1,9}' : part;
  const pattern = new RegExp(
    `^${Array.from({ length }, (_, index) => (index === length - 1 ? last : part)).join(' ')}$`,
  );
  return decodeTextCursor(cursor, pattern)?.split(' ') ?? null;
}
