/** DNS providers as they are connected: of the installation, or of one organization. The secret arrives and leaves sealed. */
import { sql } from 'kysely';
import type { DnsProviderKind, DnsProviderSettings } from '#domain/dns.ts';
import type { DnsProviderId, OrganizationId } from '#domain/ids.ts';
import type { Authorized, OrganizationProof } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type DnsProviderRow = {
  id: DnsProviderId;
  /** Null: of the installation. */
  organization: OrganizationId | null;
  title: string;
  kind: DnsProviderKind;
  settings: DnsProviderSettings;
  secretSealed: string;
  zones: string[];
  shared: boolean;
  available: string[];
  warnings: string[];
  problem: string | null;
  checkedAt: Date | null;
  createdAt: Date;
  version: number;
};
/** With how many records it holds, and how many of them are not as they should be. */
export type CountedProvider = DnsProviderRow & { records: number; troubled: number };

export type DnsReadProof = Authorized<'platform', 'platform.dns.read'> | OrganizationProof<'dns.read'>;
export type DnsWriteProof = Authorized<'platform', 'platform.dns.update'> | OrganizationProof<'dns.update'>;

export function dnsSecretPlace(id: DnsProviderId) {
  return { table: 'dns_provider', row: id, column: 'secret_sealed' };
}

const columns = [
  'p.id',
  'p.organization_id as organization',
  'p.title',
  'p.kind',
  'p.settings',
  'p.secret_sealed as secretSealed',
  'p.zones',
  'p.shared',
  'p.available',
  'p.warnings',
  'p.problem',
  'p.checked_at as checkedAt',
  'p.created_at as createdAt',
  'p.version',
] as const;

/** The installation's, or those of the proof's organization. */
const ownerOf = (proof: DnsReadProof | DnsWriteProof): OrganizationId | null => proof.organizationId;

const counted = (db: Db) =>
  db
    .selectFrom('dns_provider as p')
    .select(columns)
    .select([
      sql<number>`(select count(*) from dns_record r where r.provider_id = p.id)`.as('records'),
      sql<number>`(select count(*) from dns_record r where r.provider_id = p.id and r.state in ('drifted', 'taken', 'failed'))`.as(
        'troubled',
      ),
    ]);

export async function listDnsProviders(db: Db, proof: DnsReadProof): Promise<CountedProvider[]> {
  const rows = await counted(db)
    .where('p.organization_id', 'is not distinct from', ownerOf(proof))
    .orderBy('p.title')
    .orderBy('p.id')
    .execute();
  return rows.map((row) => ({ ...row, version: Number(row.version) }));
}

/** Null when there is none of this id there. */
export async function findDnsProvider(
  db: Db,
  proof: DnsReadProof | DnsWriteProof,
  id: DnsProviderId,
): Promise<CountedProvider | null> {
  const row = await counted(db)
    .where('p.id', '=', id)
    .where('p.organization_id', 'is not distinct from', ownerOf(proof))
    .executeTakeFirst();
  return row === undefined ? null : { ...row, version: Number(row.version) };
}

/** Makes others who add one there wait, and counts them. */
export async function lockDnsProviders(trx: Trx, proof: DnsWriteProof): Promise<number> {
  const owner = ownerOf(proof);
  await sql`select pg_advisory_xact_lock(hashtextextended(${`dns providers ${owner ?? 'platform'}`}, 0))`.execute(trx);
  const { count } = await trx
    .selectFrom('dns_provider')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_id', 'is not distinct from', owner)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Locks one row; null when it is gone. */
export async function lockDnsProvider(
  trx: Trx,
  proof: DnsWriteProof,
  id: DnsProviderId,
): Promise<CountedProvider | null> {
  await trx.selectFrom('dns_provider').select('id').where('id', '=', id).forUpdate().executeTakeFirst();
  return findDnsProvider(trx, proof, id);
}

export type NewDnsProvider = Pick<
  DnsProviderRow,
  'id' | 'title' | 'kind' | 'settings' | 'secretSealed' | 'zones' | 'shared' | 'available' | 'warnings'
>;

export async function insertDnsProvider(
  trx: Trx,
  proof: DnsWriteProof,
  provider: NewDnsProvider,
  now: Date,
): Promise<void> {
  await trx
    .insertInto('dns_provider')
    .values({
      id: provider.id,
      organization_id: ownerOf(proof),
      title: provider.title,
      kind: provider.kind,
      settings: json(provider.settings),
      secret_sealed: provider.secretSealed,
      zones: provider.zones,
      shared: provider.shared,
      available: provider.available,
      warnings: provider.warnings,
      checked_at: now,
      created_at: now,
    })
    .execute();
  await providerHint(trx, { id: provider.id, organization: ownerOf(proof), version: 1 });
}

export type DnsProviderChange = Partial<
  Pick<
    DnsProviderRow,
    'title' | 'settings' | 'secretSealed' | 'zones' | 'shared' | 'available' | 'warnings' | 'problem'
  >
>;

/** Also for what a reconciler has seen. */
export async function updateDnsProvider(
  trx: Trx,
  provider: Pick<DnsProviderRow, 'id' | 'organization'>,
  change: DnsProviderChange,
  checkedAt?: Date,
): Promise<void> {
  const { settings, secretSealed, ...same } = change;
  const row = await trx
    .updateTable('dns_provider')
    .set((eb) => ({
      ...same,
      ...(settings === undefined ? {} : { settings: json(settings) }),
      ...(secretSealed === undefined ? {} : { secret_sealed: secretSealed }),
      ...(checkedAt === undefined ? {} : { checked_at: checkedAt }),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', provider.id)
    .returning('version')
    .executeTakeFirst();
  if (row !== undefined) await providerHint(trx, { ...provider, version: Number(row.version) });
}

/** With its records: what is at the provider stays there. */
export async function deleteDnsProvider(trx: Trx, _proof: DnsWriteProof, provider: DnsProviderRow): Promise<void> {
  await trx.deleteFrom('dns_provider').where('id', '=', provider.id).execute();
  await providerHint(trx, { ...provider, version: provider.version + 1 });
}

/** For what Berth does on its own. */
export async function allDnsProviders(db: Db): Promise<DnsProviderRow[]> {
  const rows = await db.selectFrom('dns_provider as p').select(columns).orderBy('p.created_at').execute();
  return rows.map((row) => ({ ...row, version: Number(row.version) }));
}

/**
 * Those that an organization's names may get records at: its own, and shared ones of the installation. For the platform's
 * own domain (null): the installation's.
 */
export async function providersFor(
  db: Db,
  organization: OrganizationId | null,
): Promise<Pick<DnsProviderRow, 'id' | 'organization' | 'title' | 'zones' | 'shared'>[]> {
  return db
    .selectFrom('dns_provider as p')
    .select(['p.id', 'p.organization_id as organization', 'p.title', 'p.zones', 'p.shared'])
    .where(({ or, eb }) =>
      or([eb('p.organization_id', 'is not distinct from', organization), eb('p.shared', '=', true)]),
    )
    .orderBy('p.created_at')
    .execute();
}

async function providerHint(
  trx: Trx,
  provider: Pick<DnsProviderRow, 'id' | 'organization' | 'version'>,
): Promise<void> {
  await emit(trx, { kind: 'dns', ref: provider.id, organizationId: provider.organization, version: provider.version });
}
