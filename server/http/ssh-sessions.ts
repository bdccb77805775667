/** Endpoints of SSH of an instance. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { acceptHostKeys, endSshSession, listSshSessions, readSshAccess } from '#server/app/ssh-sessions.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

export function presentAccess({ hostKeys, ...access }: Awaited<ReturnType<typeof readSshAccess>>) {
  const { refused } = hostKeys;
  return {
    ...access,
    hostKeys: {
      fingerprints: hostKeys.fingerprints,
      pinnedAt: isoOrNull(hostKeys.pinnedAt),
      refused: refused === null ? null : { fingerprint: refused.fingerprint, at: iso(refused.at) },
    },
  };
}

function present(session: Awaited<ReturnType<typeof listSshSessions>>[number]) {
  const { id, user, method, keyLabel, address, client, bytesIn, bytesOut, endReason, recorded } = session;
  return {
    ...{ id, user, method, keyLabel, address, client, bytesIn, bytesOut, endReason, recorded },
    startedAt: iso(session.startedAt),
    endedAt: isoOrNull(session.endedAt),
    ending: session.endRequestedAt !== null && session.endedAt === null,
  };
}

export function registerSshSessions(http: Http, app: AppContext): void {
  http.register(api.sshAccess, async ({ caller, params }) =>
    presentAccess(await readSshAccess(app, caller, params.instance)),
  );
  http.register(api.sshHostKeysAccept, async ({ caller, params }) =>
    presentAccess(await acceptHostKeys(app, caller, params.instance)),
  );
  http.register(api.sshSessionsList, async ({ caller, params }) => ({
    items: (await listSshSessions(app, caller, params.instance)).map(present),
  }));
  http.register(api.sshSessionsEnd, async ({ caller, params }) => {
    await endSshSession(app, caller, params.instance, params.session);
    return undefined;
  });
}
