/**
 * Signing programs in. A program asks for a code, a person confirms it in the console, the program fetches tokens: an
 * access token for minutes and a refresh token that is used once. A refresh token that comes a second time has a copy
 * somewhere: the whole session ends, whoever was first.
 */
import type { OAuthErrorCode } from '#contract/oauth.ts';
import { DEVICE_CODE_PREFIX, DEVICE_GRANT, DEVICE_PAGE, REFRESH_TOKEN_PREFIX } from '#contract/oauth.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { isScope } from '#domain/scopes.ts';
import {
  CLIENT_SESSION_DAYS,
  DEVICE_LOGIN_MINUTES,
  DEVICE_POLL_SECONDS,
  makeUserCode,
  normaliseUserCode,
  oauthClients,
  REFRESH_TOKEN_DAYS,
} from '#domain/sessions.ts';
import { recordForMember } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import {
  type DeviceLogin,
  type DevicePoll,
  decideDeviceLogin,
  findDeviceLogin,
  insertDeviceLogin,
  pollDeviceLogin,
} from '#server/store/device-logins.ts';
import {
  type ClientSession,
  insertClientSession,
  insertRefreshToken,
  lockClientSession,
  revokeClientSession,
  sessionOfRefreshToken,
  useRefreshToken,
} from '#server/store/sessions.ts';
import { findSignInUser } from '#server/store/sign-ins.ts';
import { makeAccessToken } from './access-tokens.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';
import { digest, makeSecret } from './tokens.ts';

const DAY_MS = 24 * 3_600_000;
const refreshPattern = new RegExp(`^${REFRESH_TOKEN_PREFIX}[A-Za-z0-9_-]{43}$`);
const devicePattern = new RegExp(`^${DEVICE_CODE_PREFIX}[A-Za-z0-9_-]{43}$`);

/** An answer of the token endpoint and its neighbours (RFC 6749, 5.2). */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode;
  constructor(code: OAuthErrorCode, description: string) {
    super(description);
    this.code = code;
  }
}

export type Tokens = { accessToken: string; expiresInSeconds: number; refreshToken: string; scopes: string[] | null };
type TokenRequest = {
  grant_type: string;
  client_id: string;
  device_code?: string | undefined;
  refresh_token?: string | undefined;
  scope?: string | undefined;
};

function knownClient(id: string): string {
  const known = oauthClients.find((client) => client === id);
  if (known === undefined) throw new OAuthError('invalid_client', 'There is no such client.');
  return known;
}

function parseScopes(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  const scopes = [...new Set(text.split(' ').filter((scope) => scope !== ''))];
  const wrong = scopes.find((scope) => !isScope(scope));
  if (scopes.length === 0 || wrong !== undefined) {
    throw new OAuthError('invalid_scope', 'There is no such scope.');
  }
  return scopes;
}

/** The purpose is in the digest: a code of one kind is not even found as another. */
const deviceHash = (code: string) => digest(`device code ${code}`);
const refreshHash = (token: string) => digest(`refresh token ${token}`);

export type BegunDeviceLogin = {
  deviceCode: string;
  userCode: string;
  page: string;
  expiresInSeconds: number;
  intervalSeconds: number;
};

/** Errors: OAuthError (invalid_client, invalid_scope, temporarily_unavailable: too many wait already). */
export async function beginDeviceLogin(
  app: AppContext,
  caller: Caller,
  input: { client_id: string; client_name?: string | undefined; scope?: string | undefined },
): Promise<BegunDeviceLogin> {
  const client = knownClient(input.client_id);
  const scopes = parseScopes(input.scope);
  const now = app.clock.now();
  const deviceCode = `${DEVICE_CODE_PREFIX}${makeSecret(app.ids)}`;
  const userCode = makeUserCode((bytes) => app.ids.random(bytes));
  const kept = await transact(app.db, (trx) =>
    insertDeviceLogin(trx, {
      id: app.ids.make('dvl'),
      deviceHash: deviceHash(deviceCode),
      userCode,
      client: input.client_name ?? client,
      scopes,
      address: caller.origin.address ?? 'unknown',
      userAgent: caller.origin.userAgent ?? 'unknown',
      createdAt: now,
      expiresAt: new Date(now.getTime() + DEVICE_LOGIN_MINUTES * 60_000),
    }),
  );
  if (!kept) throw new OAuthError('temporarily_unavailable', 'Too many sign-ins wait already. Try again later.');
  return {
    deviceCode,
    userCode,
    page: `${app.config.consoleOrigin}${DEVICE_PAGE}`,
    expiresInSeconds: DEVICE_LOGIN_MINUTES * 60,
    intervalSeconds: DEVICE_POLL_SECONDS,
  };
}

/** A program must not be able to let in another one, nor to ask which wait. */
function requireBrowser(person: PersonCaller): void {
  const { credential } = person;
  if (credential.via === 'session' && credential.client === undefined) return;
  throw new BerthError('forbidden', 'Programs are signed in from a browser only.');
}

/** What wants to be signed in. Errors: forbidden (not a browser), not_found. */
export async function readDeviceLogin(
  app: AppContext,
  person: PersonCaller,
  code: string,
): Promise<DeviceLogin & { sameAddress: boolean }> {
  requireBrowser(person);
  const userCode = normaliseUserCode(code);
  const login = userCode === null ? null : await findDeviceLogin(app.db, userCode, app.clock.now());
  if (login === null) throw notFound('code');
  return { ...login, sameAddress: login.address === person.origin.address };
}

/** Errors: forbidden (not a browser), step_up_required (to allow), not_found (or decided already). */
export async function decideDevice(
  app: AppContext,
  person: PersonCaller,
  code: string,
  input: { allow: boolean },
): Promise<void> {
  requireBrowser(person);
  const userCode = normaliseUserCode(code);
  if (userCode === null || (await findDeviceLogin(app.db, userCode, app.clock.now())) === null) throw notFound('code');
  if (input.allow) await requireConfirmed(app, person, 'device.approve');
  await transact(app.db, async (trx) => {
    const login = await decideDeviceLogin(trx, userCode, {
      by: person.userId,
      allow: input.allow,
      now: app.clock.now(),
    });
    if (login === null) throw notFound('code');
    await recordForMember(trx, person, person.userId, {
      action: input.allow ? 'device.approve' : 'device.deny',
      targetKind: 'client',
      targetId: login.id,
      target: login.client,
      after: { address: login.address, scopes: login.scopes },
    });
  });
}

/** Errors: OAuthError. */
export async function issueTokens(app: AppContext, caller: Caller, request: TokenRequest): Promise<Tokens> {
  const clientId = knownClient(request.client_id);
  // The very first key takes a second to make: not while a code or token is used up.
  await app.signingKeys.signer('access');
  if (request.grant_type === DEVICE_GRANT) return deviceTokens(app, caller, clientId, request.device_code);
  if (request.grant_type === 'refresh_token') {
    if (request.scope !== undefined) throw new OAuthError('invalid_scope', 'A refresh keeps the scopes it has.');
    return refreshedTokens(app, caller, clientId, request.refresh_token);
  }
  throw new OAuthError('unsupported_grant_type', 'This grant type is not supported.');
}

const refusals: Record<Exclude<DevicePoll['state'], 'approved'>, () => OAuthError> = {
  unknown: () => new OAuthError('invalid_grant', 'There is no such device code.'),
  expired: () => new OAuthError('expired_token', 'The code has expired. Begin again.'),
  denied: () => new OAuthError('access_denied', 'The sign-in was refused.'),
  pending: () => new OAuthError('authorization_pending', 'Nobody has confirmed the code yet.'),
  'too-soon': () => new OAuthError('slow_down', 'Ask less often: 5 seconds more between questions.'),
};

async function deviceTokens(
  app: AppContext,
  caller: Caller,
  clientId: string,
  deviceCode: string | undefined,
): Promise<Tokens> {
  if (deviceCode === undefined) throw new OAuthError('invalid_request', 'The device_code is missing.');
  if (!devicePattern.test(deviceCode)) throw refusals.unknown();
  const now = app.clock.now();
  const result = await transact(app.db, async (trx) => {
    const poll = await pollDeviceLogin(trx, deviceHash(deviceCode), now);
    if (poll.state !== 'approved') return poll;
    const user = await findSignInUser(trx, poll.userId);
    if (user === null) return { state: 'denied' as const };
    const session: ClientSession = {
      id: app.ids.make('ses'),
      userId: user.id,
      client: poll.login.client,
      scopes: poll.login.scopes,
      expiresAt: new Date(now.getTime() + CLIENT_SESSION_DAYS * DAY_MS),
    };
    const address = caller.origin.address ?? 'unknown';
    const userAgent = caller.origin.userAgent ?? 'unknown';
    await insertClientSession(trx, { ...session, address, userAgent, confirmedAt: poll.confirmedAt, now });
    await recordForMember(trx, caller, user.id, {
      action: 'session.create',
      targetKind: 'user',
      targetId: user.id,
      target: user.email,
      after: { by: ['device'], client: session.client },
    });
    return { state: 'approved' as const, session, refreshToken: await nextRefreshToken(app, trx, caller, session) };
  });
  if (result.state !== 'approved') throw refusals[result.state]();
  return tokens(app, clientId, result.session, result.refreshToken);
}

async function refreshedTokens(
  app: AppContext,
  caller: Caller,
  clientId: string,
  refreshToken: string | undefined,
): Promise<Tokens> {
  if (refreshToken === undefined) throw new OAuthError('invalid_request', 'The refresh_token is missing.');
  const ended = () => new OAuthError('invalid_grant', 'This sign-in has ended. Sign in again.');
  if (!refreshPattern.test(refreshToken)) throw ended();
  const now = app.clock.now();
  const result = await transact(app.db, async (trx) => {
    const used = await useRefreshToken(trx, refreshHash(refreshToken), now);
    if (used === null) return null;
    if (used.used) {
      await endFamily(app, trx, caller, used.sessionId, 'session.reuse');
      return null;
    }
    const session = await lockClientSession(trx, used.sessionId, now);
    if (session === null) return null;
    return { session, refreshToken: await nextRefreshToken(app, trx, caller, session) };
  });
  if (result === null) throw ended();
  return tokens(app, clientId, result.session, result.refreshToken);
}

async function nextRefreshToken(app: AppContext, trx: Trx, caller: Caller, session: ClientSession): Promise<string> {
  const token = `${REFRESH_TOKEN_PREFIX}${makeSecret(app.ids)}`;
  const now = app.clock.now();
  await insertRefreshToken(trx, {
    hash: refreshHash(token),
    sessionId: session.id,
    now,
    expiresAt: new Date(Math.min(now.getTime() + REFRESH_TOKEN_DAYS * DAY_MS, session.expiresAt.getTime())),
    address: caller.origin.address ?? 'unknown',
    userAgent: caller.origin.userAgent ?? 'unknown',
  });
  return token;
}

async function tokens(
  app: AppContext,
  clientId: string,
  session: ClientSession,
  refreshToken: string,
): Promise<Tokens> {
  const { token, expiresInSeconds } = await makeAccessToken(app, { ...session, clientId });
  return { accessToken: token, expiresInSeconds, refreshToken, scopes: session.scopes };
}

async function endFamily(
  app: AppContext,
  trx: Trx,
  caller: Caller,
  sessionId: ClientSession['id'],
  action: 'session.reuse' | 'session.delete',
): Promise<void> {
  const owner = await revokeClientSession(trx, sessionId, app.clock.now());
  if (owner === null) return;
  await recordForMember(trx, caller, owner.id, {
    action,
    targetKind: 'session',
    targetId: sessionId,
    target: owner.email,
    result: action === 'session.reuse' ? 'refused' : 'ok',
    after: { client: owner.client },
  });
}

/** Ends the session of a refresh token, used or not; says nothing about whether there was one. */
export async function revokeByToken(
  app: AppContext,
  caller: Caller,
  request: { token: string; client_id: string },
): Promise<void> {
  knownClient(request.client_id);
  if (!refreshPattern.test(request.token)) return;
  const sessionId = await sessionOfRefreshToken(app.db, refreshHash(request.token));
  if (sessionId !== null) await transact(app.db, (trx) => endFamily(app, trx, caller, sessionId, 'session.delete'));
}
