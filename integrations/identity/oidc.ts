/**
 * OpenID Connect with openid-client (certified): authorization code with PKCE, state and nonce; the signature of the ID
 * token is checked as well, although it comes over TLS.
 */
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify } from 'jose';
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  type CustomFetch,
  calculatePKCECodeChallenge,
  clockTolerance,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  ResponseBodyError,
  refreshTokenGrant,
  type ServerMetadata,
  skipSubjectCheck,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { BerthError } from '#domain/errors.ts';
import { LOGOUT_TOKEN_MINUTES } from '#domain/identity-providers.ts';
import { type Claims, emailClaim, groupsClaim, textClaim } from './claims.ts';
import { describe, failure, refused, unreachable } from './failures.ts';
import type { IdentityClient, OutboundFetch, OutsideIdentity, OutsideToken, ProviderSettings } from './interface.ts';

const TIMEOUT_SECONDS = 10;
const CLOCK_TOLERANCE_SECONDS = 30;
/** How long what a provider says about itself is believed. */
const DISCOVERY_MS = 10 * 60_000;
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Never `none`, never a shared secret. */
const asymmetric = /^(RS|PS|ES)(256|384|512)$|^Ed(DSA|25519)$/;

type Init = Parameters<OutboundFetch>[1];
type Tokens = TokenEndpointResponse & TokenEndpointResponseHelpers;

export function oidcClient(settings: ProviderSettings, outbound: OutboundFetch): IdentityClient {
  const known = remembered(() => discover(settings, outbound));
  return {
    async begin({ redirectUri, state, nonce, codeVerifier }) {
      const config = await known().catch(rethrow);
      const url = buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: settings.scopes.join(' '),
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      });
      // Browsers are sent there: nothing but the web.
      if (url.protocol !== 'https:' && !(isPlain(settings) && url.protocol === 'http:')) {
        throw unreachable(new Error(`the authorization endpoint is ${url.protocol}`));
      }
      return url.href;
    },

    async finish({ query, redirectUri, state, nonce, codeVerifier }) {
      try {
        const config = await known();
        const tokens = await authorizationCodeGrant(config, new URL(`${redirectUri}?${query}`), {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: codeVerifier,
          idTokenExpected: true,
        });
        return await identityOf(config, settings, tokens);
      } catch (error) {
        throw failure(error);
      }
    },

    async recheck(token, subject) {
      try {
        const config = await known();
        if (token.kind === 'access') {
          const claims: Claims = await fetchUserInfo(config, token.value, subject);
          return { standing: 'good', groups: groupsClaim(settings.groupsClaim, [claims]), token };
        }
        const tokens = await refreshTokenGrant(config, token.value);
        const fresh: OutsideToken = { ...token, value: tokens.refresh_token ?? token.value };
        const sources = await claimSources(config, settings, tokens, subject);
        if (sources.some((claims) => claims['sub'] !== subject)) return { standing: 'ended' };
        // Without an ID token and without userinfo there is nothing that tells of groups.
        const groups = sources.length === 0 ? null : groupsClaim(settings.groupsClaim, sources);
        return { standing: 'good', groups, token: fresh };
      } catch (error) {
        if (isEnd(error)) return { standing: 'ended' };
        throw failure(error);
      }
    },

    async logoutToken(text) {
      const metadata = (await known().catch(rethrow)).serverMetadata();
      return checkLogoutToken(text, metadata, settings, outbound);
    },

    async test() {
      const metadata = (await discover(settings, outbound).catch(explain)).serverMetadata();
      if (metadata.authorization_endpoint === undefined || metadata.jwks_uri === undefined) {
        throw new BerthError(
          'upstream_failed',
          'It answers, but says neither where to sign in nor where its keys are.',
        );
      }
      const keys = await outbound(metadata.jwks_uri).catch(explain);
      if (!keys.ok) throw new BerthError('upstream_failed', `Its keys answer with status ${keys.status}.`);
      return {
        issuer: metadata.issuer,
        authorizationEndpoint: metadata.authorization_endpoint,
        logout: metadata['backchannel_logout_supported'] === true,
      };
    },
  };
}

/** Without TLS: the guard of outbound calls lets only those pass that an administrator has allowed. */
export function isPlain({ issuer }: ProviderSettings): boolean {
  return issuer.startsWith('http:');
}

function rethrow(error: unknown): never {
  throw failure(error);
}

/** For the administrator who set it up: with the reason. */
function explain(error: unknown): never {
  if (error instanceof BerthError && error.code === 'upstream_failed') throw error;
  throw new BerthError('upstream_failed', `It does not answer as it should: ${describe(error)}`, { cause: error });
}

/** `make`, at most once in DISCOVERY_MS; a failure is not kept. */
function remembered(make: () => Promise<Configuration>): () => Promise<Configuration> {
  let kept: { at: number; value: Promise<Configuration> } | null = null;
  return () => {
    if (kept !== null && Date.now() - kept.at < DISCOVERY_MS) return kept.value;
    const value = make();
    const mine = { at: Date.now(), value };
    kept = mine;
    value.catch(() => {
      if (kept === mine) kept = null;
    });
    return value;
  };
}

async function discover(settings: ProviderSettings, outbound: OutboundFetch): Promise<Configuration> {
  const fetch: CustomFetch = (url, init) => outbound(url, init as Init);
  const client = { [clockTolerance]: CLOCK_TOLERANCE_SECONDS };
  const found = await discovery(new URL(settings.issuer), settings.clientId, client, None(), {
    [customFetch]: fetch,
    timeout: TIMEOUT_SECONDS,
    execute: isPlain(settings) ? [allowInsecureRequests] : [],
  });
  // How it wants the secret is known only now.
  const auth = authentication(settings, found.serverMetadata());
  const config = new Configuration(found.serverMetadata(), settings.clientId, client, auth);
  config[customFetch] = fetch;
  config.timeout = TIMEOUT_SECONDS;
  enableNonRepudiationChecks(config);
  if (isPlain(settings)) allowInsecureRequests(config);
  return config;
}

function authentication({ clientSecret }: ProviderSettings, metadata: Readonly<ServerMetadata>): ClientAuth {
  if (clientSecret === null) return None();
  const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic') ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret);
}

/** The ID token first, then userinfo where the ID token leaves something out. */
async function claimSources(
  config: Configuration,
  settings: ProviderSettings,
  tokens: Tokens,
  subject: string | null,
): Promise<Claims[]> {
  const claims: Claims | undefined = tokens.claims();
  const lacks = (name: string) => claims === undefined || !Object.hasOwn(claims, name);
  const asks = lacks('email') || lacks('name') || (settings.groupsClaim !== null && lacks(settings.groupsClaim));
  if (!asks || config.serverMetadata().userinfo_endpoint === undefined) return claims === undefined ? [] : [claims];
  const expected = textClaim(claims?.['sub']) ?? subject ?? skipSubjectCheck;
  const more: Claims = await fetchUserInfo(config, tokens.access_token, expected);
  return claims === undefined ? [more] : [claims, more];
}

async function identityOf(config: Configuration, settings: ProviderSettings, tokens: Tokens): Promise<OutsideIdentity> {
  const sources = await claimSources(config, settings, tokens, null);
  const first = <T>(read: (claims: Claims) => T | null): T | null => {
    for (const claims of sources) {
      const value = read(claims);
      if (value !== null) return value;
    }
    return null;
  };
  const subject = first((claims) => textClaim(claims['sub']));
  if (subject === null) throw refused(new Error('no subject'));
  // Address and "verified" must come from the same place.
  const mail = first((claims) => {
    const email = emailClaim(claims['email']);
    return email === null ? null : { email, verified: claims['email_verified'] === true };
  });
  return {
    subject,
    email: mail?.email ?? null,
    emailVerified: mail?.verified ?? false,
    name: first((claims) => textClaim(claims['name']) ?? textClaim(claims['preferred_username'])),
    groups: groupsClaim(settings.groupsClaim, sources),
    sid: first((claims) => textClaim(claims['sid'])),
    token: tokenOf(tokens),
  };
}

function tokenOf(tokens: Tokens): OutsideToken {
  if (tokens.refresh_token !== undefined) return { kind: 'refresh', value: tokens.refresh_token, expiresAt: null };
  const seconds = tokens.expiresIn();
  return {
    kind: 'access',
    value: tokens.access_token,
    expiresAt: seconds === undefined ? null : new Date(Date.now() + seconds * 1000),
  };
}

/** The provider says no, clearly: to the refresh token, or to the access token. */
function isEnd(error: unknown): boolean {
  if (error instanceof ResponseBodyError) return error.error === 'invalid_grant';
  return error instanceof WWWAuthenticateChallengeError && error.status === 401;
}

function notALogoutToken(cause?: unknown): BerthError {
  return new BerthError('invalid_input', 'This is not a logout token of the identity provider for Berth.', {
    cause,
    detail: describe(cause),
  });
}

async function checkLogoutToken(
  text: string,
  metadata: Readonly<ServerMetadata>,
  settings: ProviderSettings,
  outbound: OutboundFetch,
): Promise<{ subject: string | null; sid: string | null; jti: string; expiresAt: Date }> {
  if (metadata.jwks_uri === undefined) throw notALogoutToken();
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), {
    timeoutDuration: TIMEOUT_SECONDS * 1000,
    [joseFetch]: (url, init) => outbound(url, init as Init),
  });
  const stated = metadata.id_token_signing_alg_values_supported ?? ['RS256'];
  const { payload } = await jwtVerify(text, keys, {
    issuer: metadata.issuer,
    audience: settings.clientId,
    algorithms: stated.filter((name) => asymmetric.test(name)),
    maxTokenAge: LOGOUT_TOKEN_MINUTES * 60,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ['iat', 'jti', 'events'],
  }).catch((error: unknown) => {
    throw isNetwork(error) ? failure(error) : notALogoutToken(error);
  });
  const { events, sub, sid, jti } = payload as Claims;
  const event = typeof events === 'object' && events !== null ? (events as Claims)[LOGOUT_EVENT] : undefined;
  const subject = textClaim(sub);
  const session = textClaim(sid);
  const id = textClaim(jti);
  if (typeof event !== 'object' || event === null || id === null || Object.hasOwn(payload, 'nonce')) {
    throw notALogoutToken(new Error('not for logging out'));
  }
  if (subject === null && session === null) throw notALogoutToken(new Error('nobody named'));
  const iat = payload.iat ?? 0;
  const lives = LOGOUT_TOKEN_MINUTES * 60 + 2 * CLOCK_TOLERANCE_SECONDS;
  return { subject, sid: session, jti: id, expiresAt: new Date((iat + lives) * 1000) };
}

/** jose says this when the keys could not be fetched. */
function isNetwork(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return error instanceof TypeError || code === 'ERR_JWKS_TIMEOUT' || error instanceof BerthError;
}
