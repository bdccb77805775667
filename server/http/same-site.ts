/** Refuses changes that another site makes a person's browser send. */
import type { FastifyRequest } from 'fastify';
import { BerthError } from '#domain/errors.ts';
import type { Credential } from './credentials.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * With a cookie, an unsafe method needs proof that our own page sent it: `Origin` equals the console's, or (where a
 * browser leaves Origin out) `Sec-Fetch-Site: same-origin`. Without a cookie (signing in) a foreign Origin is refused as
 * well, so that nobody can be signed in to another's account. Bearer tokens are never sent by browsers on their own.
 * Errors: forbidden_origin.
 */
export function checkSameSite(request: FastifyRequest, credential: Credential | null, consoleOrigin: string): void {
  if (safeMethods.has(request.method) || credential?.via === 'token') return;
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined) {
    if (origin === consoleOrigin && (site === undefined || site === 'same-origin')) return;
    throw forbidden();
  }
  if (site === 'same-origin') return;
  if (credential === null && site === undefined) return;
  throw forbidden();
}

function forbidden(): BerthError {
  return new BerthError(
    'forbidden_origin',
    'This change did not come from the console. Open the console and try again.',
  );
}
