/** Memberships and invitations of organizations. */
import { sql } from 'kysely';
import { highestRole, type Role } from '#domain/authz.ts';
import type { EntryId, InvitationId, OrganizationId, UserId } from '#domain/ids.ts';
import { serviceRole } from '#domain/service-accounts.ts';
import type { Authorized, OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { roleNow, rolesHeld } from './held.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';
import { askToRenewSessions } from './sessions.ts';

export type Membership = {
  organization: { id: OrganizationId; name: string; title: string };
  role: Role;
  /** The organization asks for a second factor and the person has none. */
  needsSecondFactor: boolean;
  /** Of an administrator of the installation, while it is open. */
  entry: { id: EntryId; reason: string; expiresAt: Date } | null;
};
export type Member = {
  user: { id: UserId; email: string; name: string; avatarHash: string | null };
  role: Role;
  joinedAt: Date;
  secondFactor: boolean;
};

/** What a person belongs to or has entered, by name, with the highest role they hold in the whole of it. */
export async function listOwnMemberships(db: Db, userId: UserId): Promise<Membership[]> {
  const { rows } = await sql<{
    id: OrganizationId;
    name: string;
    title: string;
    roles: Role[] | null;
    factor_missing: boolean;
    service: boolean;
    entry: EntryId | null;
    reason: string | null;
    expires_at: Date | null;
  }>`
    select o.id, o.name, o.title, ${rolesHeld(userId, sql`o.id`, sql`null`)} as roles,
           o.second_factor_required and not u.second_factor and u.service_of is null as factor_missing,
           u.service_of is not null as service, e.id as entry, e.reason, e.expires_at
      from organization o
      join app_user u on u.id = ${userId}
      left join tenant_entry e on e.organization_id = o.id and e.user_id = u.id and u.platform_admin
        and e.ended_at is null and e.expires_at > now()
     where o.deleted_at is null and (e.id is not null
       or exists (select from membership m where m.organization_id = o.id and m.user_id = u.id))
     order by o.name limit 500`.execute(db);
  return rows.map((row) => ({
    organization: { id: row.id, name: row.name, title: row.title },
    role: (row.service ? serviceRole(row.roles ?? []) : highestRole(row.roles ?? [])) ?? 'guest',
    needsSecondFactor: row.factor_missing,
    entry:
      row.entry === null || row.expires_at === null
        ? null
        : { id: row.entry, reason: row.reason ?? '', expiresAt: row.expires_at },
  }));
}

/** People only: service accounts are in store/service-accounts.ts. */
const memberQuery = (db: Db) =>
  db
    .selectFrom('membership as m')
    .innerJoin('app_user as u', 'u.id', 'm.user_id')
    .leftJoin('profile as p', 'p.user_id', 'u.id')
    .select(['u.id', 'u.email', 'u.name', 'u.second_factor', 'm.role', 'm.joined_at', 'p.avatar_hash'])
    .where('u.service_of', 'is', null);

function rowToMember(row: {
  id: UserId;
  email: string;
  name: string;
  role: Role;
  joined_at: Date;
  second_factor: boolean;
  avatar_hash: string | null;
}): Member {
  return {
    user: { id: row.id, email: row.email, name: row.name, avatarHash: row.avatar_hash },
    role: row.role,
    joinedAt: row.joined_at,
    secondFactor: row.second_factor,
  };
}

export async function listMembers(
  db: Db,
  proof: OrganizationProof<'member.read'>,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: Member[]; nextCursor: string | null }> {
  const after = decodeTextCursor(page.cursor, /^usr_[0-9a-z]{26}$/);
  const pattern = `%${(page.search ?? '').replace(/[\\%_]/g, '\\$&')}%`;
  const rows = await memberQuery(db)
    .where('m.organization_id', '=', proof.id)
    .$if(page.search !== undefined, (query) =>
      query.where((eb) => eb.or([eb('u.name', 'ilike', pattern), eb('u.email', 'ilike', pattern)])),
    )
    .$if(after !== null, (query) => query.where('u.id', '>', after as UserId))
    .orderBy('u.id')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.id);
  return { items: cut.rows.map(rowToMember), nextCursor: cut.nextCursor };
}

export type MemberProof<A extends 'member.update' | 'member.remove' | 'member.read' | 'member.factors'> = Authorized<
  'member',
  A
>;

/**
 * Locks the organization's memberships so that two changes cannot both remove "the other" owner. Answers the member as
 * they are now and how many owners there are; null when the membership is gone meanwhile.
 */
export async function lockMember(
  trx: Trx,
  proof: MemberProof<'member.update' | 'member.remove' | 'member.factors'>,
): Promise<{ member: Member; actorRole: Role | null; owners: number } | null> {
  await trx.selectFrom('organization').select('id').where('id', '=', proof.organization).forUpdate().execute();
  const row = await memberQuery(trx)
    .where('m.organization_id', '=', proof.organization)
    .where('u.id', '=', proof.id)
    .executeTakeFirst();
  if (row === undefined) return null;
  const { owners } = await trx
    .selectFrom('membership')
    .select((eb) => eb.fn.countAll<number>().as('owners'))
    .where('organization_id', '=', proof.organization)
    .where('role', '=', 'owner')
    .executeTakeFirstOrThrow();
  const actorRole = proof.actor.kind === 'person' ? await roleNow(trx, proof.actor, proof.organization) : null;
  return { member: rowToMember(row), actorRole, owners };
}

export async function updateMemberRole(trx: Trx, proof: MemberProof<'member.update'>, role: Role): Promise<void> {
  await trx
    .updateTable('membership')
    .set({ role })
    .where('organization_id', '=', proof.organization)
    .where('user_id', '=', proof.id)
    .execute();
  await askToRenewSessions(trx, [proof.id]);
  await emit(trx, { kind: 'member', ref: proof.id, organizationId: proof.organization });
}

export async function deleteMember(trx: Trx, proof: MemberProof<'member.remove'>): Promise<void> {
  await trx
    .deleteFrom('membership')
    .where('organization_id', '=', proof.organization)
    .where('user_id', '=', proof.id)
    .execute();
  await askToRenewSessions(trx, [proof.id]);
  await emit(trx, { kind: 'member', ref: proof.id, organizationId: proof.organization });
}

/** Whether the person belongs to the organization, in whatever role. */
export async function isMember(db: Db, organization: OrganizationId, user: UserId): Promise<boolean> {
  const row = await db
    .selectFrom('membership')
    .select('user_id')
    .where('organization_id', '=', organization)
    .where('user_id', '=', user)
    .executeTakeFirst();
  return row !== undefined;
}

/** Adds a membership; false when the person is a member already (their role stays). */
export async function insertMembership(
  trx: Trx,
  membership: { organizationId: OrganizationId; userId: UserId; role: Role },
): Promise<boolean> {
  const row = await trx
    .insertInto('membership')
    .values({ organization_id: membership.organizationId, user_id: membership.userId, role: membership.role })
    .onConflict((conflict) => conflict.doNothing())
    .returning('user_id')
    .executeTakeFirst();
  if (row !== undefined) await askToRenewSessions(trx, [membership.userId]);
  await emit(trx, { kind: 'member', ref: membership.userId, organizationId: membership.organizationId });
  return row !== undefined;
}

export type Invitation = {
  id: InvitationId;
  email: string;
  role: Role;
  invitedBy: string;
  createdAt: Date;
  expiresAt: Date;
  acceptedAt: Date | null;
};

/** Open invitations an organization may have at once. */
export const INVITATIONS_OPEN_MAX = 200;

export async function listInvitations(
  db: Db,
  proof: OrganizationProof<'member.invite'>,
  now: Date,
): Promise<Invitation[]> {
  const rows = await db
    .selectFrom('invitation as i')
    .innerJoin('app_user as u', 'u.id', 'i.invited_by')
    .select(['i.id', 'i.email', 'i.role', 'u.email as invited_by', 'i.created_at', 'i.expires_at', 'i.accepted_at'])
    .where('i.organization_id', '=', proof.id)
    .where('i.accepted_at', 'is', null)
    .where('i.revoked_at', 'is', null)
    .where('i.expires_at', '>', now)
    .orderBy('i.created_at', 'desc')
    .limit(INVITATIONS_OPEN_MAX)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    email: row.email,
    role: row.role,
    invitedBy: row.invited_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    acceptedAt: row.accepted_at,
  }));
}

/** Whether this e-mail address belongs to a member already, and how many invitations are open. */
export async function invitationFacts(
  trx: Trx,
  proof: OrganizationProof<'member.invite'>,
  email: string,
  now: Date,
): Promise<{ isMember: boolean; open: number; organization: string }> {
  const { title } = await trx
    .selectFrom('organization')
    .select('title')
    .where('id', '=', proof.id)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const member = await memberQuery(trx)
    .where('m.organization_id', '=', proof.id)
    .where('u.email', '=', email)
    .executeTakeFirst();
  const { open } = await trx
    .selectFrom('invitation')
    .select((eb) => eb.fn.countAll<number>().as('open'))
    .where('organization_id', '=', proof.id)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow();
  return { isMember: member !== undefined, open, organization: title };
}

/** Stores an invitation and withdraws older open ones for the same address. */
export async function insertInvitation(
  trx: Trx,
  proof: OrganizationProof<'member.invite'>,
  invitation: { id: InvitationId; email: string; role: Role; tokenHash: Buffer; expiresAt: Date },
  now: Date,
): Promise<Invitation> {
  await trx
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('organization_id', '=', proof.id)
    .where('email', '=', invitation.email)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
  const row = await trx
    .insertInto('invitation')
    .values({
      id: invitation.id,
      organization_id: proof.id,
      email: invitation.email,
      role: invitation.role,
      token_hash: invitation.tokenHash,
      invited_by: proof.person.userId,
      expires_at: invitation.expiresAt,
    })
    .returning(['created_at'])
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'member', ref: invitation.id, organizationId: proof.id });
  return {
    id: invitation.id,
    email: invitation.email,
    role: invitation.role,
    invitedBy: proof.person.email,
    createdAt: row.created_at,
    expiresAt: invitation.expiresAt,
    acceptedAt: null,
  };
}

/** Withdraws an open invitation and answers its address and role; null when it is not open any more. */
export async function revokeInvitation(
  trx: Trx,
  proof: Authorized<'invitation', 'member.invite'>,
  now: Date,
): Promise<{ email: string; role: Role } | null> {
  const row = await trx
    .updateTable('invitation')
    .set({ revoked_at: now })
    .where('id', '=', proof.id)
    .where('accepted_at', 'is', null)
    .where('revoked_at', 'is', null)
    .returning(['email', 'role'])
    .executeTakeFirst();
  if (row === undefined) return null;
  await emit(trx, { kind: 'member', ref: proof.id, organizationId: proof.organization });
  return row;
}

export type OpenInvitation = {
  id: InvitationId;
  email: string;
  role: Role;
  organizationId: OrganizationId;
  organization: string;
  invitedBy: string;
  expiresAt: Date;
  accountExists: boolean;
};

/** The open invitation with this digest: the secret in the link is the proof. `lock` for accepting it. */
export async function findInvitation(
  db: Db,
  tokenHash: Buffer,
  now: Date,
  lock = false,
): Promise<OpenInvitation | null> {
  const row = await db
    .selectFrom('invitation as i')
    .innerJoin('organization as o', 'o.id', 'i.organization_id')
    .innerJoin('app_user as u', 'u.id', 'i.invited_by')
    .select([
      'i.id',
      'i.email',
      'i.role',
      'i.expires_at',
      'o.id as organization_id',
      'o.title as organization',
      'u.email as invited_by',
      sql<boolean>`exists (select from app_user a where a.email = i.email)`.as('account_exists'),
    ])
    .where('i.token_hash', '=', tokenHash)
    .where('i.accepted_at', 'is', null)
    .where('i.revoked_at', 'is', null)
    .where('i.expires_at', '>', now)
    .where('o.deleted_at', 'is', null)
    .$if(lock, (query) => query.forUpdate('i'))
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    id: row.id,
    email: row.email,
    role: row.role,
    organizationId: row.organization_id,
    organization: row.organization,
    invitedBy: row.invited_by,
    expiresAt: row.expires_at,
    accountExists: row.account_exists,
  };
}

/** Open invitations to an address whose owner was proven; locked, so that each is accepted once. */
export async function openInvitationsFor(
  trx: Trx,
  email: string,
  now: Date,
): Promise<{ id: InvitationId; organizationId: OrganizationId; role: Role }[]> {
  return trx
    .selectFrom('invitation as i')
    .innerJoin('organization as o', 'o.id', 'i.organization_id')
    .select(['i.id', 'i.organization_id as organizationId', 'i.role'])
    .where('i.email', '=', email)
    .where('i.accepted_at', 'is', null)
    .where('i.revoked_at', 'is', null)
    .where('i.expires_at', '>', now)
    .where('o.deleted_at', 'is', null)
    .orderBy('i.organization_id')
    .limit(INVITATIONS_OPEN_MAX)
    .forUpdate('i')
    .execute();
}

export async function markInvitationAccepted(trx: Trx, invitation: { id: InvitationId }, now: Date): Promise<void> {
  await trx.updateTable('invitation').set({ accepted_at: now }).where('id', '=', invitation.id).execute();
}
