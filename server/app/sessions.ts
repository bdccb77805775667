/** The sessions of one's own: where one is signed in, and ending them. */
import type { PersonCaller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { SessionId } from '#domain/ids.ts';
import { recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { endOtherSessions, listOwnSessions, revokeOwnSession, type Session } from '#server/store/identity.ts';
import type { AppContext } from './context.ts';

export async function listSessions(app: AppContext, person: PersonCaller): Promise<(Session & { current: boolean })[]> {
  const sessions = await listOwnSessions(app.db, person, app.clock.now());
  const current = person.credential.via === 'session' ? person.credential.sessionId : null;
  return sessions.map((session) => ({ ...session, current: session.id === current }));
}

/** Ends every own session but the one that calls. */
export async function revokeOtherSessions(app: AppContext, person: PersonCaller): Promise<void> {
  await transact(app.db, async (trx) => {
    await endOtherSessions(trx, person, app.clock.now());
    await recordForMember(trx, person, person.userId, {
      action: 'account.sessions.revokeOthers',
      targetKind: 'user',
      targetId: person.userId,
      target: person.email,
    });
  });
}

/** Errors: not_found. */
export async function revokeSession(app: AppContext, person: PersonCaller, id: SessionId): Promise<void> {
  await transact(app.db, async (trx) => {
    if (!(await revokeOwnSession(trx, person, id, app.clock.now()))) throw notFound('session');
    await recordForMember(trx, person, person.userId, {
      action: 'account.sessions.revoke',
      targetKind: 'session',
      targetId: id,
      target: person.email,
    });
  });
}
