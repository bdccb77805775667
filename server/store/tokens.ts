/** API tokens of a person: their list, making and revoking. Secrets arrive here as digests only. */
import type { PersonCaller } from '#domain/caller.ts';
import type { TokenId } from '#domain/ids.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type ApiToken = {
  id: TokenId;
  name: string;
  scopes: string[] | null;
  prefix: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  lastUsedAddress: string | null;
};

export const tokenColumns = [
  'id',
  'name',
  'scopes',
  'prefix',
  'created_at',
  'expires_at',
  'last_used_at',
  'last_used_address',
] as const;
type TokenRow = {
  id: TokenId;
  name: string;
  scopes: string[] | null;
  prefix: string;
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
  last_used_address: string | null;
};

export function rowToToken(row: TokenRow): ApiToken {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    prefix: row.prefix,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    lastUsedAddress: row.last_used_address,
  };
}

/** Living tokens a person may have; a bound against runaway scripts. */
export const TOKENS_PER_USER_MAX = 100;

export async function listOwnTokens(db: Db, person: PersonCaller): Promise<ApiToken[]> {
  const rows = await db
    .selectFrom('api_token')
    .select(tokenColumns)
    .where('user_id', '=', person.userId)
    .where('revoked_at', 'is', null)
    .orderBy('created_at', 'desc')
    .limit(TOKENS_PER_USER_MAX)
    .execute();
  return rows.map(rowToToken);
}

/** Null when the person has TOKENS_PER_USER_MAX living tokens already. */
export async function insertOwnToken(
  trx: Trx,
  person: PersonCaller,
  token: {
    id: TokenId;
    name: string;
    scopes: string[] | null;
    prefix: string;
    tokenHash: Buffer;
    expiresAt: Date | null;
    confirmedAt: Date | null;
  },
): Promise<ApiToken | null> {
  // The lock on the person's row makes counting and inserting one step.
  await trx.selectFrom('app_user').select('id').where('id', '=', person.userId).forUpdate().execute();
  const { count } = await trx
    .selectFrom('api_token')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', person.userId)
    .where('revoked_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (count >= TOKENS_PER_USER_MAX) return null;
  const row = await trx
    .insertInto('api_token')
    .values({
      id: token.id,
      user_id: person.userId,
      name: token.name,
      scopes: token.scopes,
      prefix: token.prefix,
      token_hash: token.tokenHash,
      expires_at: token.expiresAt,
      confirmed_at: token.confirmedAt,
    })
    .returning(tokenColumns)
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'session', ref: person.userId });
  return rowToToken(row);
}

/** The revoked token; null when the person has no such living token. */
export async function revokeOwnToken(trx: Trx, person: PersonCaller, id: TokenId, now: Date): Promise<ApiToken | null> {
  const row = await trx
    .updateTable('api_token')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('user_id', '=', person.userId)
    .where('revoked_at', 'is', null)
    .returning(tokenColumns)
    .executeTakeFirst();
  if (row === undefined) return null;
  await emit(trx, { kind: 'session', ref: person.userId });
  return rowToToken(row);
}
