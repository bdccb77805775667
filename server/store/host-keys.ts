/** Host keys of instances: read once through the engine, trusted by the SSH gateway from then on. */
import { sql } from 'kysely';
import type { InstanceId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

type Proof = Authorized<'instance', 'instance.ssh' | 'instance.update' | 'ssh-recording.update'>;
export type HostKeys = { publicKeys: string[]; pinnedAt: Date; refusedKey: string | null; refusedAt: Date | null };

/** Null while none are known. */
export async function readHostKeys(db: Db, proof: Proof): Promise<HostKeys | null> {
  const row = await db
    .selectFrom('instance_host_key')
    .selectAll()
    .where('instance_id', '=', proof.id)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    publicKeys: row.public_keys,
    pinnedAt: row.pinned_at,
    refusedKey: row.refused_key,
    refusedAt: row.refused_at,
  };
}

/** Replaces what was pinned before; what was refused is forgotten. */
export async function pinHostKeys(trx: Trx, proof: Proof, publicKeys: string[], now: Date): Promise<void> {
  const values = { public_keys: publicKeys, pinned_at: now, refused_key: null, refused_at: null };
  await trx
    .insertInto('instance_host_key')
    .values({ instance_id: proof.id, ...values })
    .onConflict((conflict) => conflict.column('instance_id').doUpdateSet(values))
    .execute();
  await tell(trx, proof);
}

/** Remembers what the instance came with instead; false when that is known. */
export async function refuseHostKey(trx: Trx, proof: Proof, key: string, now: Date): Promise<boolean> {
  const changed = await trx
    .updateTable('instance_host_key')
    .set({ refused_key: key, refused_at: now })
    .where('instance_id', '=', proof.id)
    .where((eb) => eb.or([eb('refused_key', 'is', null), eb('refused_key', '!=', key)]))
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await tell(trx, proof);
  return true;
}

async function tell(trx: Trx, proof: Proof): Promise<void> {
  await emit(trx, {
    kind: 'instance',
    ref: proof.id,
    organizationId: proof.organization,
    projectId: proof.project,
    instanceId: proof.id,
  });
}

/** Running, healthy, and nobody has read their host keys yet. */
export async function instancesWithoutHostKeys(db: Db, limit: number): Promise<InstanceId[]> {
  const { rows } = await sql<{ id: InstanceId }>`
    select i.id from instance i
     where i.phase = 'ready' and i.observed = 'running' and i.health in ('healthy', 'degraded')
       and not exists (select from instance_host_key k where k.instance_id = i.id)
     order by i.id limit ${limit}`.execute(db);
  return rows.map((row) => row.id);
}
