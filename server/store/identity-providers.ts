/** Identity providers as they are set up. The client secret arrives and leaves sealed. */
import { sql } from 'kysely';
import type { ProviderKind, Provisioning, RoleMapping } from '#domain/identity-providers.ts';
import type { IdentityProviderId, OrganizationId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';

export type IdentityProvider = {
  id: IdentityProviderId;
  name: string;
  title: string;
  kind: ProviderKind;
  issuer: string;
  clientId: string;
  clientSecretSealed: string | null;
  scopes: string[];
  enabled: boolean;
  provisioning: Provisioning;
  domains: string[];
  groupsClaim: string | null;
  roleMappings: RoleMapping[];
  recheckMinutes: number;
  createdAt: Date;
};

type ReadProof = Authorized<'platform', 'platform.provider.read'>;
type WriteProof = Authorized<'platform', 'platform.provider.update'>;

const columns = [
  'id',
  'name',
  'title',
  'kind',
  'issuer',
  'client_id as clientId',
  'client_secret_sealed as clientSecretSealed',
  'scopes',
  'enabled',
  'provisioning',
  'domains',
  'groups_claim as groupsClaim',
  'role_mappings as roleMappings',
  'recheck_minutes as recheckMinutes',
  'created_at as createdAt',
] as const;

export async function listProviders(db: Db, _proof: ReadProof): Promise<(IdentityProvider & { people: number })[]> {
  return db
    .selectFrom('identity_provider as p')
    .select(columns)
    .select(sql<number>`(select count(*) from linked_identity l where l.provider_id = p.id)`.as('people'))
    .orderBy('p.title')
    .orderBy('p.id')
    .execute();
}

/** For the sign-in page: what everybody may know. */
export async function listEnabledProviders(db: Db): Promise<{ name: string; title: string; kind: ProviderKind }[]> {
  return db
    .selectFrom('identity_provider')
    .select(['name', 'title', 'kind'])
    .where('enabled', '=', true)
    .orderBy('title')
    .orderBy('name')
    .execute();
}

/** For signing in: the enabled provider of this name; null when there is none. */
export async function findEnabledProvider(db: Db, name: string): Promise<IdentityProvider | null> {
  const row = await db
    .selectFrom('identity_provider')
    .select(columns)
    .where('name', '=', name)
    .where('enabled', '=', true)
    .executeTakeFirst();
  return row ?? null;
}

/** For what Berth does on its own. */
export async function findProviderById(db: Db, id: IdentityProviderId): Promise<IdentityProvider | null> {
  const row = await db.selectFrom('identity_provider').select(columns).where('id', '=', id).executeTakeFirst();
  return row ?? null;
}

/** `lock`: until the end of the transaction. */
export async function readProvider(
  db: Db,
  _proof: ReadProof | WriteProof,
  id: IdentityProviderId,
  lock = false,
): Promise<IdentityProvider | null> {
  const row = await db
    .selectFrom('identity_provider')
    .select(columns)
    .where('id', '=', id)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirst();
  return row ?? null;
}

export async function countProviders(trx: Trx, _proof: WriteProof): Promise<number> {
  const { count } = await trx
    .selectFrom('identity_provider')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** Errors: unique violation of identity_provider_name_key. */
export async function insertProvider(trx: Trx, _proof: WriteProof, provider: IdentityProvider): Promise<void> {
  await trx.insertInto('identity_provider').values(rowOf(provider)).execute();
}

/** Everything but name and kind. */
export async function updateProvider(trx: Trx, _proof: WriteProof, provider: IdentityProvider): Promise<void> {
  const { id, name: _name, kind: _kind, created_at: _created, ...row } = rowOf(provider);
  await trx.updateTable('identity_provider').set(row).where('id', '=', id).execute();
}

function rowOf(provider: IdentityProvider) {
  return {
    id: provider.id,
    name: provider.name,
    title: provider.title,
    kind: provider.kind,
    issuer: provider.issuer,
    client_id: provider.clientId,
    client_secret_sealed: provider.clientSecretSealed,
    scopes: provider.scopes,
    enabled: provider.enabled,
    provisioning: provider.provisioning,
    domains: provider.domains,
    groups_claim: provider.groupsClaim,
    role_mappings: json(provider.roleMappings),
    recheck_minutes: provider.recheckMinutes,
    created_at: provider.createdAt,
  };
}

/** With every link to it; sessions and roles that came from it must have ended before. */
export async function deleteProvider(trx: Trx, _proof: WriteProof, id: IdentityProviderId): Promise<void> {
  await trx.deleteFrom('identity_provider').where('id', '=', id).execute();
}

/** Those of `ids` that are living organizations. */
export async function existingOrganizations(
  db: Db,
  _proof: WriteProof,
  ids: readonly OrganizationId[],
): Promise<Set<OrganizationId>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .selectFrom('organization')
    .select('id')
    .where('id', 'in', ids)
    .where('deleted_at', 'is', null)
    .execute();
  return new Set(rows.map((row) => row.id));
}
