/** A connected name server for tests: a zone that Berth may change, and everybody else too. */
import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { api } from '#contract/api.ts';
import { Named, type TsigKey } from './named.ts';
import type { SetUp } from './server.ts';

/** Address of the platform domain. */
export const HERE = '192.0.2.80';
/** The platform domain, and the zone it is in. */
export const PLATFORM_ZONE = 'platform.test';
export const PLATFORM = `berth.${PLATFORM_ZONE}`;

export const dnsKey: TsigKey = { name: 'berth-test', secret: randomBytes(32).toString('base64') };

export function startNamed(zones: Record<string, readonly string[]>): Promise<Named> {
  return Named.start({ ...zones, [PLATFORM_ZONE]: [`berth IN A ${HERE}`] }, [dnsKey]);
}

/** The administrator allows the name server, an organization connects it. */
export async function connectNamed(
  named: Named,
  administrator: SetUp,
  by: SetUp,
  zones: string[],
  secret = dnsKey.secret,
) {
  await administrator.owner.call(api.outboundUpdate, { body: { allowed: [`dns://127.0.0.1:${named.port}`] } });
  return by.owner.call(api.dnsProvidersCreate, {
    params: { organization: by.organization },
    body: rfc2136Body(named, zones, secret),
  });
}

export function rfc2136Body(named: Named, zones: string[], secret = dnsKey.secret) {
  return {
    kind: 'rfc2136' as const,
    title: 'Our name server',
    host: '127.0.0.1',
    port: named.port,
    keyName: dnsKey.name,
    secret,
    zones,
  };
}

/** Straight to the server; none: an empty list. */
export function digger(named: Named) {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  resolver.setServers([named.server]);
  const none = (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') return [];
    throw error;
  };
  return {
    a: (name: string) => resolver.resolve4(name).catch(none),
    cname: (name: string) => resolver.resolveCname(name).catch(none),
    txt: (name: string) => resolver.resolveTxt(name).then((texts) => texts.map((parts) => parts.join('')), none),
  };
}
