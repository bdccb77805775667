/** The connection pool, its types and limits, and the one way to open a transaction. */
import { Kysely, PostgresDialect, type RawBuilder, sql, type Transaction } from 'kysely';
import { Pool, types } from 'pg';
import { PreparingClient } from './prepared.ts';
import type { Tables } from './tables.ts';

/** What store functions take when a single statement is enough; a `Trx` fits as well. */
export type Db = Kysely<Tables>;
/** What store functions take when they must run inside a transaction. */
export type Trx = Transaction<Tables>;

const INT8_OID = 20;

/** int8 as number: every bigint of ours (bytes, counters, sequence numbers) stays far below 2^53. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`a bigint left the safe range: ${text}`);
  return value;
}

export const POOL_CONNECTIONS_MAX = 12;
const CONNECT_TIMEOUT_MS = 10_000;
/** A process of PostgreSQL only grows (what it planned, what it read of the catalogue): one that is used all the time is renewed. */
const CONNECTION_LIFETIME_SECONDS = 120;
const STATEMENT_TIMEOUT_MS = 30_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

/** A pool with the house's type parsers and time limits. `onError` hears about connections that broke. */
export function openPool(
  url: string,
  options: { max?: number; name?: string; onError?: (error: Error) => void } = {},
): Pool {
  const pool = new Pool({
    Client: PreparingClient,
    connectionString: url,
    max: options.max ?? POOL_CONNECTIONS_MAX,
    application_name: options.name ?? 'berth-server',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    maxLifetimeSeconds: CONNECTION_LIFETIME_SECONDS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === INT8_OID ? parseInt8 : types.getTypeParser(oid, format as 'text')) as typeof types.getTypeParser,
    },
  });
  // Without listeners a connection that breaks (PostgreSQL restarted) would end the process: the pool hears of idle ones,
  // the client itself of one that is lent out. Whoever waits for a query gets the error through the query.
  const onError = options.onError ?? (() => {});
  pool.on('error', onError);
  pool.on('connect', (client) => void client.on('error', onError));
  return pool;
}

/** Kysely over a pool. */
export function openDatabase(pool: Pool): Db {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

const emitted = new WeakSet<object>();
const commitListeners = new WeakMap<object, () => void>();

/** Called by the outbox: this transaction has written hints. */
export function markEmitted(trx: Trx): void {
  emitted.add(trx);
}

/** `listener` runs after each commit of a transaction on `db` that wrote hints (it only wakes the relay). */
export function onHintsCommitted(db: Db, listener: () => void): void {
  commitListeners.set(db, listener);
}

/** For single statements that wrote hints without `transact`: wakes the relay. */
export function hintsCommitted(db: Db): void {
  commitListeners.get(db)?.();
}

/** Serialization failure, deadlock, and a prepared statement whose table a migration has changed. */
const worthRepeating = new Set(['40001', '40P01', '0A000']);
const TRANSACTION_ATTEMPTS_MAX = 4;

/**
 * Runs `work` in one transaction (read committed) and wakes the outbox relay after the commit. What other
 * transactions caused (`worthRepeating`) is tried again up to TRANSACTION_ATTEMPTS_MAX times: `work` must have no effect outside.
 */
export async function transact<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    let used: Trx | undefined;
    try {
      const result = await db.transaction().execute((trx) => {
        used = trx;
        return work(trx);
      });
      if (used !== undefined && emitted.has(used)) commitListeners.get(db)?.();
      return result;
    } catch (error) {
      const code = databaseErrorCode(error);
      if (attempt >= TRANSACTION_ATTEMPTS_MAX || !(code !== undefined && worthRepeating.has(code))) throw error;
    }
  }
}

/**
 * For the `with` of a single statement that says how far things are: its commit does not wait for the disk (about 2 ms
 * each). What a crash of the database can take away is a tail of such statements, never something that an ordinary commit
 * followed. Must be referred to, or it does not run. Inside a transaction it does nothing: that waits as always.
 */
export function withoutWaiting(db: Db): RawBuilder<unknown> {
  return db.isTransaction
    ? sql`(select true as set)`
    : sql`(select set_config('synchronous_commit', 'off', true) is not null as set)`;
}

/** SQLSTATE of a PostgreSQL error; undefined for anything else. */
export function databaseErrorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A row that the statement refers to is not there (any more). */
export function isForeignKeyViolation(error: unknown): boolean {
  return databaseErrorCode(error) === '23503';
}

/** True when `error` is the violation of this unique constraint or index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (databaseErrorCode(error) !== '23505') return false;
  if (constraint === undefined) return true;
  return typeof error === 'object' && error !== null && 'constraint' in error && error.constraint === constraint;
}

/** A value for a jsonb column. */
export function json(value: unknown): string {
  return JSON.stringify(value);
}
