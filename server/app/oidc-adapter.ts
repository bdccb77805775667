/**
 * Storage of the OpenID provider library. What it would look up by a secret (a code, a token, a cookie) is kept under a
 * digest, and its content sealed: a copy of the database signs nobody in anywhere.
 */
import { createHash } from 'node:crypto';
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { OidcClientId } from '#domain/ids.ts';
import { isId } from '#domain/ids.ts';
import { findOidcClient, type OidcClient } from '#server/store/oidc-clients.ts';
import {
  consumeOidcRecord,
  deleteOidcRecord,
  deleteOidcRecordsOfGrant,
  findOidcRecord,
  findOidcRecordByUid,
  type OidcRecord,
  upsertOidcRecord,
} from '#server/store/oidc-records.ts';
import type { AppContext } from './context.ts';

/** Of what the library gives no life; nothing, as it is configured. */
const LIFE_SECONDS = 3600;

/** Digest of a secret of the library. */
export function recordHash(model: string, id: string): string {
  return createHash('sha256').update(`oidc ${model} ${id}`).digest('base64url');
}

const place = (id: string) => ({ table: 'oidc_record', row: id, column: 'payload_sealed' });

export function oidcAdapter(app: AppContext, model: string): Adapter {
  if (model === 'Client') return clientAdapter(app);
  const hash = (id: string) => recordHash(model, id);
  const opened = (record: OidcRecord | null): AdapterPayload | undefined => {
    if (record === null) return undefined;
    const payload = JSON.parse(app.secrets.open(place(record.id), record.payloadSealed)) as AdapterPayload;
    return record.consumedAt === null
      ? payload
      : { ...payload, consumed: Math.floor(record.consumedAt.getTime() / 1000) };
  };
  return {
    async upsert(id, payload, expiresIn) {
      const key = hash(id);
      await upsertOidcRecord(app.db, {
        id: key,
        payloadSealed: app.secrets.seal(place(key), JSON.stringify(payload)),
        grantHash: payload.grantId === undefined ? null : recordHash('Grant', payload.grantId),
        uidHash: payload.uid === undefined ? null : recordHash(`${model} uid`, payload.uid),
        expiresAt: new Date(app.clock.now().getTime() + (expiresIn ?? LIFE_SECONDS) * 1000),
      });
    },
    find: async (id) => opened(await findOidcRecord(app.db, hash(id), app.clock.now())),
    findByUid: async (uid) =>
      opened(await findOidcRecordByUid(app.db, recordHash(`${model} uid`, uid), app.clock.now())),
    findByUserCode: async () => undefined,
    async consume(id) {
      if (!(await consumeOidcRecord(app.db, hash(id), app.clock.now()))) {
        throw new errors.InvalidGrant('it was used before');
      }
    },
    destroy: (id) => deleteOidcRecord(app.db, hash(id)),
    revokeByGrantId: (grantId) => deleteOidcRecordsOfGrant(app.db, recordHash('Grant', grantId)),
  };
}

/** Clients are registered through Berth's own API, never through the library. */
function clientAdapter(app: AppContext): Adapter {
  const refuse = async (): Promise<never> => {
    throw new Error('clients are not changed here');
  };
  return {
    async find(id) {
      if (!isId('ocl', id)) return undefined;
      const client = await findOidcClient(app.db, id as OidcClientId);
      return client === null ? undefined : metadataOf(client);
    },
    upsert: refuse,
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    consume: refuse,
    destroy: refuse,
    revokeByGrantId: refuse,
  };
}

function metadataOf(client: OidcClient): AdapterPayload {
  // The library keeps `http:` for programs on the person's own machine.
  const native = client.redirectUris.some((uri) => uri.startsWith('http:'));
  return {
    client_id: client.id,
    client_name: client.title,
    application_type: native ? 'native' : 'web',
    redirect_uris: client.redirectUris,
    response_types: ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: client.authMethod,
    id_token_signed_response_alg: 'RS256',
    // The digest: `compareClientSecret` of app/oidc-provider.ts knows.
    ...(client.secretHash === null ? {} : { client_secret: client.secretHash.toString('hex') }),
  };
}
