/** The client that fits a provider; what it learned (discovery, keys) is kept as long as the settings stay the same. */
import { createHash } from 'node:crypto';
import { PROVIDERS_MAX } from '#domain/identity-providers.ts';
import { githubClient } from './github.ts';
import type { IdentityClient, IdentityClients, OutboundFetch } from './interface.ts';
import { oidcClient } from './oidc.ts';

export function identityClients(outbound: OutboundFetch): IdentityClients {
  const kept = new Map<string, IdentityClient>();
  return (settings) => {
    const key = createHash('sha256').update(JSON.stringify(settings)).digest('hex');
    const known = kept.get(key);
    if (known !== undefined) return known;
    const client = settings.kind === 'github' ? githubClient(settings, outbound) : oidcClient(settings, outbound);
    kept.set(key, client);
    for (const oldest of kept.keys()) {
      if (kept.size <= PROVIDERS_MAX) break;
      kept.delete(oldest);
    }
    return client;
  };
}
