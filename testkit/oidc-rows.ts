/** Rows of testkit/route-rows.ts for apps that sign people in with Berth. */
import type { Db } from '#server/store/database.ts';
import { newId } from './factories.ts';

export async function makeOidcClient(db: Db) {
  const id = newId('ocl');
  await db
    .insertInto('oidc_client')
    .values({
      id,
      title: 'An App',
      organization_id: null,
      app: null,
      secret_hash: Buffer.alloc(32),
      auth_method: 'client_secret_basic',
      redirect_uris: ['https://app.example.test/callback'],
      first_party: true,
      created_at: new Date(),
    })
    .execute();
  return id;
}
