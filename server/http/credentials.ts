/** What a request brings along to say who it is: the session cookie of a browser or the bearer token of a program. */
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

export type Credential = { via: 'session' | 'token'; secret: string };

/** `__Host-`: this host only, HTTPS only, whole path; another subdomain (an instance) cannot set or shadow it. */
export const sessionCookie = {
  name: '__Host-berth',
  options: { path: '/', httpOnly: true, secure: true, sameSite: 'lax' },
} as const;

const USER_AGENT_LENGTH_MAX = 300;

/** Null when there is none. A bearer token wins over the cookie: a program that sends one means it. */
export function readCredential(request: FastifyRequest): Credential | null {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const match = /^Bearer ([\x21-\x7e]{1,4000})$/i.exec(header);
    // Something unreadable is a token that is not valid, not "no token": the cookie must not step in.
    return { via: 'token', secret: match?.[1] ?? '' };
  }
  const cookie = request.cookies[sessionCookie.name];
  if (cookie === undefined || cookie === '') return null;
  return { via: 'session', secret: cookie.slice(0, 200) };
}

/**
 * The address of the client. Only Caddy reaches the socket and puts the true peer last in X-Forwarded-For; what stands
 * before it was said by the client and is not believed.
 */
export function clientAddress(request: FastifyRequest): string | null {
  const header = request.headers['x-forwarded-for'];
  const text = Array.isArray(header) ? header.join(',') : header;
  const last = text?.split(',').at(-1)?.trim();
  if (last !== undefined && isIP(last) !== 0) return last;
  return request.socket.remoteAddress ?? null;
}

/** Where the connection comes from as Caddy says it; null when it did not come through Caddy (health checks). */
export function controlAddress(request: FastifyRequest): string | null {
  return request.headers['x-forwarded-for'] === undefined ? null : clientAddress(request);
}

export function clientUserAgent(request: FastifyRequest): string | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are taken out
  return request.headers['user-agent']?.replace(/[\u0000-\u001f\u007f]/g, '').slice(0, USER_AGENT_LENGTH_MAX) ?? null;
}
