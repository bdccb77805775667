/** Replicas of the control plane. All times are the database's: clocks of different machines are not compared. */
import { sql } from 'kysely';
import type { Db } from './database.ts';

export async function beat(db: Db, id: string): Promise<void> {
  await sql`insert into replica (id) values (${id})
    on conflict (id) do update set seen_at = now()`.execute(db);
}

/** Those heard of within `deadMs`. */
export async function livingReplicas(db: Db, deadMs: number): Promise<string[]> {
  const result = await sql<{ id: string }>`
    select id from replica where seen_at > now() - make_interval(secs => ${deadMs / 1000}::float8)`.execute(db);
  return result.rows.map((row) => row.id);
}

export async function forgetReplicas(db: Db, afterMs: number): Promise<void> {
  await sql`delete from replica where seen_at < now() - make_interval(secs => ${afterMs / 1000}::float8)`.execute(db);
}
