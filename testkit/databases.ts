/** Databases of tests: a template with all migrations and clones of it. No test runner in here: tools use it too. */
import { randomBytes } from 'node:crypto';
import { asAdmin, postgresUrl } from '#host/postgres.ts';
import { migrate } from '#server/store/migrate.ts';

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

/** Applies db/migrations as `berth_server`, as the server does. */
export async function migrateTemplate(socketDir: string): Promise<void> {
  await migrate(postgresUrl(socketDir, 'berth_server', TEMPLATE_DATABASE));
}
