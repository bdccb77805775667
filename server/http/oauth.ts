/** Endpoints where programs sign in, and where people let them. */
import { accessTokenParties } from '#contract/access-tokens.ts';
import { api } from '#contract/api.ts';
import { DEVICE_GRANT } from '#contract/oauth.ts';
import { scopeNames } from '#domain/scopes.ts';
import type { AppContext } from '#server/app/context.ts';
import { beginDeviceLogin, decideDevice, issueTokens, readDeviceLogin, revokeByToken } from '#server/app/oauth.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

export function registerOAuth(http: Http, app: AppContext): void {
  http.register(api.oauthMetadata, async () => {
    const { issuer } = accessTokenParties(app.config.consoleOrigin);
    return {
      issuer,
      token_endpoint: `${issuer}${api.oauthToken.path}`,
      device_authorization_endpoint: `${issuer}${api.oauthDevice.path}`,
      revocation_endpoint: `${issuer}${api.oauthRevoke.path}`,
      jwks_uri: `${issuer}${api.jwks.path}`,
      grant_types_supported: [DEVICE_GRANT, 'refresh_token'],
      token_endpoint_auth_methods_supported: ['none'],
      revocation_endpoint_auth_methods_supported: ['none'],
      response_types_supported: [],
      scopes_supported: [...scopeNames],
    };
  });
  http.register(api.oauthDevice, async ({ caller, body }) => {
    const begun = await beginDeviceLogin(app, caller, body);
    return {
      device_code: begun.deviceCode,
      user_code: begun.userCode,
      verification_uri: begun.page,
      verification_uri_complete: `${begun.page}?code=${begun.userCode}`,
      expires_in: begun.expiresInSeconds,
      interval: begun.intervalSeconds,
    };
  });
  http.register(api.oauthToken, async ({ caller, body }) => {
    const issued = await issueTokens(app, caller, body);
    return {
      access_token: issued.accessToken,
      token_type: 'Bearer' as const,
      expires_in: issued.expiresInSeconds,
      refresh_token: issued.refreshToken,
      ...(issued.scopes === null ? {} : { scope: issued.scopes.join(' ') }),
    };
  });
  http.register(api.oauthRevoke, async ({ caller, body }) => {
    await revokeByToken(app, caller, body);
    return {};
  });
  http.register(api.deviceLoginGet, async ({ caller, params }) => {
    const login = await readDeviceLogin(app, caller, params.code);
    const { id, userCode, client, address, sameAddress, scopes } = login;
    return {
      id,
      userCode,
      client,
      address,
      sameAddress,
      scopes,
      createdAt: iso(login.createdAt),
      expiresAt: iso(login.expiresAt),
    };
  });
  http.register(api.deviceLoginDecide, async ({ caller, params, body }) => {
    await decideDevice(app, caller, params.code, body);
    return undefined;
  });
}
