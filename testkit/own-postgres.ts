/** A PostgreSQL of one's own for a test run or a bench, with the roles and the template database in place. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureRoles, startPostgres } from '#host/postgres.ts';
import { migrateTemplate, TEMPLATE_DATABASE } from './databases.ts';

const NOBODY = 65534;

export type OwnPostgres = {
  /** Empty but for PostgreSQL's own; removed by `stop`. */
  folder: string;
  socketDir: string;
  stop: () => Promise<void>;
};

/** `settings` are those of postgresql.conf; without them it is as durable as Berth's own. */
export async function startOwnPostgres(prefix: string, settings?: Record<string, string>): Promise<OwnPostgres> {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(folder, 0o755);
  const socketDir = join(folder, 's');
  const postgres = await startPostgres({
    dataDir: join(folder, 'data'),
    socketDir,
    copyDir: join(folder, 'bin'),
    user: process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : null,
    socketGid: null,
    peers: {},
    ...(settings === undefined ? {} : { settings }),
    logFile: join(folder, 'postgres.log'),
  });
  const stop = async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ensureRoles(socketDir, TEMPLATE_DATABASE);
    await migrateTemplate(socketDir);
  } catch (error) {
    await stop();
    throw error;
  }
  return { folder, socketDir, stop };
}
