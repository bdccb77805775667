/** DNS providers as plain rows. Their secret cannot be opened: what would call one fails before it does. */
import type { DnsProviderId } from '#domain/ids.ts';
import type { Db } from '#server/store/database.ts';
import { newId, type Place } from './factories.ts';

/** A name server that nobody may call. */
export const dnsProviderBody = {
  kind: 'rfc2136' as const,
  title: 'Name server',
  host: '127.0.0.1',
  keyName: 'berth',
  secret: 'c2VjcmV0c2VjcmV0',
  zones: ['example.test'],
};

/** Of the installation when `place` is null. */
export async function makeDnsProvider(db: Db, place: Place | null): Promise<DnsProviderId> {
  const id = newId('dnp');
  await db
    .insertInto('dns_provider')
    .values({
      id,
      organization_id: place?.organization ?? null,
      title: 'Name server',
      kind: 'rfc2136',
      settings: JSON.stringify({
        kind: 'rfc2136',
        host: '127.0.0.1',
        port: 53,
        keyName: 'berth',
        algorithm: 'hmac-sha256',
      }),
      secret_sealed: 'v1.none.none.none',
      zones: [`${id.slice(-8)}.test`],
    })
    .execute();
  return id;
}
