/**
 * A real PostgreSQL for tests: one server per Vitest run (started by testkit/postgres-setup.ts), one database per test
 * file, cloned from a template that has all migrations.
 */
import { afterAll, inject } from 'vitest';
import { createDatabase, type TestDatabase } from './databases.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Socket folder of the run's server. */
    testPostgres: string;
  }
}

/** A migrated database of its own; `empty` gives one without any table. Dropped when the test file ends. */
export async function withDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const database = await createDatabase(inject('testPostgres'), options);
  afterAll(() => database.drop());
  return database;
}
