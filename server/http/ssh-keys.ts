/** Endpoints of the own SSH keys. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { addSshKey, listSshKeys, removeSshKey } from '#server/app/ssh-keys.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

type Key = Awaited<ReturnType<typeof addSshKey>>;

function present(key: Key) {
  return {
    ...key,
    publicKey: `${key.type} ${key.publicKey}`,
    createdAt: iso(key.createdAt),
    lastUsedAt: key.lastUsedAt === null ? null : iso(key.lastUsedAt),
  };
}

export function registerSshKeys(http: Http, app: AppContext): void {
  http.register(api.sshKeysList, async ({ caller }) => ({ items: (await listSshKeys(app, caller)).map(present) }));
  http.register(api.sshKeysAdd, async ({ caller, body }) => present(await addSshKey(app, caller, body)));
  http.register(api.sshKeysRemove, async ({ caller, params }) => {
    await removeSshKey(app, caller, params.key);
    return undefined;
  });
}
