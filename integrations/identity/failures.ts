/** What went wrong between Berth and a provider, in Berth's words: refused (the answer) or not reached (the provider). */
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { BerthError } from '#domain/errors.ts';

/** Codes of openid-client that tell of the connection or of a provider that is out of order, not of the answer. */
const notReached = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
]);

export function unreachable(cause: unknown): BerthError {
  return new BerthError('upstream_failed', 'The identity provider cannot be reached or is out of order. Try again.', {
    cause,
    detail: describe(cause),
  });
}

export function refused(cause: unknown): BerthError {
  return new BerthError('unauthenticated', 'The identity provider did not confirm who you are. Start again.', {
    cause,
    detail: describe(cause),
  });
}

/** Errors of openid-client and of fetch as BerthError. */
export function failure(error: unknown): BerthError {
  // What the guard of outbound calls says is for administrators.
  if (error instanceof BerthError) return error.code === 'unauthenticated' ? error : unreachable(error);
  if (error instanceof ResponseBodyError) return error.status >= 500 ? unreachable(error) : refused(error);
  if (error instanceof AuthorizationResponseError || error instanceof WWWAuthenticateChallengeError) {
    return refused(error);
  }
  if (error instanceof ClientError) {
    return notReached.has(error.code ?? '') || fromGuard(error) ? unreachable(error) : refused(error);
  }
  // fetch says TypeError for everything that happens below HTTP.
  return unreachable(error);
}

/** The guard of outbound calls, or the connection, is somewhere among the causes. */
function fromGuard(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof BerthError) return true;
  }
  return false;
}

export function describe(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 4; at = at.cause) parts.push(at.message);
  return parts.join(': ').slice(0, 500);
}
