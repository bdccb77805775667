/** Rows of testkit/route-rows.ts for identity providers. */
import type { UserId } from '#domain/ids.ts';
import type { Db } from '#server/store/database.ts';
import { newId, newName } from './factories.ts';

/** A provider of a kind that needs no call before the browser is sent away. */
export async function makeProvider(db: Db) {
  const id = newId('idp');
  const name = newName('provider');
  await db
    .insertInto('identity_provider')
    .values({
      id,
      name,
      title: 'A Provider',
      kind: 'github',
      issuer: 'https://github.com',
      client_id: 'berth',
      client_secret_sealed: null,
      scopes: ['read:user'],
      enabled: true,
      provisioning: 'nobody',
      domains: [],
      groups_claim: null,
      role_mappings: '[]',
      recheck_minutes: 10,
      created_at: new Date(),
    })
    .execute();
  return { id, name };
}

/** An identity of `user` that is not the only way in. */
export async function makeIdentity(db: Db, user: UserId) {
  const { id: provider } = await makeProvider(db);
  const id = newId('lid');
  const now = new Date();
  await db
    .insertInto('linked_identity')
    .values({
      id,
      provider_id: provider,
      user_id: user,
      subject: newName('subject'),
      email: null,
      created_at: now,
      last_used_at: now,
    })
    .execute();
  return id;
}
