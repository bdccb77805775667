/** Service accounts and their tokens as plain rows. */
import { randomBytes } from 'node:crypto';
import type { TokenId, UserId } from '#domain/ids.ts';
import { type ServiceRole, serviceHandle } from '#domain/service-accounts.ts';
import { digest, makeApiToken } from '#server/app/tokens.ts';
import type { Db } from '#server/store/database.ts';
import { newId, newName, type Place } from './factories.ts';

export async function addServiceAccount(db: Db, place: Place, role: ServiceRole = 'viewer'): Promise<UserId> {
  const id = newId('usr');
  const name = newName('robot');
  await db
    .insertInto('app_user')
    .values({ id, email: serviceHandle(name), name, service_of: place.organization })
    .execute();
  await db.insertInto('service_account').values({ user_id: id, description: '', created_by: place.person }).execute();
  await db.insertInto('membership').values({ organization_id: place.organization, user_id: id, role }).execute();
  return id;
}

export async function addServiceToken(db: Db, account: UserId): Promise<{ token: TokenId; secret: string }> {
  const token = newId('tok');
  const secret = makeApiToken({ random: randomBytes } as Parameters<typeof makeApiToken>[0]);
  await db
    .insertInto('api_token')
    .values({
      id: token,
      user_id: account,
      name: 'a token',
      prefix: secret.slice(0, 8),
      token_hash: digest(secret),
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute();
  return { token, secret };
}
