/** The cookie between the two steps of signing in. It opens nothing by itself. */
import type { FastifyRequest } from 'fastify';

export const signInCookie = {
  name: '__Host-berth-sign-in',
  options: { path: '/', httpOnly: true, secure: true, sameSite: 'strict' },
} as const;

export function readSignInHandle(request: FastifyRequest): string | null {
  const cookie = request.cookies[signInCookie.name];
  return cookie === undefined || cookie === '' ? null : cookie.slice(0, 200);
}
