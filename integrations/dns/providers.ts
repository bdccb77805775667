/** Every kind of DNS provider there is. What is large is loaded when the first one is asked. */
import type { Fetch } from './cloudflare.ts';
import type { DnsAccess, DnsProvider, DnsProviders } from './interface.ts';
import type { DnsConnect } from './rfc2136.ts';

export type DnsWays = {
  fetch: Fetch;
  connect: DnsConnect;
  /** Unix ms. */
  now(): number;
  /** Another address of Cloudflare's API, for tests. */
  cloudflareApi?: string | undefined;
};

export function dnsProviders(ways: DnsWays): DnsProviders {
  return (access) => {
    let made: Promise<DnsProvider> | null = null;
    const provider = (): Promise<DnsProvider> => {
      made ??= makeProvider(access, ways);
      return made;
    };
    return {
      inspect: async (zones) => (await provider()).inspect(zones),
      look: async (place, owner) => (await provider()).look(place, owner),
      put: async (place, values, owner) => (await provider()).put(place, values, owner),
      remove: async (place, owner) => (await provider()).remove(place, owner),
    };
  };
}

async function makeProvider(access: DnsAccess, ways: DnsWays): Promise<DnsProvider> {
  if (access.kind === 'cloudflare') {
    const { cloudflareProvider } = await import('./cloudflare.ts');
    return cloudflareProvider(access.secret, ways.fetch, ways.cloudflareApi);
  }
  const { rfc2136Provider } = await import('./rfc2136.ts');
  return rfc2136Provider(access, ways.connect, ways.now);
}
