/** Deleting an account, one's own or as an administrator, with the hand-over of what would be left without an owner. */
import { randomBytes } from 'node:crypto';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { OrganizationId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { MAIL_HOURS } from '#domain/mails.ts';
import { hashPassword } from '#server/runtime/passwords.ts';
import { type Deletion, deleteAccount, deletionFacts, handOver } from '#server/store/account-deletion.ts';
import { record, recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { lockUser } from '#server/store/users.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { queueMail, sendSoon } from './mail.ts';
import { requireConfirmed } from './step-up.ts';

export type HandOver = readonly { organization: OrganizationId; to: UserId }[];
export type PresentedDeletion = Omit<Deletion, 'platformAdmin' | 'otherAdmins'> & { can: Ability };

function present({ platformAdmin, otherAdmins, ...facts }: Deletion): PresentedDeletion {
  const alone = facts.organizations.filter((each) => each.needsOwner && each.successors.length === 0);
  const can: Ability =
    platformAdmin && otherAdmins === 0
      ? 'This is the last administrator of the installation. Make somebody else one first.'
      : alone.length > 0
        ? `Nobody else could own ${alone.map((each) => each.title).join(', ')}. Invite somebody, or delete the organization first.`
        : true;
  return { ...facts, can };
}

export async function ownDeletion(app: AppContext, person: PersonCaller): Promise<PresentedDeletion> {
  return present(await deletionFacts(app.db, person.userId, app.clock.now()));
}

/** Errors: not_found. */
export async function userDeletion(app: AppContext, caller: PersonCaller, user: UserId): Promise<PresentedDeletion> {
  const proof = await authorizePlatform(app, caller, 'platform.user.delete');
  return transact(app.db, async (trx) => {
    if ((await lockUser(trx, proof, user)) === null) throw notFound('account');
    return present(await deletionFacts(trx, user, app.clock.now()));
  });
}

/** Errors: step_up_required, invalid_input (not the own address), conflict (somebody has to own what is left). */
export async function deleteOwnAccount(
  app: AppContext,
  person: PersonCaller,
  input: { email: string; handOver: HandOver },
): Promise<void> {
  await requireConfirmed(app, person, 'account.delete');
  if (input.email !== person.email) {
    const message = 'Type the address of your account.';
    throw new BerthError('invalid_input', message, { fields: [{ field: 'email', message }] });
  }
  await remove(app, person, { id: person.userId, email: person.email }, input.handOver, 'account.delete');
}

/** Errors: step_up_required, not_found, conflict (the own account, somebody has to own what is left). */
export async function deleteUser(
  app: AppContext,
  caller: PersonCaller,
  id: UserId,
  input: { handOver: HandOver },
): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.user.delete');
  await requireConfirmed(app, caller, 'users.delete');
  if (id === caller.userId) throw new BerthError('conflict', 'Your own account is deleted under Account.');
  const email = await transact(app.db, async (trx) => (await lockUser(trx, proof, id))?.user.email ?? null);
  if (email === null) throw notFound('account');
  await remove(app, caller, { id, email }, input.handOver, 'users.delete');
}

async function remove(
  app: AppContext,
  caller: PersonCaller,
  user: { id: UserId; email: string },
  handOvers: HandOver,
  action: string,
): Promise<void> {
  const passwordHash = await hashPassword(randomBytes(32).toString('base64url'));
  await transact(app.db, async (trx) => {
    const now = app.clock.now();
    const facts = await deletionFacts(trx, user.id, now, true);
    const { can } = present(facts);
    if (can !== true) throw new BerthError('conflict', can);
    for (const organization of facts.organizations.filter((each) => each.needsOwner)) {
      const to = handOvers.find((each) => each.organization === organization.id)?.to;
      if (to === undefined) {
        throw new BerthError('conflict', `Say who owns ${organization.title} from now on.`);
      }
      if (to === user.id || !(await handOver(trx, organization.id, to))) {
        throw new BerthError('conflict', `Only a member of ${organization.title} can become its owner.`);
      }
      await record(trx, caller, {
        action: 'organizations.hand-over',
        targetKind: 'user',
        targetId: to,
        target: organization.successors.find((each) => each.id === to)?.email ?? to,
        organizationId: organization.id,
        after: { role: 'owner', instead: user.email },
      });
    }
    // Written while the memberships still say whose logs it belongs to.
    await recordForMember(trx, caller, user.id, { action, targetKind: 'user', targetId: user.id, target: user.email });
    if (!(await deleteAccount(trx, user.id, passwordHash, now))) throw notFound('account');
    const expiresAt = new Date(now.getTime() + MAIL_HOURS * 3600_000);
    await queueMail(app, trx, { email: user.email, userId: null }, { kind: 'account-deleted' }, expiresAt);
  });
  sendSoon(app);
}
