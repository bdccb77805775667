/**
 * Brings a database to the newest schema: runs db/migrations/NNNN-say-what.sql in order, each in one transaction with
 * the row that records it. An applied file must never change (its checksum is compared). One runner at a time: an
 * advisory lock makes replicas that start together wait for each other.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';

const MIGRATIONS_DIR = fileURLToPath(new URL('../../db/migrations/', import.meta.url));
/** Any fixed number; it names the lock. */
const MIGRATION_LOCK = 6_273_001;

export type AppliedMigration = { name: string; sha256: string };

/**
 * Applies what is missing and returns the names applied now. Errors: Error when a file was changed after it was applied
 * or when the database knows a migration that this version does not have (it was used by a newer Berth).
 */
export async function migrate(url: string, directory: string = MIGRATIONS_DIR): Promise<string[]> {
  const files = await readMigrations(directory);
  const client = new Client({ connectionString: url, application_name: 'berth-migrate' });
  // Without a listener a connection that breaks between two statements would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query(`
      create table if not exists schema_migration (
        name text primary key,
        sha256 text not null,
        applied_at timestamptz not null default now()
      )`);
    const { rows } = await client.query<AppliedMigration>('select name, sha256 from schema_migration order by name');
    const known = new Map(rows.map((row) => [row.name, row.sha256]));
    for (const [name, sha256] of known) {
      const file = files.find((candidate) => candidate.name === name);
      if (file === undefined) throw new Error(`the database has migration ${name}, which this version does not know`);
      if (file.sha256 !== sha256) throw new Error(`migration ${name} was changed after it had been applied`);
    }
    const applied: string[] = [];
    for (const file of files) {
      if (known.has(file.name)) continue;
      await client.query('begin');
      try {
        await client.query(file.sql);
        await client.query('insert into schema_migration (name, sha256) values ($1, $2)', [file.name, file.sha256]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw new Error(`migration ${file.name} failed`, { cause: error });
      }
      applied.push(file.name);
    }
    return applied;
  } finally {
    // Ending the connection releases the lock.
    await client.end();
  }
}

async function readMigrations(directory: string): Promise<{ name: string; sql: string; sha256: string }[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(`${directory}/${name}`, 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}
