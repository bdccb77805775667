/** Databases of tests: a template with all migrations and clones of it. No test runner in here: tools use it too. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { asAdmin, postgresUrl } from '#host/postgres.ts';

export const TEMPLATE_DATABASE = 'berth_template';

export type TestDatabase = {
  name: string;
  socketDir: string;
  /** As `berth_server`, the owner. */
  url: string;
  /** As `berth_edge`, which may read the edge_* views. */
  edgeUrl: string;
  /** As the administrator. */
  adminUrl: string;
  drop: () => Promise<void>;
};

/** Like `withDatabase`, on any server and without clean-up. */
export async function createDatabase(socketDir: string, options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = options.empty === true ? 'template1' : TEMPLATE_DATABASE;
  await asAdmin(socketDir, 'postgres', async (client) => {
    // Cloning needs the template for itself for a moment: one at a time over all workers.
    await client.query('select pg_advisory_lock(4711)');
    await client.query(`create database ${name} owner berth_server template ${template} strategy file_copy`);
    await client.query(`grant connect on database ${name} to berth_edge`);
  });
  return {
    name,
    socketDir,
    url: postgresUrl(socketDir, 'berth_server', name),
    edgeUrl: postgresUrl(socketDir, 'berth_edge', name),
    adminUrl: postgresUrl(socketDir, 'berth_admin', name),
    drop: () =>
      asAdmin(socketDir, 'postgres', (client) =>
        client.query(`drop database if exists ${name} with (force)`).then(() => {}),
      ),
  };
}

/** Applies db/migrations in name order as `berth_server`. */
export async function migrateTemplate(socketDir: string): Promise<void> {
  const folder = fileURLToPath(new URL('../db/migrations/', import.meta.url));
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  await asAdmin(socketDir, TEMPLATE_DATABASE, async (client) => {
    await client.query('set session authorization berth_server');
    for (const file of files) await client.query(await readFile(`${folder}${file}`, 'utf8'));
  });
}
