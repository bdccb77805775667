/** What talks to an identity provider, made from its row: the one place that opens the client secret. */
import type { IdentityClient, IdentityClients } from '#integrations/identity/interface.ts';
import type { SecretBox } from '../runtime/secrets.ts';
import type { IdentityProvider } from '../store/identity-providers.ts';

export function clientSecretPlace(id: IdentityProvider['id']) {
  return { table: 'identity_provider', row: id, column: 'client_secret_sealed' };
}

export function outsideTokenPlace(outsideSessionId: string) {
  return { table: 'outside_session', row: outsideSessionId, column: 'token_sealed' };
}

export function providerClient(
  clients: IdentityClients,
  secrets: SecretBox,
  provider: IdentityProvider,
): IdentityClient {
  const { id, kind, issuer, clientId, clientSecretSealed, scopes, groupsClaim } = provider;
  const clientSecret = clientSecretSealed === null ? null : secrets.open(clientSecretPlace(id), clientSecretSealed);
  return clients({ kind, issuer, clientId, clientSecret, scopes, groupsClaim });
}
