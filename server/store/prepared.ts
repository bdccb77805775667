/**
 * A PostgreSQL client that prepares what it is asked more than once per connection: the server plans a statement a few
 * times and then keeps the plan. Planning the joins of a page costs more than running them.
 */
import { Client, type QueryConfig, type QueryResult } from 'pg';

/** Distinct statements that get a name in this process; those with lists of varying length must not fill the server. */
export const PREPARED_STATEMENTS_MAX = 500;
/** "cached plan must not change result type": a migration changed a table under a living connection. */
const FEATURE_NOT_SUPPORTED = '0A000';

const names = new Map<string, string>();
/** Counted up when a plan went out of date: every statement is prepared anew under a new name. */
let generation = 0;

function nameOf(text: string): string | null {
  const known = names.get(text);
  if (known !== undefined) return `g${generation}-${known}`;
  if (names.size >= PREPARED_STATEMENTS_MAX) return null;
  const name = `s${names.size}`;
  names.set(text, name);
  return `g${generation}-${name}`;
}

/** Only the form `query(text, values)` with at least one value is prepared: that is what Kysely sends. */
export class PreparingClient extends Client {
  // biome-ignore lint/suspicious/noExplicitAny: pg declares nine overloads; all but one form are handed on as they are
  override query(...args: any[]): any {
    const [text, values] = args as [unknown, unknown];
    const plain = args.length === 2 && typeof text === 'string' && Array.isArray(values) && values.length > 0;
    const name = plain ? nameOf(text as string) : null;
    // biome-ignore lint/suspicious/noExplicitAny: as above
    if (name === null) return (super.query as any)(...args);
    return this.#prepared({ name, text: text as string, values: values as unknown[] });
  }

  async #prepared(query: QueryConfig): Promise<QueryResult> {
    const inTransaction = this.getTransactionStatus() !== 'I';
    try {
      return await super.query(query);
    } catch (error) {
      if ((error as { code?: unknown }).code !== FEATURE_NOT_SUPPORTED) throw error;
      generation++;
      // Inside a transaction nothing can be saved: `transact` begins it anew.
      if (inTransaction) throw error;
      return super.query({ text: query.text, values: query.values ?? [] });
    }
  }
}
