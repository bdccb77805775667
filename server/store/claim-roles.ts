/**
 * Roles that an identity provider's claims give. What a person held by hand stays below as the floor and comes back when
 * the claim goes; the highest of all counts; the last owner of an organization keeps the role whatever a provider says.
 */
import { highestRole, type Role } from '#domain/authz.ts';
import type { LinkedIdentityId, OrganizationId, UserId } from '#domain/ids.ts';
import { record } from './audit.ts';
import { asSystem } from './authorized.ts';
import type { Trx } from './database.ts';
import { emit } from './outbox.ts';
import { askToRenewSessions } from './sessions.ts';

/** `applyClaimRoles`, with a row in the audit log of each organization where something changed. */
export async function settleClaims(
  trx: Trx,
  provider: string,
  userId: UserId,
  identityId: LinkedIdentityId,
  wanted: ReadonlyMap<OrganizationId, Role>,
): Promise<void> {
  const changes = await applyClaimRoles(trx, userId, identityId, wanted);
  if (changes.length === 0) return;
  await askToRenewSessions(trx, [userId]);
  const { email } = await trx.selectFrom('app_user').select('email').where('id', '=', userId).executeTakeFirstOrThrow();
  for (const { organizationId, before, after } of changes) {
    await record(trx, asSystem(`identity provider ${provider}`), {
      action: 'members.claims',
      targetKind: 'user',
      targetId: userId,
      target: email,
      organizationId,
      before: { role: before },
      after: { role: after },
    });
  }
}

type RoleChange = { organizationId: OrganizationId; before: Role | null; after: Role | null };

/** Makes what `identityId` gives exactly `wanted`. Answers what changed for the person, for the audit log. */
async function applyClaimRoles(
  trx: Trx,
  userId: UserId,
  identityId: LinkedIdentityId,
  wanted: ReadonlyMap<OrganizationId, Role>,
): Promise<RoleChange[]> {
  const had = await trx
    .selectFrom('claim_role')
    .select(['organization_id', 'role'])
    .where('identity_id', '=', identityId)
    .execute();
  // A role that could not be taken from the last owner is looked at again each time.
  const settled = await trx
    .selectFrom('claimed_membership')
    .select('organization_id')
    .where('user_id', '=', userId)
    .execute();
  const touched = new Set([...[...had, ...settled].map((row) => row.organization_id), ...wanted.keys()]);
  const changes: RoleChange[] = [];
  // In one order, so that two sign-ins never wait for each other.
  for (const organizationId of [...touched].sort()) {
    const living = await trx
      .selectFrom('organization')
      .select('id')
      .where('id', '=', organizationId)
      .where('deleted_at', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    const role = living === undefined ? undefined : wanted.get(organizationId);
    await writeClaim(trx, identityId, organizationId, role ?? null);
    if (living === undefined) continue;
    const change = await settle(trx, userId, organizationId);
    if (change !== null) changes.push(change);
  }
  return changes;
}

async function writeClaim(trx: Trx, identityId: LinkedIdentityId, organizationId: OrganizationId, role: Role | null) {
  if (role === null) {
    await trx
      .deleteFrom('claim_role')
      .where('identity_id', '=', identityId)
      .where('organization_id', '=', organizationId)
      .execute();
    return;
  }
  await trx
    .insertInto('claim_role')
    .values({ identity_id: identityId, organization_id: organizationId, role })
    .onConflict((conflict) => conflict.columns(['identity_id', 'organization_id']).doUpdateSet({ role }))
    .execute();
}

/** Brings the membership in line with the floor and all claims. The organization is locked. */
async function settle(trx: Trx, userId: UserId, organizationId: OrganizationId): Promise<RoleChange | null> {
  const membership = await trx
    .selectFrom('membership')
    .select('role')
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  const kept = await trx
    .selectFrom('claimed_membership')
    .select(['base_role', 'applied_role'])
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  const claims = await trx
    .selectFrom('claim_role as c')
    .innerJoin('linked_identity as l', 'l.id', 'c.identity_id')
    .select('c.role')
    .where('l.user_id', '=', userId)
    .where('c.organization_id', '=', organizationId)
    .execute();
  const before = membership?.role ?? null;
  // Somebody changed it by hand since: that is the new floor.
  const base = kept === undefined || kept.applied_role !== before ? before : kept.base_role;
  const claimed = highestRole(claims.map((row) => row.role));
  let after = claimed === null ? base : highestRole([base, claimed]);
  if (before === 'owner' && after !== 'owner' && (await isLastOwner(trx, userId, organizationId))) after = 'owner';
  await writeMembership(trx, userId, organizationId, before, after);
  // While the last owner cannot be taken down, the floor is kept for the day there is another one.
  if (after !== null && (claimed !== null || after !== base)) {
    await trx
      .insertInto('claimed_membership')
      .values({ organization_id: organizationId, user_id: userId, base_role: base, applied_role: after })
      .onConflict((conflict) =>
        conflict.columns(['organization_id', 'user_id']).doUpdateSet({ base_role: base, applied_role: after }),
      )
      .execute();
  } else {
    await trx
      .deleteFrom('claimed_membership')
      .where('organization_id', '=', organizationId)
      .where('user_id', '=', userId)
      .execute();
  }
  return before === after ? null : { organizationId, before, after };
}

async function writeMembership(
  trx: Trx,
  userId: UserId,
  organizationId: OrganizationId,
  before: Role | null,
  after: Role | null,
): Promise<void> {
  if (before === after) return;
  if (after === null) {
    await trx
      .deleteFrom('membership')
      .where('organization_id', '=', organizationId)
      .where('user_id', '=', userId)
      .execute();
  } else if (before === null) {
    await trx
      .insertInto('membership')
      .values({ organization_id: organizationId, user_id: userId, role: after })
      .execute();
  } else {
    await trx
      .updateTable('membership')
      .set({ role: after })
      .where('organization_id', '=', organizationId)
      .where('user_id', '=', userId)
      .execute();
  }
  await emit(trx, { kind: 'member', ref: userId, organizationId });
}

async function isLastOwner(trx: Trx, userId: UserId, organizationId: OrganizationId): Promise<boolean> {
  const other = await trx
    .selectFrom('membership')
    .select('user_id')
    .where('organization_id', '=', organizationId)
    .where('role', '=', 'owner')
    .where('user_id', '!=', userId)
    .executeTakeFirst();
  return other === undefined;
}
