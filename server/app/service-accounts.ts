/**
 * Service accounts of an organization and their tokens. Making, changing or ending one, and making its tokens, needs
 * somebody who could hand out to a person everything it holds: whoever has a token of it has all of that.
 */

import type { Role } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { OrganizationId, TokenId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { scopesWithin } from '#domain/scopes.ts';
import {
  mayManageService,
  SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX,
  SERVICE_TOKENS_MAX,
  type ServiceRole,
} from '#domain/service-accounts.ts';
import { record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import * as store from '#server/store/service-accounts.ts';
import type { ApiToken } from '#server/store/tokens.ts';
import { roleAbility, tooMuch, tooMuchReason } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { orNameTaken } from './organizations.ts';
import { requireConfirmed } from './step-up.ts';
import { digest, makeApiToken, TOKEN_PREFIX_SHOWN } from './tokens.ts';

const DAY_MS = 24 * 3600 * 1000;

export type PresentedServiceAccount = Omit<store.ServiceAccount, 'held'> & {
  can: { update: Ability; delete: Ability; createToken: Ability };
};
type AccountRef = { organization: OrganizationId; account: UserId };

function presented(
  actor: { role: Role | null; caller: PersonCaller },
  { held, ...account }: store.ServiceAccount,
): PresentedServiceAccount {
  const may = (action: 'service-account.update' | 'service-account.delete'): Ability => {
    const able = roleAbility(actor.role, action);
    if (able !== true) return able;
    return mayManageService(actor.role, held) ? true : tooMuchReason;
  };
  const update = may('service-account.update');
  const createToken: Ability =
    actor.caller.serviceOf !== null
      ? 'A person has to make its tokens.'
      : update === true && account.disabled
        ? 'It is disabled: a token would not work.'
        : update;
  return { ...account, can: { update, delete: may('service-account.delete'), createToken } };
}

export async function listOrganizationServiceAccounts(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
): Promise<PresentedServiceAccount[]> {
  const proof = await authorize(app, caller, 'service-account.read', { kind: 'organization', id: organization });
  const accounts = await store.listServiceAccounts(app.db, proof, app.clock.now());
  return accounts.map((account) => presented({ role: proof.role, caller }, account));
}

/** Errors: not_found, name_taken, conflict (too many), state_conflict (more than the caller may hand out). */
export async function createServiceAccount(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  input: { name: string; description: string; role: ServiceRole },
): Promise<PresentedServiceAccount> {
  const proof = await authorize(app, caller, 'service-account.create', { kind: 'organization', id: organization });
  return transact(app.db, async (trx) => {
    const { actorRole, count } = await store.lockServiceAccounts(trx, proof);
    if (!mayManageService(actorRole, null, input.role)) throw tooMuch();
    if (count >= SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX) {
      const most = SERVICE_ACCOUNTS_PER_ORGANIZATION_MAX;
      throw new BerthError('conflict', `An organization has at most ${most} service accounts.`);
    }
    const account = await orNameTaken(
      'service account',
      store.insertServiceAccount(trx, proof, { id: app.ids.make('usr'), ...input }, app.clock.now()),
    );
    await record(trx, caller, {
      action: 'service-accounts.create',
      targetKind: 'service-account',
      targetId: account.id,
      target: account.handle,
      organizationId: proof.id,
      after: input,
    });
    return presented({ role: actorRole, caller }, account);
  });
}

/** Errors: not_found, name_taken, state_conflict (it holds, or is to hold, more than the caller may hand out). */
export async function updateServiceAccount(
  app: AppContext,
  caller: PersonCaller,
  ref: AccountRef,
  input: {
    name?: string | undefined;
    description?: string | undefined;
    role?: ServiceRole | undefined;
    disabled?: boolean | undefined;
  },
): Promise<PresentedServiceAccount> {
  const proof = await authorize(app, caller, 'service-account.update', place(ref));
  return transact(app.db, async (trx) => {
    const now = app.clock.now();
    const { account: before, actorRole } = await locked(trx, proof, now);
    const { name, description, role, disabled } = before;
    const after = {
      name: input.name ?? name,
      description: input.description ?? description,
      role: input.role ?? role,
      disabled: input.disabled ?? disabled,
    };
    if (!mayManageService(actorRole, before.held, after.role)) throw tooMuch();
    const account = await orNameTaken(
      'service account',
      store.updateServiceAccount(trx, proof, { ...after, disabledAt: after.disabled ? now : null }, now),
    );
    await record(trx, caller, {
      action: 'service-accounts.update',
      targetKind: 'service-account',
      targetId: account.id,
      target: account.handle,
      organizationId: proof.organization,
      before: { name, description, role, disabled },
      after,
    });
    return presented({ role: actorRole, caller }, account);
  });
}

/** Errors: not_found, state_conflict (it holds more than the caller may take away). */
export async function deleteServiceAccount(app: AppContext, caller: PersonCaller, ref: AccountRef): Promise<void> {
  const proof = await authorize(app, caller, 'service-account.delete', place(ref));
  await transact(app.db, async (trx) => {
    const now = app.clock.now();
    const { account, actorRole } = await locked(trx, proof, now);
    if (!mayManageService(actorRole, account.held)) throw tooMuch();
    await store.deleteServiceAccount(trx, proof, now);
    await record(trx, caller, {
      action: 'service-accounts.delete',
      targetKind: 'service-account',
      targetId: account.id,
      target: account.handle,
      organizationId: proof.organization,
      before: { name: account.name, role: account.role, tokens: account.tokens },
    });
  });
}

export async function listServiceTokens(app: AppContext, caller: PersonCaller, ref: AccountRef): Promise<ApiToken[]> {
  return store.listServiceTokens(app.db, await authorize(app, caller, 'service-account.update', place(ref)));
}

/**
 * The secret is answered once. Errors: not_found; step_up_required (such a token outlives who made it); forbidden (a
 * service account makes none); invalid_input (more than the token in use may do); state_conflict (the account holds more
 * than the caller may hand out, or is disabled); conflict when it has SERVICE_TOKENS_MAX already.
 */
export async function createServiceToken(
  app: AppContext,
  caller: PersonCaller,
  ref: AccountRef,
  input: { name: string; expiresInDays: number; scopes: string[] | null },
): Promise<ApiToken & { secret: string }> {
  const proof = await authorize(app, caller, 'service-account.update', place(ref));
  if (!scopesWithin(input.scopes, caller.scopes)) {
    throw new BerthError('invalid_input', 'A token cannot make one that may do more than itself.', {
      fields: [{ field: 'scopes', message: 'More than the token in use may do.' }],
    });
  }
  await requireConfirmed(app, caller, 'tokens.service');
  const secret = makeApiToken(app.ids);
  return transact(app.db, async (trx) => {
    const now = app.clock.now();
    const { account, actorRole } = await locked(trx, proof, now);
    if (!mayManageService(actorRole, account.held)) throw tooMuch();
    if (account.disabled) throw new BerthError('state_conflict', 'The account is disabled: a token would not work.');
    const token = await store.insertServiceToken(
      trx,
      proof,
      {
        id: app.ids.make('tok'),
        name: input.name,
        scopes: input.scopes,
        prefix: secret.slice(0, TOKEN_PREFIX_SHOWN),
        tokenHash: digest(secret),
        expiresAt: new Date(now.getTime() + input.expiresInDays * DAY_MS),
      },
      now,
    );
    if (token === null) {
      throw new BerthError('conflict', `A service account has at most ${SERVICE_TOKENS_MAX} tokens. Revoke one first.`);
    }
    await record(trx, caller, {
      action: 'service-accounts.tokens.create',
      targetKind: 'token',
      targetId: token.id,
      target: `${account.handle} ${token.name}`,
      organizationId: proof.organization,
      after: { name: token.name, scopes: token.scopes, expiresAt: token.expiresAt?.toISOString() ?? null },
    });
    return { ...token, secret };
  });
}

/** Errors: not_found, state_conflict (the account holds more than the caller may take away). */
export async function revokeServiceToken(
  app: AppContext,
  caller: PersonCaller,
  ref: AccountRef & { token: TokenId },
): Promise<void> {
  const proof = await authorize(app, caller, 'service-account.update', place(ref));
  await transact(app.db, async (trx) => {
    const now = app.clock.now();
    const { account, actorRole } = await locked(trx, proof, now);
    if (!mayManageService(actorRole, account.held)) throw tooMuch();
    const token = await store.revokeServiceToken(trx, proof, ref.token, now);
    if (token === null) throw notFound('token');
    await record(trx, caller, {
      action: 'service-accounts.tokens.revoke',
      targetKind: 'token',
      targetId: token.id,
      target: `${account.handle} ${token.name}`,
      organizationId: proof.organization,
      before: { name: token.name, scopes: token.scopes },
    });
  });
}

const place = (ref: AccountRef) =>
  ({ kind: 'service-account', id: ref.account, organization: ref.organization }) as const;

async function locked(
  trx: Trx,
  proof: store.ServiceAccountProof<'service-account.update' | 'service-account.delete'>,
  now: Date,
): Promise<{ account: store.ServiceAccount; actorRole: Role | null }> {
  const found = await store.lockServiceAccount(trx, proof, now);
  if (found === null) throw notFound('service account');
  return found;
}
