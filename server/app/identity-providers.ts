/** Identity providers: setting them up, and what the sign-in page may know of them. The client secret is write-only. */
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import {
  inDomains,
  issuerProblem,
  PROVIDERS_MAX,
  type ProviderKind,
  type Provisioning,
  presets,
  type RoleMapping,
} from '#domain/identity-providers.ts';
import type { IdentityProviderId } from '#domain/ids.ts';
import type { IdentityClient } from '#integrations/identity/interface.ts';
import { record } from '#server/store/audit.ts';
import type { Authorized } from '#server/store/authorized.ts';
import { settleClaims } from '#server/store/claim-roles.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import {
  countProviders,
  deleteProvider,
  existingOrganizations,
  type IdentityProvider,
  insertProvider,
  listEnabledProviders,
  listProviders,
  readProvider,
  updateProvider,
} from '#server/store/identity-providers.ts';
import { endOutsideSessions, identitiesOf } from '#server/store/linked-identities.ts';
import { clientSecretPlace, providerClient } from '#server/workflows/provider-client.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

export type PresentedProvider = Omit<IdentityProvider, 'clientSecretSealed'> & {
  hasSecret: boolean;
  people: number;
  redirectUri: string;
  logoutUri: string | null;
};

type Fields = {
  title: string;
  issuer: string;
  clientId: string;
  clientSecret: string | null;
  scopes: string[];
  enabled: boolean;
  provisioning: Provisioning;
  domains: string[];
  groupsClaim: string | null;
  roleMappings: RoleMapping[];
  recheckMinutes: number;
};
export type ProviderInput = { name: string; kind: ProviderKind } & {
  [K in keyof Fields]?: Fields[K] | undefined;
} & { clientId: string; recheckMinutes: number };
export type ProviderChange = { [K in keyof Fields]?: Fields[K] | undefined };

/** What talks to this provider. */
export function clientOf(app: AppContext, provider: IdentityProvider): IdentityClient {
  return providerClient(app.identityClients, app.secrets, provider);
}

/** The page of the console that the provider sends browsers back to. */
export function redirectUriOf(app: AppContext, name: string): string {
  return `${app.config.consoleOrigin}/sign-in/${name}`;
}

function present(app: AppContext, provider: IdentityProvider & { people?: number }): PresentedProvider {
  const { clientSecretSealed, people, ...rest } = provider;
  const logout = `${app.config.consoleOrigin}/api/v1/identity-providers/${provider.name}/logout`;
  return {
    ...rest,
    hasSecret: clientSecretSealed !== null,
    people: people ?? 0,
    redirectUri: redirectUriOf(app, provider.name),
    logoutUri: provider.kind === 'github' ? null : logout,
  };
}

/** For everybody who wants to sign in. */
export async function signInProviders(app: AppContext): Promise<{ name: string; title: string; kind: ProviderKind }[]> {
  return listEnabledProviders(app.db);
}

export async function listIdentityProviders(app: AppContext, caller: Caller): Promise<PresentedProvider[]> {
  const proof = await authorizePlatform(app, caller, 'platform.provider.read');
  return (await listProviders(app.db, proof)).map((provider) => present(app, provider));
}

/** Errors: step_up_required, name_taken, invalid_input, conflict (PROVIDERS_MAX). */
export async function createIdentityProvider(
  app: AppContext,
  caller: PersonCaller,
  input: ProviderInput,
): Promise<PresentedProvider> {
  const proof = await authorizePlatform(app, caller, 'platform.provider.update');
  await requireConfirmed(app, caller, 'identity.providers');
  const preset = presets[input.kind];
  const id = app.ids.make('idp');
  const secret = input.clientSecret ?? null;
  const provider: IdentityProvider = {
    id,
    name: input.name,
    kind: input.kind,
    title: input.title ?? preset.title,
    issuer: input.issuer ?? preset.issuer ?? '',
    clientId: input.clientId,
    clientSecretSealed: secret === null ? null : app.secrets.seal(clientSecretPlace(id), secret),
    scopes: input.scopes ?? [...preset.scopes],
    enabled: input.enabled ?? true,
    provisioning: input.provisioning ?? 'invited',
    domains: input.domains ?? [],
    groupsClaim: input.groupsClaim === undefined ? preset.groupsClaim : input.groupsClaim,
    roleMappings: input.roleMappings ?? [],
    recheckMinutes: input.recheckMinutes,
    createdAt: app.clock.now(),
  };
  await transact(app.db, async (trx) => {
    await check(trx, proof, provider);
    if ((await countProviders(trx, proof)) >= PROVIDERS_MAX) {
      throw new BerthError('conflict', `There are ${PROVIDERS_MAX} identity providers. Remove one first.`);
    }
    await insertProvider(trx, proof, provider).catch((error: unknown) => {
      if (isUniqueViolation(error)) throw new BerthError('name_taken', 'There is an identity provider of this name.');
      throw error;
    });
    await record(trx, caller, { action: 'identity-providers.create', ...target(provider), after: audited(provider) });
  });
  return present(app, provider);
}

/** Switching it off ends every session that began there. Errors: not_found, step_up_required, invalid_input. */
export async function updateIdentityProvider(
  app: AppContext,
  caller: PersonCaller,
  id: IdentityProviderId,
  change: ProviderChange,
): Promise<PresentedProvider> {
  const proof = await authorizePlatform(app, caller, 'platform.provider.update');
  await requireConfirmed(app, caller, 'identity.providers');
  const { clientSecret, ...plain } = change;
  const after = await transact(app.db, async (trx) => {
    const before = await readProvider(trx, proof, id, true);
    if (before === null) throw notFound('identity provider');
    const said = Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
    const next: IdentityProvider = { ...before, ...said };
    if (clientSecret !== undefined) {
      next.clientSecretSealed = clientSecret === null ? null : app.secrets.seal(clientSecretPlace(id), clientSecret);
    }
    // Another issuer is another provider: whoever has a subject there is not whoever had it here.
    if (next.issuer !== before.issuer && (await identitiesOf(trx, id)).length > 0) {
      throw new BerthError(
        'state_conflict',
        'People are linked to this issuer. Set up the other one as a new provider.',
      );
    }
    await check(trx, proof, next);
    await updateProvider(trx, proof, next);
    if (before.enabled && !next.enabled) await endOutsideSessions(trx, { providerId: id }, app.clock.now());
    await record(trx, caller, {
      action: 'identity-providers.update',
      ...target(next),
      before: audited(before),
      after: { ...audited(next), ...(clientSecret === undefined ? {} : { secretChanged: true }) },
    });
    return next;
  });
  return present(app, after);
}

/** Ends the sessions that began there and takes the roles away that it gave. Errors: not_found, step_up_required. */
export async function deleteIdentityProvider(
  app: AppContext,
  caller: PersonCaller,
  id: IdentityProviderId,
): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.provider.update');
  await requireConfirmed(app, caller, 'identity.providers');
  await transact(app.db, async (trx) => {
    const provider = await readProvider(trx, proof, id, true);
    if (provider === null) throw notFound('identity provider');
    await endOutsideSessions(trx, { providerId: id }, app.clock.now());
    for (const identity of await identitiesOf(trx, id)) {
      await settleClaims(trx, provider.name, identity.userId, identity.id, new Map());
    }
    await deleteProvider(trx, proof, id);
    await record(trx, caller, { action: 'identity-providers.delete', ...target(provider), before: audited(provider) });
  });
}

/** Asks the provider what a sign-in would ask. Errors: not_found, upstream_failed with the reason. */
export async function testIdentityProvider(
  app: AppContext,
  caller: Caller,
  id: IdentityProviderId,
): Promise<{ issuer: string; authorizationEndpoint: string; logout: boolean }> {
  const proof = await authorizePlatform(app, caller, 'platform.provider.update');
  const provider = await readProvider(app.db, proof, id);
  if (provider === null) throw notFound('identity provider');
  return clientOf(app, provider).test();
}

async function check(
  trx: Trx,
  proof: Authorized<'platform', 'platform.provider.update'>,
  provider: IdentityProvider,
): Promise<void> {
  const refuse = (field: string, message: string): never => {
    throw new BerthError('invalid_input', message, { fields: [{ field, message }] });
  };
  const problem = issuerProblem(provider.kind, provider.issuer);
  if (problem !== null) refuse('issuer', problem);
  if (provider.kind === 'github' && provider.clientSecretSealed === null) refuse('clientSecret', 'GitHub needs one.');
  if (provider.kind !== 'github' && !provider.scopes.includes('openid')) refuse('scopes', 'One of them is openid.');
  if (provider.provisioning === 'domains' && provider.domains.length === 0) refuse('domains', 'Name at least one.');
  if (provider.domains.some((domain) => !inDomains(`a@${domain}`, [domain]))) refuse('domains', 'Domains only.');
  const wanted = [...new Set(provider.roleMappings.map((mapping) => mapping.organization))];
  const there = await existingOrganizations(trx, proof, wanted);
  if (wanted.some((organization) => !there.has(organization))) refuse('roleMappings', 'No such organization.');
}

function target(provider: IdentityProvider) {
  return { targetKind: 'identity-provider', targetId: provider.id, target: provider.name };
}

function audited({ clientSecretSealed, ...rest }: IdentityProvider) {
  return { ...rest, createdAt: rest.createdAt.toISOString(), hasKey: clientSecretSealed !== null };
}
