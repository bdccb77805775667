/** All accounts of the installation, for its administrators. */
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { endSessions, revokeTokens } from '#server/store/account.ts';
import { recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { countOtherAdmins, listUsers, lockUser, type PlatformUser, updateUser } from '#server/store/users.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

export type PresentedUser = PlatformUser & {
  can: { disable: Ability; enable: Ability; signOut: Ability; administrator: Ability; delete: Ability };
};

function present(caller: PersonCaller, user: PlatformUser, otherAdmins: number): PresentedUser {
  const self = user.id === caller.userId;
  const last = user.platformAdmin && otherAdmins === 0;
  const lastWords = 'This is the last administrator of the installation.';
  return {
    ...user,
    can: {
      disable: self
        ? 'You would lock yourself out.'
        : last
          ? lastWords
          : user.disabledAt === null || 'It is disabled already.',
      enable: user.disabledAt !== null || 'It is not disabled.',
      signOut: self ? 'Your own sessions are under Account.' : true,
      administrator: self ? 'Somebody else has to change this for you.' : last ? lastWords : true,
      delete: self ? 'Your own account is deleted under Account.' : last ? lastWords : true,
    },
  };
}

export async function listPlatformUsers(
  app: AppContext,
  caller: PersonCaller,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: PresentedUser[]; nextCursor: string | null }> {
  const proof = await authorizePlatform(app, caller, 'platform.user.read');
  const [{ items, nextCursor }, others] = await Promise.all([
    listUsers(app.db, proof, page),
    countOtherAdmins(app.db, caller.userId),
  ]);
  // For anybody but the caller, the caller is an administrator that stays.
  return { items: items.map((user) => present(caller, user, user.id === caller.userId ? others : 1)), nextCursor };
}

/** Errors: not_found, state_conflict (oneself, the last administrator), step_up_required (administrators). */
export async function updatePlatformUser(
  app: AppContext,
  caller: PersonCaller,
  id: UserId,
  input: { disabled?: boolean | undefined; platformAdmin?: boolean | undefined },
): Promise<PresentedUser> {
  const proof = await authorizePlatform(app, caller, 'platform.user.update');
  if (input.platformAdmin !== undefined) await requireConfirmed(app, caller, 'users.administrator');
  return transact(app.db, async (trx) => {
    const locked = await lockUser(trx, proof, id);
    if (locked === null) throw notFound('account');
    const { user, otherAdmins } = locked;
    const { can } = present(caller, user, otherAdmins);
    const now = app.clock.now();
    const disabled = input.disabled ?? user.disabledAt !== null;
    const platformAdmin = input.platformAdmin ?? user.platformAdmin;
    if (disabled && user.disabledAt === null && can.disable !== true)
      throw new BerthError('state_conflict', can.disable);
    if (platformAdmin !== user.platformAdmin && can.administrator !== true) {
      throw new BerthError('state_conflict', can.administrator);
    }
    const disabledAt = disabled ? (user.disabledAt ?? now) : null;
    const after = await updateUser(trx, proof, id, { disabledAt, platformAdmin });
    // Whoever is let in again later signs in again.
    if (disabled && user.disabledAt === null) await endSessions(trx, id, now);
    await recordForMember(trx, caller, id, {
      action: 'users.update',
      targetKind: 'user',
      targetId: id,
      target: user.email,
      before: { disabled: user.disabledAt !== null, platformAdmin: user.platformAdmin },
      after: { disabled, platformAdmin },
    });
    return present(caller, after, otherAdmins);
  });
}

/** Errors: not_found, state_conflict (oneself). */
export async function signOutUser(app: AppContext, caller: PersonCaller, id: UserId): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.user.update');
  await transact(app.db, async (trx) => {
    const locked = await lockUser(trx, proof, id);
    if (locked === null) throw notFound('account');
    const { can } = present(caller, locked.user, locked.otherAdmins);
    if (can.signOut !== true) throw new BerthError('state_conflict', can.signOut);
    const now = app.clock.now();
    await endSessions(trx, id, now);
    await revokeTokens(trx, id, now);
    await recordForMember(trx, caller, id, {
      action: 'users.sign-out',
      targetKind: 'user',
      targetId: id,
      target: locked.user.email,
    });
  });
}
