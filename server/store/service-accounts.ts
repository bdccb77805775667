/**
 * Service accounts and their tokens. The account is a row of app_user (so that memberships, groups, roles and grants hold
 * for it as for people) with `service_of` set; secrets arrive here as digests.
 */
import { type RawBuilder, sql } from 'kysely';
import { highestRole, type Role, type WorkingRole } from '#domain/authz.ts';
import type { GroupId, OrganizationId, ProjectId, TokenId, UserId } from '#domain/ids.ts';
import { SERVICE_TOKENS_MAX, type ServiceRole, serviceHandle } from '#domain/service-accounts.ts';
import { revokeTokens } from './account.ts';
import type { Authorized, OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { roleNow } from './held.ts';
import { emit } from './outbox.ts';
import { type ApiToken, rowToToken, tokenColumns } from './tokens.ts';

export type ServiceAccount = {
  id: UserId;
  organization: OrganizationId;
  name: string;
  handle: string;
  description: string;
  role: ServiceRole;
  disabled: boolean;
  groups: { id: GroupId; name: string; title: string }[];
  projects: { id: ProjectId; name: string; role: WorkingRole }[];
  /** Living ones. */
  tokens: number;
  lastUsedAt: Date | null;
  createdAt: Date;
  createdBy: string;
  /** The highest it holds anywhere in the organization. */
  held: Role | null;
};
export type ServiceAccountProof<A extends 'service-account.update' | 'service-account.delete'> = Authorized<
  'service-account',
  A
>;

type Row = Omit<ServiceAccount, 'handle' | 'held'> & { held: Role[] | null };

async function readAccounts(db: Db, which: RawBuilder<unknown>, now: Date): Promise<ServiceAccount[]> {
  const { rows } = await sql<Row>`
    select u.id, u.service_of as organization, u.name, s.description, m.role, u.disabled_at is not null as disabled,
      u.created_at as "createdAt", maker.name as "createdBy",
      (select coalesce(json_agg(json_build_object('id', g.id, 'name', g.name, 'title', g.title) order by g.name), '[]')
         from user_group g join user_group_member gm on gm.group_id = g.id where gm.user_id = u.id) as groups,
      (select coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'role', r.role) order by p.name), '[]')
         from project_role r join project p on p.id = r.project_id where r.user_id = u.id) as projects,
      (select count(*) from api_token t where t.user_id = u.id and t.revoked_at is null
          and (t.expires_at is null or t.expires_at > ${now})) as tokens,
      (select max(t.last_used_at) from api_token t where t.user_id = u.id) as "lastUsedAt",
      (select array_agg(any_role.role) from (
          select m.role
          union select g.role from user_group g join user_group_member gm on gm.group_id = g.id
            where gm.user_id = u.id and g.role is not null
          union select r.role from project_role r
            where r.organization_id = u.service_of
              and (r.user_id = u.id or r.group_id in (select group_id from user_group_member where user_id = u.id))
        ) any_role) as held
      from app_user u
      join service_account s on s.user_id = u.id
      join membership m on m.user_id = u.id and m.organization_id = u.service_of
      join app_user maker on maker.id = s.created_by
     where u.deleted_at is null and ${which} order by u.name`.execute(db);
  return rows.map((row) => ({ ...row, handle: serviceHandle(row.name), held: highestRole(row.held ?? []) }));
}

/** By name; at most SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX exist. */
export async function listServiceAccounts(
  db: Db,
  proof: OrganizationProof<'service-account.read'>,
  now: Date,
): Promise<ServiceAccount[]> {
  return readAccounts(db, sql`u.service_of = ${proof.id}`, now);
}

/** Locks the organization's memberships; the role of the one who acts as it is now, and how many accounts there are. */
export async function lockServiceAccounts(
  trx: Trx,
  proof: OrganizationProof<'service-account.create'>,
): Promise<{ actorRole: Role | null; count: number }> {
  await trx.selectFrom('organization').select('id').where('id', '=', proof.id).forUpdate().execute();
  const { count } = await trx
    .selectFrom('app_user')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('service_of', '=', proof.id)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return { actorRole: await roleNow(trx, proof.person, proof.id), count };
}

/** The same for one account; null when it is gone meanwhile. */
export async function lockServiceAccount(
  trx: Trx,
  proof: ServiceAccountProof<'service-account.update' | 'service-account.delete'>,
  now: Date,
): Promise<{ account: ServiceAccount; actorRole: Role | null } | null> {
  await trx.selectFrom('organization').select('id').where('id', '=', proof.organization).forUpdate().execute();
  // Its groups give what they give until the transaction ends.
  await sql`select id from user_group where id in
    (select group_id from user_group_member where user_id = ${proof.id}) order by id for share`.execute(trx);
  const [account] = await readAccounts(trx, sql`u.id = ${proof.id} and u.service_of = ${proof.organization}`, now);
  if (account === undefined) return null;
  return { account, actorRole: await roleNow(trx, proof.person, proof.organization) };
}

/** Errors: unique violation of (organization, name). */
export async function insertServiceAccount(
  trx: Trx,
  proof: OrganizationProof<'service-account.create'>,
  account: { id: UserId; name: string; description: string; role: ServiceRole },
  now: Date,
): Promise<ServiceAccount> {
  const { id, name } = account;
  await trx
    .insertInto('app_user')
    .values({ id, email: serviceHandle(name), name, service_of: proof.id, created_at: now })
    .execute();
  await trx
    .insertInto('service_account')
    .values({ user_id: id, description: account.description, created_by: proof.person.userId })
    .execute();
  await trx.insertInto('membership').values({ organization_id: proof.id, user_id: id, role: account.role }).execute();
  await tell(trx, proof.id, id);
  return readAgain(trx, id, now);
}

/** Errors: unique violation of (organization, name). */
export async function updateServiceAccount(
  trx: Trx,
  proof: ServiceAccountProof<'service-account.update'>,
  after: { name: string; description: string; role: ServiceRole; disabledAt: Date | null },
  now: Date,
): Promise<ServiceAccount> {
  const { name, disabledAt } = after;
  await trx
    .updateTable('app_user')
    .set({ name, email: serviceHandle(name), disabled_at: disabledAt })
    .where('id', '=', proof.id)
    .execute();
  await trx
    .updateTable('service_account')
    .set({ description: after.description })
    .where('user_id', '=', proof.id)
    .execute();
  await trx
    .updateTable('membership')
    .set({ role: after.role })
    .where('organization_id', '=', proof.organization)
    .where('user_id', '=', proof.id)
    .execute();
  await tell(trx, proof.organization, proof.id);
  return readAgain(trx, proof.id, now);
}

async function readAgain(trx: Trx, id: UserId, now: Date): Promise<ServiceAccount> {
  const [account] = await readAccounts(trx, sql`u.id = ${id}`, now);
  if (account === undefined) throw new Error('a service account is gone in its own transaction');
  return account;
}

export async function deleteServiceAccount(
  trx: Trx,
  proof: ServiceAccountProof<'service-account.delete'>,
  now: Date,
): Promise<void> {
  await end(trx, proof.organization, proof.id, now);
}

/** All of an organization that is being deleted. */
export async function endServiceAccounts(trx: Trx, organization: OrganizationId, now: Date): Promise<void> {
  const rows = await trx
    .selectFrom('app_user')
    .select('id')
    .where('service_of', '=', organization)
    .where('deleted_at', 'is', null)
    .execute();
  for (const { id } of rows) await end(trx, organization, id, now);
}

/** The row stays, because what it made and the audit log point to it; its name is free again. */
async function end(trx: Trx, organization: OrganizationId, id: UserId, now: Date): Promise<void> {
  await trx
    .updateTable('app_user')
    .set({ email: serviceHandle(id), disabled_at: now, deleted_at: now })
    .where('id', '=', id)
    .execute();
  await revokeTokens(trx, id, now);
  await trx.deleteFrom('membership').where('user_id', '=', id).execute();
  await trx.deleteFrom('service_account').where('user_id', '=', id).execute();
  await tell(trx, organization, id);
}

/** Edge and its own connections hear that its way in has changed, consoles that the list has. */
async function tell(trx: Trx, organizationId: OrganizationId, id: UserId): Promise<void> {
  await emit(trx, { kind: 'session', ref: id }, { kind: 'member', ref: id, organizationId });
}

/** Tokens that are not revoked, newest first; expired ones too. */
export async function listServiceTokens(
  db: Db,
  proof: ServiceAccountProof<'service-account.update'>,
): Promise<ApiToken[]> {
  const rows = await db
    .selectFrom('api_token')
    .select(tokenColumns)
    .where('user_id', '=', proof.id)
    .where('revoked_at', 'is', null)
    .orderBy('created_at', 'desc')
    .limit(SERVICE_TOKENS_MAX)
    .execute();
  return rows.map(rowToToken);
}

/** Expired ones make room. Null when the account, which the caller has locked, has SERVICE_TOKENS_MAX living ones. */
export async function insertServiceToken(
  trx: Trx,
  proof: ServiceAccountProof<'service-account.update'>,
  token: { id: TokenId; name: string; scopes: string[] | null; prefix: string; tokenHash: Buffer; expiresAt: Date },
  now: Date,
): Promise<ApiToken | null> {
  await trx
    .updateTable('api_token')
    .set({ revoked_at: now })
    .where('user_id', '=', proof.id)
    .where('revoked_at', 'is', null)
    .where('expires_at', '<=', now)
    .execute();
  const { count } = await trx
    .selectFrom('api_token')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', proof.id)
    .where('revoked_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (count >= SERVICE_TOKENS_MAX) return null;
  const row = await trx
    .insertInto('api_token')
    .values({
      id: token.id,
      user_id: proof.id,
      name: token.name,
      scopes: token.scopes,
      prefix: token.prefix,
      token_hash: token.tokenHash,
      created_at: now,
      expires_at: token.expiresAt,
    })
    .returning(tokenColumns)
    .executeTakeFirstOrThrow();
  await tell(trx, proof.organization, proof.id);
  return rowToToken(row);
}

/** The revoked token; null when the account has no such living token. */
export async function revokeServiceToken(
  trx: Trx,
  proof: ServiceAccountProof<'service-account.update'>,
  id: TokenId,
  now: Date,
): Promise<ApiToken | null> {
  const row = await trx
    .updateTable('api_token')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('user_id', '=', proof.id)
    .where('revoked_at', 'is', null)
    .returning(tokenColumns)
    .executeTakeFirst();
  if (row === undefined) return null;
  await tell(trx, proof.organization, proof.id);
  return rowToToken(row);
}
