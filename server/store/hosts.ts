/** Hosts: the machines that run instances, as they last described themselves. */
import type { ForwardProtocol, PortRange } from '#domain/forwards.ts';
import type { HostId } from '#domain/ids.ts';
import { type Db, json, transact } from './database.ts';
import { emit } from './outbox.ts';

/** What a host says of itself; the shape of the driver's HostFacts, kept as JSON. */
export type StoredHostFacts = {
  engine: string;
  engineVersion: string;
  kernel: string;
  os: string;
  cpus: number;
  load1: number;
  memoryBytes: number;
  memoryUsedBytes: number;
  poolDriver: string;
  poolBytes: number;
  poolUsedBytes: number;
  uptimeSeconds: number;
  missing: string[];
  /** Absent in facts of an older agent. `pool` null: no port of it may be used. */
  forwards?: { pool: PortRange | null; busy: { protocol: ForwardProtocol; port: number }[] };
};

export type HostRecord = {
  id: HostId;
  name: string;
  state: 'online' | 'offline';
  facts: StoredHostFacts | null;
  error: string | null;
  lastSeenAt: Date | null;
};

export async function ensureHost(db: Db, id: HostId, name: string): Promise<void> {
  await db
    .insertInto('host')
    .values({ id, name })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
}

export async function listHosts(db: Db): Promise<HostRecord[]> {
  const rows = await db.selectFrom('host').selectAll().orderBy('name').execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    state: row.state,
    facts: row.facts as StoredHostFacts | null,
    error: row.error,
    lastSeenAt: row.last_seen_at,
  }));
}

export async function findHostByName(db: Db, name: string): Promise<HostRecord | null> {
  return (await listHosts(db)).find((host) => host.name === name) ?? null;
}

/** What was just learnt of a host; `facts` null when it did not answer (the last known ones stay). */
export async function recordHost(
  db: Db,
  name: string,
  seen: { facts: StoredHostFacts | null; error: string | null },
  now: number,
): Promise<void> {
  await transact(db, async (tx) => {
    const row = await tx
      .updateTable('host')
      .set({
        state: seen.facts === null ? 'offline' : 'online',
        error: seen.error,
        ...(seen.facts === null ? {} : { facts: json(seen.facts), last_seen_at: new Date(now) }),
      })
      .where('name', '=', name)
      .returning('id')
      .executeTakeFirst();
    if (row !== undefined) await emit(tx, { kind: 'host', ref: row.id });
  });
}
