/**
 * Sessions that an identity provider began stay only as long as the provider still knows the person: it is asked again
 * on a short clock. Who is signed out or disabled there is signed out here; roles follow the groups it says. A provider
 * that does not answer changes nothing: the session then ends by its own limit.
 */
import { mappedRoles } from '#domain/identity-providers.ts';
import type { IdentityClients, Recheck } from '#integrations/identity/interface.ts';
import type { SecretBox } from '../runtime/secrets.ts';
import { recordForMember } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { settleClaims } from '../store/claim-roles.ts';
import { transact } from '../store/database.ts';
import { findProviderById, type IdentityProvider } from '../store/identity-providers.ts';
import { type DueSession, dueOutsideSessions, endOutsideSessions, noteChecked } from '../store/linked-identities.ts';
import { outsideTokenPlace, providerClient } from '../workflows/provider-client.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 20_000;
const AT_ONCE_MAX = 200;
const SIDE_BY_SIDE = 10;

export function identityChecker(services: Services, secrets: SecretBox, clients: IdentityClients): Reconciler {
  const { db } = services;
  const now = () => new Date(services.now());

  async function check(due: DueSession): Promise<'good' | 'ended' | 'unknown'> {
    const provider = await findProviderById(db, due.providerId);
    if (provider === null) return 'unknown';
    const place = outsideTokenPlace(due.id);
    const { kind, sealed, expiresAt } = due.token;
    const token = { kind, value: secrets.open(place, sealed), expiresAt };
    const answer = await providerClient(clients, secrets, provider)
      .recheck(token, due.subject)
      .catch((error: unknown) => {
        services.log.warn({ provider: provider.name, err: error }, 'an identity provider could not be asked');
        return null;
      });
    if (answer === null) {
      await noteChecked(db, due.id, null, now());
      return 'unknown';
    }
    if (answer.standing === 'good') {
      const fresh = answer.token.value === token.value ? sealed : secrets.seal(place, answer.token.value);
      await noteChecked(db, due.id, { ...answer.token, sealed: fresh }, now());
    }
    await follow(provider, due, answer);
    return answer.standing;
  }

  async function follow(provider: IdentityProvider, due: DueSession, answer: Recheck): Promise<void> {
    await transact(db, async (trx) => {
      if (answer.standing === 'good') {
        if (answer.groups === null) return;
        const wanted = mappedRoles(provider.roleMappings, answer.groups);
        await settleClaims(trx, provider.name, due.userId, due.identityId, wanted);
        return;
      }
      const ended = await endOutsideSessions(trx, { outsideSessionId: due.id }, now());
      if (ended.length === 0) return;
      await recordForMember(trx, asSystem('identity-checker'), due.userId, {
        action: 'session.outside.end',
        targetKind: 'session',
        targetId: due.sessionId,
        target: due.subject,
        after: { provider: provider.name },
      });
    });
  }

  return {
    name: 'identity-checker',
    everyMs: EVERY_MS,
    async run(signal) {
      const due = await dueOutsideSessions(db, now(), AT_ONCE_MAX);
      let ended = 0;
      for (let at = 0; at < due.length && !signal.aborted; at += SIDE_BY_SIDE) {
        const answers = await Promise.all(due.slice(at, at + SIDE_BY_SIDE).map(check));
        ended += answers.filter((answer) => answer === 'ended').length;
      }
      return ended === 0 ? null : `ended ${ended} sessions that ended at their identity provider`;
    },
  };
}
