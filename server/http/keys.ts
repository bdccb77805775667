/** Endpoints of keys. */
import { api } from '#contract/api.ts';
import { JWKS_CACHE_SECONDS } from '#domain/keys.ts';
import type { AppContext } from '#server/app/context.ts';
import { type Keys, listKeys, rotateAuditKey, rotateKeys } from '#server/app/keys.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function present({ signing, sealing, audit }: Keys) {
  return {
    signing: signing.map((key) => ({
      ...key,
      createdAt: iso(key.createdAt),
      activeFrom: iso(key.activeFrom),
      expiresAt: isoOrNull(key.expiresAt),
    })),
    sealing: sealing.map((key) => ({ ...key, createdAt: iso(key.createdAt) })),
    audit: audit.map((key) => ({ ...key, createdAt: iso(key.createdAt), retiredAt: isoOrNull(key.retiredAt) })),
  };
}

export function registerKeys(http: Http, app: AppContext): void {
  http.register(api.keysList, async ({ caller }) => present(await listKeys(app, caller)));
  http.register(api.keysRotate, async ({ caller, body }) => present(await rotateKeys(app, caller, body)));
  http.register(api.keysRotateAudit, async ({ caller, body }) => present(await rotateAuditKey(app, caller, body)));
  http.register(api.jwks, async () => ({ keys: await app.signingKeys.publicKeys('access') }), {
    cacheSeconds: JWKS_CACHE_SECONDS,
  });
}
