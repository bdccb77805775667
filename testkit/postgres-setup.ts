/** Vitest global set-up: starts the PostgreSQL of this test run and prepares the template database. */
import type { TestProject } from 'vitest/node';
import { startOwnPostgres } from './own-postgres.ts';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startOwnPostgres('berth-pg-', {
    // Throw-away data: nothing here has to survive a power cut.
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '200',
  });
  project.provide('testPostgres', postgres.socketDir);
  return postgres.stop;
}
