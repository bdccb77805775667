/** The image cache: how it shall be (one row, its password sealed), and how each host said it is. */
import type { HostId } from '#domain/ids.ts';
import { DOCKER_HUB, type RegistryStatus, registryBytes } from '#domain/registry.ts';
import type { Authorized } from './authorized.ts';
import { type Db, json, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

const CACHE_ID = 'main';
/** Where its password is sealed. */
export const registryPasswordPlace = { table: 'registry_cache', row: CACHE_ID, column: 'password_sealed' } as const;

export type RegistrySettings = {
  enabled: boolean;
  upstream: string;
  username: string | null;
  passwordSealed: string | null;
  caCertificate: string | null;
  bytesMax: number;
  emptied: number;
};

/** Off until somebody switches it on. */
const untouched: RegistrySettings = {
  enabled: false,
  upstream: DOCKER_HUB,
  username: null,
  passwordSealed: null,
  caCertificate: null,
  bytesMax: registryBytes.default,
  emptied: 0,
};

export async function readRegistry(db: Db): Promise<RegistrySettings> {
  const row = await db.selectFrom('registry_cache').selectAll().where('id', '=', CACHE_ID).executeTakeFirst();
  if (row === undefined) return untouched;
  return {
    enabled: row.enabled,
    upstream: row.upstream,
    username: row.username,
    passwordSealed: row.password_sealed,
    caCertificate: row.ca_certificate,
    bytesMax: Number(row.bytes_max),
    emptied: row.emptied,
  };
}

export async function writeRegistry(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.registry.update'>,
  settings: RegistrySettings,
  now: Date,
): Promise<void> {
  const columns = {
    enabled: settings.enabled,
    upstream: settings.upstream,
    username: settings.username,
    password_sealed: settings.passwordSealed,
    ca_certificate: settings.caCertificate,
    bytes_max: settings.bytesMax,
    emptied: settings.emptied,
    updated_at: now,
  };
  await trx
    .insertInto('registry_cache')
    .values({ id: CACHE_ID, ...columns })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
    .execute();
  await emit(trx, { kind: 'host', ref: 'hst_registry' });
}

export type SeenRegistry = { hostName: string; status: RegistryStatus; seenAt: Date };

export async function registryStatuses(db: Db): Promise<SeenRegistry[]> {
  const rows = await db
    .selectFrom('registry_status')
    .innerJoin('host', 'host.id', 'registry_status.host_id')
    .select(['host.name', 'status', 'seen_at'])
    .orderBy('host.name')
    .execute();
  return rows.map((row) => ({ hostName: row.name, status: row.status as RegistryStatus, seenAt: row.seen_at }));
}

/** `news`: worth telling open consoles. */
export async function recordRegistry(
  db: Db,
  seen: { host: HostId; status: RegistryStatus; at: Date },
  news: boolean,
): Promise<void> {
  const columns = { status: json(seen.status), seen_at: seen.at };
  await transact(db, async (trx) => {
    await trx
      .insertInto('registry_status')
      .values({ host_id: seen.host, ...columns })
      .onConflict((conflict) => conflict.column('host_id').doUpdateSet(columns))
      .execute();
    if (news) await emit(trx, { kind: 'host', ref: seen.host });
  });
}
