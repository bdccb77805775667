/**
 * Signing programs in: OAuth 2.0 tokens (RFC 6749, form bodies, errors of its own shape) by a code that a person confirms
 * in the console (RFC 8628), refresh tokens that are used once, revocation (RFC 7009), and how to find it all (RFC 8414).
 */
import { z } from 'zod';
import { isScope } from '#domain/scopes.ts';
import { API_PREFIX, idSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
export const CLI_CLIENT_ID = 'berth-cli';
/** Every refresh token and every device code begins so: scanners find leaked ones, and none passes for another. */
export const REFRESH_TOKEN_PREFIX = 'brr_';
export const DEVICE_CODE_PREFIX = 'brd_';
/** The page of the console where the code is typed. */
export const DEVICE_PAGE = '/device';

export const oauthErrorCodes = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'authorization_pending',
  'slow_down',
  'access_denied',
  'expired_token',
  'temporarily_unavailable',
  'server_error',
] as const;
export type OAuthErrorCode = (typeof oauthErrorCodes)[number];
export const oauthErrorSchema = z.object({ error: z.enum(oauthErrorCodes), error_description: z.string() });

export const scopeSchema = z
  .string()
  .max(100)
  .refine(isScope, 'There is no such scope.')
  .meta({ description: 'An action, everything about a resource (`instance.*`), or all reading (`*.read`)' });
/** Null: whatever the person may do. */
export const scopesSchema = z.array(scopeSchema).min(1).max(100).nullable();

const text = (max: number) => z.string().min(1).max(max);
const scopeText = text(4_000).optional().meta({ description: 'Scopes with spaces between them; absent: everything' });

/** A sign-in of a program, as the person who confirms it sees it. */
export const deviceLoginSchema = z.object({
  id: idSchema('dvl'),
  userCode: z.string(),
  client: z.string().meta({ description: 'What the program calls itself' }),
  address: z.string().meta({ description: 'Where the program runs' }),
  sameAddress: z.boolean().meta({ description: 'The program and this browser have the same address' }),
  scopes: z.array(z.string()).nullable(),
  createdAt: timestamp,
  expiresAt: timestamp,
});

const tag = 'programs';
const common = { tag, access: 'public', protocol: 'oauth', consumes: 'form' } as const;

export const oauthRoutes = {
  oauthMetadata: defineRoute({
    id: 'oauth.metadata',
    method: 'GET',
    path: '/.well-known/oauth-authorization-server',
    tag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Where programs sign in (RFC 8414)',
    response: z.object({
      issuer: z.string(),
      token_endpoint: z.string(),
      device_authorization_endpoint: z.string(),
      revocation_endpoint: z.string(),
      jwks_uri: z.string(),
      grant_types_supported: z.array(z.string()),
      token_endpoint_auth_methods_supported: z.array(z.string()),
      revocation_endpoint_auth_methods_supported: z.array(z.string()),
      response_types_supported: z.array(z.string()),
      scopes_supported: z.array(z.string()),
    }),
  }),
  oauthDevice: defineRoute({
    ...common,
    id: 'oauth.device',
    method: 'POST',
    path: '/oauth/device',
    rateClass: 'api',
    status: 200,
    summary: 'Begin to sign a program in: a code for a person to confirm (RFC 8628)',
    body: z.object({ client_id: text(100), client_name: text(80).optional(), scope: scopeText }),
    response: z.object({
      device_code: z.string(),
      user_code: z.string(),
      verification_uri: z.string(),
      verification_uri_complete: z.string(),
      expires_in: z.number().int(),
      interval: z.number().int(),
    }),
  }),
  oauthToken: defineRoute({
    ...common,
    id: 'oauth.token',
    method: 'POST',
    path: '/oauth/token',
    rateClass: 'api',
    status: 200,
    summary: 'Tokens for a confirmed code or for a refresh token, which is used up',
    body: z.object({
      grant_type: text(200),
      client_id: text(100),
      device_code: text(4_000).optional(),
      refresh_token: text(4_000).optional(),
      scope: scopeText,
    }),
    response: z.object({
      access_token: z.string(),
      token_type: z.literal('Bearer'),
      expires_in: z.number().int(),
      refresh_token: z.string(),
      scope: z.string().optional(),
    }),
  }),
  oauthRevoke: defineRoute({
    ...common,
    id: 'oauth.revoke',
    method: 'POST',
    path: '/oauth/revoke',
    rateClass: 'api',
    status: 200,
    summary: 'Sign a program out by its refresh token (RFC 7009)',
    body: z.object({ token: text(4_000), token_type_hint: text(100).optional(), client_id: text(100) }),
    response: z.object({}),
  }),
  deviceLoginGet: defineRoute({
    id: 'account.deviceLogins.get',
    method: 'GET',
    path: `${API_PREFIX}/account/device-logins/:code`,
    tag,
    access: 'self',
    rateClass: 'sign-in',
    status: 200,
    summary: 'What wants to be signed in with this code',
    params: z.object({ code: text(40) }),
    response: deviceLoginSchema,
  }),
  deviceLoginDecide: defineRoute({
    id: 'account.deviceLogins.decide',
    method: 'POST',
    path: `${API_PREFIX}/account/device-logins/:code`,
    tag,
    access: 'self',
    rateClass: 'sign-in',
    status: 204,
    summary: 'Sign the program in as yourself, or refuse it; browsers only',
    params: z.object({ code: text(40) }),
    body: z.strictObject({ allow: z.boolean() }),
  }),
} as const;
