/** The API tokens of one's own: the living ones, a new one, revoking. */
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { TokenId } from '#domain/ids.ts';
import { scopesWithin } from '#domain/scopes.ts';
import { recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { confirmedAt } from '#server/store/sign-ins.ts';
import {
  type ApiToken,
  insertOwnToken,
  listOwnTokens,
  revokeOwnToken,
  TOKENS_PER_USER_MAX,
} from '#server/store/tokens.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';
import { digest, makeApiToken, TOKEN_PREFIX_SHOWN } from './tokens.ts';

const DAY_MS = 24 * 3600 * 1000;

export async function listTokens(app: AppContext, person: PersonCaller): Promise<ApiToken[]> {
  return listOwnTokens(app.db, person);
}

/**
 * The secret is answered once. A token made with a token never outlives the one it was made with. Errors: conflict when
 * the person has TOKENS_PER_USER_MAX already, step_up_required for one that never expires.
 */
export async function createToken(
  app: AppContext,
  person: PersonCaller,
  input: { name: string; expiresInDays: number | null; scopes: string[] | null },
): Promise<ApiToken & { secret: string }> {
  if (!scopesWithin(input.scopes, person.scopes)) {
    throw new BerthError('invalid_input', 'A token cannot make one that may do more than itself.', {
      fields: [{ field: 'scopes', message: 'More than the token in use may do.' }],
    });
  }
  if (input.expiresInDays === null) await requireConfirmed(app, person, 'tokens.unlimited');
  const confirmed = await confirmedAt(app.db, person.credential);
  const secret = makeApiToken(app.ids);
  const madeByProgram = person.credential.via === 'token' || person.credential.client !== undefined;
  const asked = input.expiresInDays === null ? null : app.clock.now().getTime() + input.expiresInDays * DAY_MS;
  const bound = madeByProgram ? (person.expiresAt?.getTime() ?? null) : null;
  const expires = asked === null ? bound : bound === null ? asked : Math.min(asked, bound);
  return transact(app.db, async (trx) => {
    const token = await insertOwnToken(trx, person, {
      id: app.ids.make('tok'),
      name: input.name,
      scopes: input.scopes,
      prefix: secret.slice(0, TOKEN_PREFIX_SHOWN),
      tokenHash: digest(secret),
      expiresAt: expires === null ? null : new Date(expires),
      // Whoever has just signed in and goes on with the token is not asked again.
      confirmedAt: confirmed,
    });
    if (token === null) {
      throw new BerthError('conflict', `You have ${TOKENS_PER_USER_MAX} tokens. Revoke one you do not need.`);
    }
    await recordForMember(trx, person, person.userId, {
      action: 'account.tokens.create',
      targetKind: 'token',
      targetId: token.id,
      target: token.name,
      after: { name: token.name, scopes: token.scopes, expiresAt: token.expiresAt?.toISOString() ?? null },
    });
    return { ...token, secret };
  });
}

/** Errors: not_found. */
export async function revokeToken(app: AppContext, person: PersonCaller, id: TokenId): Promise<void> {
  await transact(app.db, async (trx) => {
    const token = await revokeOwnToken(trx, person, id, app.clock.now());
    if (token === null) throw notFound('token');
    await recordForMember(trx, person, person.userId, {
      action: 'account.tokens.revoke',
      targetKind: 'token',
      targetId: id,
      target: token.name,
    });
  });
}
