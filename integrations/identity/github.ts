/**
 * GitHub speaks OAuth 2.0, not OpenID Connect: who somebody is comes from its API, and only addresses that it calls
 * verified count as verified. GitHub Enterprise Server has its API under the same host.
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretPost,
  Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  None,
} from 'openid-client';
import { BerthError } from '#domain/errors.ts';
import { GROUPS_MAX } from '#domain/identity-providers.ts';
import { type Claims, emailClaim, textClaim } from './claims.ts';
import { describe, failure, refused, unreachable } from './failures.ts';
import type { IdentityClient, OutboundFetch, OutsideToken, ProviderSettings } from './interface.ts';
import { isPlain } from './oidc.ts';

const TIMEOUT_SECONDS = 10;
const PAGE = 100;

export function githubClient(settings: ProviderSettings, outbound: OutboundFetch): IdentityClient {
  const base = settings.issuer.replace(/\/+$/, '');
  const apiBase = base === 'https://github.com' ? 'https://api.github.com' : `${base}/api/v3`;
  const config = new Configuration(
    {
      issuer: `${base}/login/oauth`,
      authorization_endpoint: `${base}/login/oauth/authorize`,
      token_endpoint: `${base}/login/oauth/access_token`,
    },
    settings.clientId,
    {},
    settings.clientSecret === null ? None() : ClientSecretPost(settings.clientSecret),
  );
  config[customFetch] = (url, init) => outbound(url, init as Parameters<OutboundFetch>[1]);
  config.timeout = TIMEOUT_SECONDS;
  if (isPlain(settings)) allowInsecureRequests(config);

  /** Null: the token is not accepted any more. */
  const ask = async (path: string, token: string): Promise<unknown> => {
    const response = await outbound(`${apiBase}${path}`, {
      headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${token}`, 'user-agent': 'berth' },
      signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000),
    }).catch((error: unknown) => {
      throw failure(error);
    });
    if (response.status === 401) return null;
    if (!response.ok) throw unreachable(new Error(`GitHub answers ${response.status} to ${path}`));
    return response.json().catch((error: unknown) => {
      throw unreachable(error);
    });
  };
  const groupsOf = async (token: string): Promise<readonly string[] | null> => {
    if (settings.groupsClaim === null) return [];
    const rows = await ask(`/user/orgs?per_page=${PAGE}`, token);
    if (!Array.isArray(rows)) return null;
    return rows.flatMap((row: Claims) => textClaim(row['login']) ?? []).slice(0, GROUPS_MAX);
  };

  return {
    async begin({ redirectUri, state, codeVerifier }) {
      return buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: settings.scopes.join(' '),
        state,
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      }).href;
    },

    async finish({ query, redirectUri, state, codeVerifier }) {
      const tokens = await authorizationCodeGrant(config, new URL(`${redirectUri}?${query}`), {
        expectedState: state,
        pkceCodeVerifier: codeVerifier,
      }).catch((error: unknown) => {
        throw failure(error);
      });
      const token = tokens.access_token;
      const user = (await ask('/user', token)) as Claims | null;
      const subject = typeof user?.['id'] === 'number' ? String(user['id']) : null;
      if (user === null || subject === null) throw refused(new Error('no user'));
      const email = primaryAddress(await ask('/user/emails', token));
      const kept: OutsideToken = { kind: 'access', value: token, expiresAt: null };
      return {
        subject,
        email,
        emailVerified: email !== null,
        name: textClaim(user['name']) ?? textClaim(user['login']),
        groups: await groupsOf(token),
        sid: null,
        token: kept,
      };
    },

    async recheck(token, subject) {
      const user = (await ask('/user', token.value)) as Claims | null;
      if (user === null || String(user['id']) !== subject) return { standing: 'ended' };
      return { standing: 'good', groups: await groupsOf(token.value), token };
    },

    async logoutToken() {
      throw new BerthError('unsupported', 'GitHub knows no back-channel logout.');
    },

    async test() {
      const response = await outbound(`${apiBase}/meta`, { headers: { 'user-agent': 'berth' } }).catch(
        (error: unknown) => {
          throw new BerthError('upstream_failed', `It does not answer as it should: ${describe(error)}`, {
            cause: error,
          });
        },
      );
      if (!response.ok) throw new BerthError('upstream_failed', `Its API answers with status ${response.status}.`);
      return { issuer: base, authorizationEndpoint: `${base}/login/oauth/authorize`, logout: false };
    },
  };
}

/** The primary address when GitHub has verified it; null otherwise. */
function primaryAddress(rows: unknown): string | null {
  if (!Array.isArray(rows)) return null;
  const primary = rows.find((row: Claims) => row['primary'] === true && row['verified'] === true) as Claims | undefined;
  return primary === undefined ? null : emailClaim(primary['email']);
}
