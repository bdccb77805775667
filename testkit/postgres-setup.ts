/** Vitest global set-up: starts the PostgreSQL of this test run and prepares the template database. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { ensureRoles, startPostgres } from '#host/postgres.ts';
import { migrateTemplate, TEMPLATE_DATABASE } from './databases.ts';

const NOBODY = 65534;

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-pg-'));
  chmodSync(dir, 0o755);
  const root = process.getuid?.() === 0;
  const server = await startPostgres({
    dataDir: join(dir, 'data'),
    socketDir: join(dir, 's'),
    copyDir: join(dir, 'bin'),
    user: root ? { uid: NOBODY, gid: NOBODY } : null,
    socketGid: null,
    peers: {},
    // Throw-away data: nothing here has to survive a power cut.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' },
    logFile: join(dir, 'postgres.log'),
  });
  const teardown = async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await ensureRoles(join(dir, 's'), TEMPLATE_DATABASE);
    await migrateTemplate(join(dir, 's'));
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('testPostgres', join(dir, 's'));
  return teardown;
}
