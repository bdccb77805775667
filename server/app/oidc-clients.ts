/** Apps that sign people in with Berth: registering and changing them. Secrets are answered once and kept as digests. */
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { OIDC_CLIENTS_MAX, type OidcAuthMethod, redirectUriProblem } from '#domain/identity-providers.ts';
import type { InstanceId, OidcClientId, OrganizationId } from '#domain/ids.ts';
import { record } from '#server/store/audit.ts';
import type { Authorized } from '#server/store/authorized.ts';
import { type Trx, transact } from '#server/store/database.ts';
import {
  clientPlaceExists,
  countOidcClients,
  deleteOidcClient,
  insertOidcClient,
  listOidcClients,
  lockOidcClient,
  type OidcClient,
  updateOidcClient,
} from '#server/store/oidc-clients.ts';
import { authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';
import { digest, makeSecret } from './tokens.ts';

/** Where the endpoints of the protocol are. */
export const OIDC_PATH = '/oidc';

export function secretHash(secret: string): Buffer {
  return digest(`oidc client ${secret}`);
}

export type PresentedClient = Omit<OidcClient, 'secretHash' | 'organizationId'> & {
  organization: OrganizationId | null;
  issuer: string;
};
type Fields = {
  title: string;
  redirectUris: string[];
  firstParty: boolean;
  organization: OrganizationId | null;
  app: InstanceId | null;
};
export type ClientInput = Fields & { authMethod: OidcAuthMethod };
export type ClientChange = { [K in keyof Fields]?: Fields[K] | undefined };
type WriteProof = Authorized<'platform', 'platform.client.update'>;

function present(app: AppContext, { secretHash: _hash, organizationId, ...client }: OidcClient): PresentedClient {
  return { ...client, organization: organizationId, issuer: `${app.config.consoleOrigin}${OIDC_PATH}` };
}

export async function listClients(app: AppContext, caller: Caller): Promise<PresentedClient[]> {
  const proof = await authorizePlatform(app, caller, 'platform.client.read');
  return (await listOidcClients(app.db, proof)).map((client) => present(app, client));
}

/** The secret is answered once; null for a public client. Errors: step_up_required, invalid_input, conflict. */
export async function createClient(
  app: AppContext,
  caller: PersonCaller,
  input: ClientInput,
): Promise<PresentedClient & { secret: string | null }> {
  const proof = await authorizePlatform(app, caller, 'platform.client.update');
  await requireConfirmed(app, caller, 'oidc.clients');
  const secret = input.authMethod === 'none' ? null : makeSecret(app.ids);
  const client: OidcClient = {
    id: app.ids.make('ocl'),
    title: input.title,
    organizationId: input.organization,
    app: input.app,
    secretHash: secret === null ? null : secretHash(secret),
    authMethod: input.authMethod,
    redirectUris: input.redirectUris,
    firstParty: input.firstParty,
    createdAt: app.clock.now(),
  };
  await transact(app.db, async (trx) => {
    await check(trx, proof, client);
    if ((await countOidcClients(trx, proof)) >= OIDC_CLIENTS_MAX) {
      throw new BerthError('conflict', `There are ${OIDC_CLIENTS_MAX} apps. Remove one first.`);
    }
    await insertOidcClient(trx, proof, client);
    await record(trx, caller, { action: 'oidc-clients.create', ...target(client), after: audited(client) });
  });
  return { ...present(app, client), secret };
}

/** Errors: not_found, step_up_required, invalid_input. */
export async function updateClient(
  app: AppContext,
  caller: PersonCaller,
  id: OidcClientId,
  change: ClientChange,
): Promise<PresentedClient> {
  const after = await changeClient(app, caller, id, 'oidc-clients.update', (before) => {
    const { organization, ...rest } = change;
    const said = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    return { ...before, ...said, ...(organization === undefined ? {} : { organizationId: organization }) };
  });
  return present(app, after);
}

/** A new secret; the old one ends now. Errors: not_found, step_up_required, state_conflict (a public client). */
export async function renewClientSecret(
  app: AppContext,
  caller: PersonCaller,
  id: OidcClientId,
): Promise<PresentedClient & { secret: string }> {
  const secret = makeSecret(app.ids);
  const after = await changeClient(app, caller, id, 'oidc-clients.secret', (before) => {
    if (before.secretHash === null) throw new BerthError('state_conflict', 'A public client has no secret.');
    return { ...before, secretHash: secretHash(secret) };
  });
  return { ...present(app, after), secret };
}

async function changeClient(
  app: AppContext,
  caller: PersonCaller,
  id: OidcClientId,
  action: string,
  change: (before: OidcClient) => OidcClient,
): Promise<OidcClient> {
  const proof = await authorizePlatform(app, caller, 'platform.client.update');
  await requireConfirmed(app, caller, 'oidc.clients');
  return transact(app.db, async (trx) => {
    const before = await lockOidcClient(trx, proof, id);
    if (before === null) throw notFound('app');
    const after = change(before);
    await check(trx, proof, after);
    await updateOidcClient(trx, proof, after);
    await record(trx, caller, { action, ...target(after), before: audited(before), after: audited(after) });
    return after;
  });
}

/** What it was given ends with it. Errors: not_found, step_up_required. */
export async function deleteClient(app: AppContext, caller: PersonCaller, id: OidcClientId): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.client.update');
  await requireConfirmed(app, caller, 'oidc.clients');
  await transact(app.db, async (trx) => {
    const client = await lockOidcClient(trx, proof, id);
    if (client === null) throw notFound('app');
    await deleteOidcClient(trx, proof, id);
    await record(trx, caller, { action: 'oidc-clients.delete', ...target(client), before: audited(client) });
  });
}

async function check(trx: Trx, proof: WriteProof, client: OidcClient): Promise<void> {
  const refuse = (field: string, message: string): never => {
    throw new BerthError('invalid_input', message, { fields: [{ field, message }] });
  };
  for (const uri of client.redirectUris) {
    const problem = redirectUriProblem(uri);
    if (problem !== null) refuse('redirectUris', problem);
  }
  const { organizationId, app } = client;
  if (organizationId === null) {
    if (app !== null) refuse('organization', 'Say whose app it is.');
    return;
  }
  if (!(await clientPlaceExists(trx, proof, organizationId, app))) {
    refuse(app === null ? 'organization' : 'app', 'There is no such thing in this organization.');
  }
}

function target(client: OidcClient) {
  return {
    targetKind: 'oidc-client',
    targetId: client.id,
    target: client.title,
    organizationId: client.organizationId,
  };
}

function audited({ secretHash: hash, createdAt, ...rest }: OidcClient) {
  return { ...rest, createdAt: createdAt.toISOString(), isPublic: hash === null };
}
