/** The identities outside that belong to the own account, and what a provider says about sessions that began there. */
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { LinkedIdentityId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { recordForMember } from '#server/store/audit.ts';
import { settleClaims } from '#server/store/claim-roles.ts';
import { transact } from '#server/store/database.ts';
import { findEnabledProvider } from '#server/store/identity-providers.ts';
import {
  deleteIdentity,
  endOutsideSessions,
  type LinkedIdentity,
  listOwnIdentities,
  lockOwnIdentity,
  takeLogoutToken,
} from '#server/store/linked-identities.ts';
import type { AppContext } from './context.ts';
import { clientOf } from './identity-providers.ts';
import { requireConfirmed } from './step-up.ts';
import { digest } from './tokens.ts';

const LAST_WAY = 'It is the only way into your account. Set a password or add a passkey first.';

export type PresentedIdentity = LinkedIdentity & { can: { unlink: Ability } };

export async function listIdentities(app: AppContext, person: PersonCaller): Promise<PresentedIdentity[]> {
  const items = await listOwnIdentities(app.db, person);
  return items.map(({ otherWays, ...item }) => ({ ...item, can: { unlink: otherWays ? true : LAST_WAY } }));
}

/**
 * Ends the other sessions that began there and takes the roles away that its claims gave. Errors: step_up_required,
 * not_found, conflict (the last way in).
 */
export async function unlinkIdentity(app: AppContext, person: PersonCaller, id: LinkedIdentityId): Promise<void> {
  await requireConfirmed(app, person, 'identities.change');
  await transact(app.db, async (trx) => {
    const found = await lockOwnIdentity(trx, person, id);
    if (found === null) throw notFound('identity');
    if (!found.otherWays) throw new BerthError('conflict', LAST_WAY);
    const except = person.credential.via === 'session' ? person.credential.sessionId : null;
    await endOutsideSessions(trx, { identityId: id, except }, app.clock.now());
    await settleClaims(trx, found.provider, person.userId, id, new Map());
    await deleteIdentity(trx, id);
    await recordForMember(trx, person, person.userId, {
      action: 'account.identities.unlink',
      targetKind: 'identity',
      targetId: id,
      target: found.subject,
      before: { provider: found.provider, subject: found.subject },
    });
  });
}

/**
 * The provider says that somebody signed out there (OIDC Back-Channel Logout 1.0). Errors: not_found, invalid_input
 * (forged, not for us, too old, used), upstream_failed.
 */
export async function backchannelLogout(
  app: AppContext,
  caller: Caller,
  input: { provider: string; token: string },
): Promise<void> {
  const provider = await findEnabledProvider(app.db, input.provider);
  if (provider === null) throw new BerthError('invalid_input', 'There is no such identity provider.');
  const { subject, sid, jti, expiresAt } = await clientOf(app, provider).logoutToken(input.token);
  await transact(app.db, async (trx) => {
    const hash = digest(`logout token ${jti}`);
    if (!(await takeLogoutToken(trx, { providerId: provider.id, hash, expiresAt }))) {
      throw new BerthError('invalid_input', 'This logout token was used before.');
    }
    const people = await endOutsideSessions(trx, { providerId: provider.id, subject, sid }, app.clock.now());
    for (const userId of people) {
      await recordForMember(trx, caller, userId, {
        action: 'session.outside.end',
        targetKind: 'user',
        targetId: userId,
        target: subject ?? sid ?? '',
        after: { provider: provider.name },
      });
    }
  });
}
