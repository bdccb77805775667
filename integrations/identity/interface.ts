/**
 * What Berth asks of an identity provider, whatever protocol it speaks. An implementation keeps no state of a sign-in:
 * state, nonce and code verifier are made, kept and used up by the caller.
 */
import type { ProviderKind } from '#domain/identity-providers.ts';

export type ProviderSettings = {
  kind: ProviderKind;
  issuer: string;
  clientId: string;
  /** Null: a public client. */
  clientSecret: string | null;
  scopes: readonly string[];
  /** Dots lead into objects: `realm_access.roles`. Null: groups are not looked at. */
  groupsClaim: string | null;
};

/** Something to ask again with. */
export type OutsideToken = { kind: 'refresh' | 'access'; value: string; expiresAt: Date | null };

export type OutsideIdentity = {
  subject: string;
  email: string | null;
  /** The provider says that the person owns the address. */
  emailVerified: boolean;
  name: string | null;
  /** Null: the provider does not say now, which is not the same as none. */
  groups: readonly string[] | null;
  /** The provider's name for its session; null when it has none. */
  sid: string | null;
  token: OutsideToken | null;
};

export type Recheck =
  | { standing: 'good'; groups: readonly string[] | null; token: OutsideToken }
  /** Signed out or disabled there. */
  | { standing: 'ended' };

export type IdentityClient = {
  /** Where to send the browser. Errors: upstream_failed. */
  begin(input: { redirectUri: string; state: string; nonce: string; codeVerifier: string }): Promise<string>;
  /**
   * Trades what the browser brought back (`query`, without the question mark) for who it is; everything is checked:
   * state, issuer, nonce, audience, signature, expiry. Errors: unauthenticated (refused), upstream_failed (not reached).
   */
  finish(input: {
    query: string;
    redirectUri: string;
    state: string;
    nonce: string;
    codeVerifier: string;
  }): Promise<OutsideIdentity>;
  /** Whether the person may still sign in there. Errors: upstream_failed when nobody knows. */
  recheck(token: OutsideToken, subject: string): Promise<Recheck>;
  /** Checks a logout token (OIDC Back-Channel Logout 1.0). Errors: invalid_input, unsupported, upstream_failed. */
  logoutToken(text: string): Promise<{ subject: string | null; sid: string | null; jti: string; expiresAt: Date }>;
  /** Asks for what a sign-in would need. Errors: upstream_failed, with what is wrong. */
  test(): Promise<{ issuer: string; authorizationEndpoint: string; logout: boolean }>;
};

/** HTTP to addresses that people typed in, which refuses what may not be called: `Outbound.fetch` of the server. */
export type OutboundFetch = (
  url: string,
  init?: {
    method?: string;
    headers?: Record<string, string> | Headers;
    body?: string | Uint8Array | URLSearchParams | null | undefined;
    redirect?: 'follow' | 'manual';
    signal?: AbortSignal | null | undefined;
  },
) => Promise<Response>;

export type IdentityClients = (settings: ProviderSettings) => IdentityClient;
