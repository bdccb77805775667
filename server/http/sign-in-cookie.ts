/** The cookies of a sign-in on its way: between its two steps, and out to an identity provider and back. They open nothing. */
import type { FastifyRequest } from 'fastify';

export const signInCookie = {
  name: '__Host-berth-sign-in',
  options: { path: '/', httpOnly: true, secure: true, sameSite: 'strict' },
} as const;

export function readSignInHandle(request: FastifyRequest): string | null {
  const cookie = request.cookies[signInCookie.name];
  return cookie === undefined || cookie === '' ? null : cookie.slice(0, 200);
}

/** Sent by our own page alone: the provider leads back to the console, and the console calls the API. */
export const outsideCookie = {
  name: '__Host-berth-outside',
  options: { path: '/', httpOnly: true, secure: true, sameSite: 'strict' },
} as const;

export function readOutsideSecret(request: FastifyRequest): string | null {
  const cookie = request.cookies[outsideCookie.name];
  return cookie === undefined || cookie === '' ? null : cookie.slice(0, 200);
}
