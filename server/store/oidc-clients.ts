/** Apps that sign people in with Berth, who may enter them, and what stands behind what they were given. */
import { sql } from 'kysely';
import { type GrantPermission, highestRole, holdingMay, type Role } from '#domain/authz.ts';
import type { OidcAuthMethod } from '#domain/identity-providers.ts';
import type { OidcClientId, OrganizationId, SessionId, UserId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { grantsHeld, rolesHeld } from './held.ts';

export type OidcClient = {
  id: OidcClientId;
  title: string;
  organizationId: OrganizationId | null;
  /** Id of an instance; null: every member of the organization who is not a guest. */
  app: string | null;
  secretHash: Buffer | null;
  authMethod: OidcAuthMethod;
  redirectUris: string[];
  firstParty: boolean;
  createdAt: Date;
};

type ReadProof = Authorized<'platform', 'platform.client.read'>;
type WriteProof = Authorized<'platform', 'platform.client.update'>;

const columns = [
  'id',
  'title',
  'organization_id as organizationId',
  'app',
  'secret_hash as secretHash',
  'auth_method as authMethod',
  'redirect_uris as redirectUris',
  'first_party as firstParty',
  'created_at as createdAt',
] as const;

export async function listOidcClients(db: Db, _proof: ReadProof): Promise<OidcClient[]> {
  return db.selectFrom('oidc_client').select(columns).orderBy('title').orderBy('id').execute();
}

/** For the protocol: whoever names the id. */
export async function findOidcClient(db: Db, id: OidcClientId): Promise<OidcClient | null> {
  return (await db.selectFrom('oidc_client').select(columns).where('id', '=', id).executeTakeFirst()) ?? null;
}

export async function lockOidcClient(trx: Trx, _proof: WriteProof, id: OidcClientId): Promise<OidcClient | null> {
  const row = await trx.selectFrom('oidc_client').select(columns).where('id', '=', id).forUpdate().executeTakeFirst();
  return row ?? null;
}

export async function countOidcClients(trx: Trx, _proof: WriteProof): Promise<number> {
  const { count } = await trx
    .selectFrom('oidc_client')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** What the manifest of an app, or an administrator, registers. */
export async function insertOidcClient(trx: Trx, _proof: WriteProof, client: OidcClient): Promise<void> {
  await trx
    .insertInto('oidc_client')
    .values({ id: client.id, ...rowOf(client), created_at: client.createdAt })
    .execute();
}

export async function updateOidcClient(trx: Trx, _proof: WriteProof, client: OidcClient): Promise<void> {
  await trx.updateTable('oidc_client').set(rowOf(client)).where('id', '=', client.id).execute();
}

function rowOf(client: OidcClient) {
  return {
    title: client.title,
    organization_id: client.organizationId,
    app: client.app,
    secret_hash: client.secretHash,
    auth_method: client.authMethod,
    redirect_uris: client.redirectUris,
    first_party: client.firstParty,
  };
}

export async function deleteOidcClient(trx: Trx, _proof: WriteProof, id: OidcClientId): Promise<void> {
  await trx.deleteFrom('oidc_client').where('id', '=', id).execute();
}

/** Whether the organization is there and, when given, the instance belongs to it. */
export async function clientPlaceExists(
  db: Db,
  _proof: WriteProof,
  organizationId: OrganizationId,
  app: string | null,
): Promise<boolean> {
  const row = await db
    .selectFrom('organization as o')
    .select('o.id')
    .where('o.id', '=', organizationId)
    .where('o.deleted_at', 'is', null)
    .where(sql<boolean>`${app}::text is null or exists (select from instance i
      where i.id = ${app} and i.organization_id = o.id)`)
    .executeTakeFirst();
  return row !== undefined;
}

export type OidcPerson = { id: UserId; email: string; emailVerified: boolean; name: string; groups: string[] };

/**
 * The person as this app may see them; null when they may not enter it (now): disabled, not of the organization, a guest
 * without a grant, or without the second factor that the organization asks for.
 */
export async function personForClient(db: Db, client: OidcClient, userId: UserId): Promise<OidcPerson | null> {
  const { organizationId, app } = client;
  const project = sql`(select i.project_id from instance i where i.id = ${app})`;
  const { rows } = await sql<{
    id: UserId;
    email: string;
    verified: boolean;
    name: string;
    roles: Role[] | null;
    permissions: GrantPermission[] | null;
    factor_missing: boolean;
    groups: string[] | null;
  }>`
    select u.id, u.email, u.email_verified_at is not null as verified, u.name,
           ${rolesHeld(userId, sql`${organizationId}`, project)} as roles,
           ${grantsHeld(userId, sql`a.app = ${app}`)} as permissions,
           exists (select from organization o where o.id = ${organizationId}
             and (o.deleted_at is not null or (o.second_factor_required and not u.second_factor))) as factor_missing,
           (select array_agg(case when ${organizationId}::text is null then o.name || '/' || g.name else g.name end
                             order by o.name, g.name)
              from user_group_member gm
              join user_group g on g.id = gm.group_id
              join organization o on o.id = g.organization_id and o.deleted_at is null
             where gm.user_id = u.id and (${organizationId}::text is null or g.organization_id = ${organizationId})
           ) as groups
      from app_user u where u.id = ${userId} and u.disabled_at is null`.execute(db);
  const [row] = rows;
  if (row === undefined) return null;
  if (organizationId !== null) {
    const role = highestRole(row.roles ?? []);
    const enters =
      app === null
        ? role !== null && role !== 'guest'
        : holdingMay({ role, permissions: row.permissions ?? [] }, 'instance.open');
    if (!enters || row.factor_missing) return null;
  }
  return { id: row.id, email: row.email, emailVerified: row.verified, name: row.name, groups: row.groups ?? [] };
}

export async function insertOidcGrant(
  db: Db,
  grant: { hash: string; clientId: OidcClientId; sessionId: SessionId; expiresAt: Date },
): Promise<void> {
  await db
    .insertInto('oidc_grant')
    .values({
      grant_hash: grant.hash,
      client_id: grant.clientId,
      session_id: grant.sessionId,
      expires_at: grant.expiresAt,
    })
    .execute();
}

/** Whether the session behind a grant goes on. */
export async function isOidcGrantAlive(db: Db, hash: string, now: Date): Promise<boolean> {
  const row = await db
    .selectFrom('oidc_grant as g')
    .innerJoin('session as s', 's.id', 'g.session_id')
    .select('g.grant_hash')
    .where('g.grant_hash', '=', hash)
    .where('s.revoked_at', 'is', null)
    .where('s.expires_at', '>', now)
    .executeTakeFirst();
  return row !== undefined;
}
