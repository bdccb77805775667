/**
 * Deleting an account. The row stays, because what the person made and the audit log point to it, but nothing of the
 * person is in it; everything that is only about the person is deleted.
 */
import { sql } from 'kysely';
import type { Role } from '#domain/authz.ts';
import type { OrganizationId, UserId } from '#domain/ids.ts';
import { emitPerson, endSessions, revokeTokens } from './account.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { askToRenewSessions } from './sessions.ts';
import type { Tables } from './tables.ts';

/** Everything with `on delete cascade` on the person; a test compares it with the catalogue. */
export const personalTables = [
  'profile',
  'email_change',
  'password_reset',
  'mail',
  'totp',
  'recovery_code',
  'passkey',
  'passkey_challenge',
  'sign_in',
  'device_login',
  'linked_identity',
  'ssh_key',
  'ssh_factor',
] as const satisfies readonly (keyof Tables)[];

/** People a hand-over offers at most, per organization. */
export const SUCCESSORS_SHOWN_MAX = 100;

export type Deletion = {
  organizations: {
    id: OrganizationId;
    name: string;
    title: string;
    role: Role;
    /** No other owner who can sign in. */
    needsOwner: boolean;
    successors: { id: UserId; email: string; name: string }[];
    instances: number;
  }[];
  sessions: number;
  tokens: number;
  platformAdmin: boolean;
  otherAdmins: number;
};

/** `lock`: nobody changes owners or administrators until the transaction ends. */
export async function deletionFacts(db: Db, userId: UserId, now: Date, lock = false): Promise<Deletion> {
  if (lock) {
    // Always in the same order, so that two of these cannot wait for each other.
    await sql`select id from organization where id in
      (select organization_id from membership where user_id = ${userId}) order by id for update`.execute(db);
    await sql`select id from app_user where platform_admin order by id for update`.execute(db);
  }
  const { rows: organizations } = await sql<Omit<Deletion['organizations'][number], 'successors'>>`
    select o.id, o.name, o.title, m.role,
      m.role = 'owner' and not exists (
        select from membership x join app_user u on u.id = x.user_id
         where x.organization_id = o.id and x.role = 'owner' and x.user_id <> ${userId} and u.disabled_at is null
      ) as "needsOwner",
      (select count(*) from instance i where i.organization_id = o.id and i.created_by = ${userId}) as instances
      from membership m join organization o on o.id = m.organization_id
     where m.user_id = ${userId} order by o.name`.execute(db);
  const { rows: successors } = await sql<{ organization: OrganizationId; id: UserId; email: string; name: string }>`
    select * from (
      select m.organization_id as organization, u.id, u.email, u.name,
             row_number() over (partition by m.organization_id order by m.role = 'admin' desc, u.email) as place
        from membership m join app_user u on u.id = m.user_id
       where u.disabled_at is null and u.service_of is null and u.id <> ${userId}
         and m.organization_id in (select organization_id from membership where user_id = ${userId})
    ) people where place <= ${SUCCESSORS_SHOWN_MAX} order by place`.execute(db);
  const { rows } = await sql<Pick<Deletion, 'sessions' | 'tokens' | 'platformAdmin' | 'otherAdmins'>>`
    select
      (select count(*) from session where user_id = u.id and revoked_at is null and expires_at > ${now}) as sessions,
      (select count(*) from api_token where user_id = u.id and revoked_at is null) as tokens,
      u.platform_admin as "platformAdmin",
      (select count(*) from app_user a
        where a.platform_admin and a.disabled_at is null and a.id <> u.id) as "otherAdmins"
      from app_user u where u.id = ${userId} and u.deleted_at is null`.execute(db);
  const [row] = rows;
  return {
    sessions: row?.sessions ?? 0,
    tokens: row?.tokens ?? 0,
    platformAdmin: row?.platformAdmin ?? false,
    otherAdmins: row?.otherAdmins ?? 0,
    organizations: organizations.map((each) => ({
      ...each,
      successors: each.needsOwner
        ? successors
            .filter((person) => person.organization === each.id)
            .map(({ id, email, name }) => ({ id, email, name }))
        : [],
    })),
  };
}

/** Makes a member the owner; false when they are no member who can sign in. */
export async function handOver(trx: Trx, organization: OrganizationId, to: UserId): Promise<boolean> {
  const row = await trx
    .updateTable('membership')
    .set({ role: 'owner' })
    .where('organization_id', '=', organization)
    .where('user_id', '=', to)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('app_user')
          .select('id')
          .where('id', '=', to)
          .where('disabled_at', 'is', null)
          .where('service_of', 'is', null),
      ),
    )
    .returning('user_id')
    .executeTakeFirst();
  if (row === undefined) return false;
  await askToRenewSessions(trx, [to]);
  await emit(trx, { kind: 'member', ref: to, organizationId: organization });
  return true;
}

/** `passwordHash`: of something nobody knows. False: there is no such account any more. */
export async function deleteAccount(trx: Trx, userId: UserId, passwordHash: string, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('app_user')
    .set({
      email: `deleted-${userId}@invalid`,
      name: 'Deleted account',
      password_hash: passwordHash,
      platform_admin: false,
      second_factor: false,
      email_verified_at: null,
      disabled_at: now,
      deleted_at: now,
    })
    .where('id', '=', userId)
    .where('deleted_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return false;
  // Before the memberships go: their organizations are told.
  await emitPerson(trx, userId);
  await endSessions(trx, userId, now);
  await revokeTokens(trx, userId, now);
  await trx
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('invited_by', '=', userId)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
  await trx
    .updateTable('registration_code')
    .set({ revoked_at: now })
    .where('created_by', '=', userId)
    .where('revoked_at', 'is', null)
    .execute();
  await trx.deleteFrom('membership').where('user_id', '=', userId).execute();
  for (const table of personalTables) await trx.deleteFrom(table).where('user_id', '=', userId).execute();
  return true;
}
