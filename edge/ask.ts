/**
 * May Caddy get a certificate for this name? Only for host names that are routes (on a tenant's own domain: as long as it
 * is proven, see the view edge_route), and for the console's own.
 */
import type { Site } from './authorize.ts';
import { hostnameOf } from './authorize.ts';
import type { Knowledge } from './callers.ts';

/** `query` is the part of the URL after '?'. Errors: none; anything strange is "no". */
export async function mayHaveCertificate(knowledge: Knowledge, site: Site, query: string): Promise<boolean> {
  const name = hostnameOf(new URLSearchParams(query).get('domain') ?? '');
  if (name === undefined) return false;
  if (name === site.domain || knowledge.state.routes(name).length > 0) return true;
  await knowledge.lookup({ by: 'hostname', key: name });
  return knowledge.state.routes(name).length > 0;
}
