/** Tables as they are stored. The database refuses everything but the columns of domain/data.ts, and every change. */
import { sql } from 'kysely';
import { DATA_MS_MAX, DATA_VALUE_LENGTH_MAX, type DataTable, dataKeys, dataTables } from '#domain/data.ts';
import { BerthError } from '#domain/errors.ts';
import type { Authorized } from './authorized.ts';
import { type Db, databaseErrorCode } from './database.ts';

export type DataPage = { rows: (string | null)[][]; nextKey: string[] | null };
export type DataQuery = {
  limit: number;
  /** Key of the last row of the page before. */
  after: string[] | null;
  filter: { column: string; value: string } | null;
};

const ROLE = 'berth_data';
/** No such role; not allowed to take it; a column that was not granted. */
const notSetUp = new Set(['42704', '22023', '42501']);
const TOO_SLOW = '57014';

/**
 * One page, newest first. `filter.column` must be one of the table's. Errors: unsupported where the database has no such
 * role, timeout, invalid_input for a key that is none.
 */
export async function readData(
  db: Db,
  _proof: Authorized<'platform', 'platform.data.read'>,
  table: DataTable,
  { limit, after, filter }: DataQuery,
): Promise<DataPage> {
  const columns: readonly string[] = dataTables[table];
  const keys = dataKeys[table];
  const ordered = sql.join(keys.map((key) => sql.ref(key)));
  const descending = sql.join(keys.map((key) => sql`${sql.ref(key)} desc`));
  const shown = sql.join(
    columns.map((column) => sql`left(${sql.ref(column)}::text, ${sql.lit(DATA_VALUE_LENGTH_MAX)})`),
  );
  const conditions = [
    ...(after === null ? [] : [sql`(${ordered}) < (${sql.join(after)})`]),
    // Like patterns of the person are text, not patterns.
    ...(filter === null ? [] : [sql`strpos(lower(${sql.ref(filter.column)}::text), lower(${filter.value}::text)) > 0`]),
  ];
  const where = conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`;
  try {
    return await db
      .transaction()
      .setAccessMode('read only')
      .execute(async (trx) => {
        await sql`set local role ${sql.raw(ROLE)}`.execute(trx);
        await sql`set local statement_timeout = ${sql.lit(DATA_MS_MAX)}`.execute(trx);
        const { rows } = await sql<{ cells: (string | null)[]; key: string[] }>`
          select array[${shown}] as cells, array[${sql.join(keys.map((key) => sql`${sql.ref(key)}::text`))}] as key
            from ${sql.table(table)} ${where} order by ${descending} limit ${limit + 1}`.execute(trx);
        const page = rows.slice(0, limit);
        return {
          rows: page.map(({ cells }) => cells),
          nextKey: rows.length > limit ? (page.at(-1)?.key ?? null) : null,
        };
      });
  } catch (error) {
    const code = databaseErrorCode(error) ?? '';
    if (notSetUp.has(code)) {
      throw new BerthError('unsupported', `This database is not set up for the data page: it lacks the role ${ROLE}.`, {
        cause: error,
      });
    }
    if (code === TOO_SLOW) throw new BerthError('timeout', 'The database took too long. Filter by another column.');
    throw error;
  }
}
