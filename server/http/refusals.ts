/** What the log of this process says about calls that were refused: who, from where, and what was named. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UserId } from '#domain/ids.ts';
import { clientAddress } from './credentials.ts';

/** Not signed in, or not allowed (which looks like: not there). Calls that come too often are not written down as well. */
export function isRefusal(reply: FastifyReply): boolean {
  return reply.request.routeOptions.url !== undefined && [401, 403, 404].includes(reply.statusCode);
}

/** Ids in the path are named, secrets that some paths carry are not. */
export function refusalOf(request: FastifyRequest, user: UserId | undefined) {
  const named = Object.values((request.params ?? {}) as object);
  return {
    user: user ?? null,
    address: clientAddress(request),
    ids: named.filter((value) => typeof value === 'string' && /^[a-z]{3}_[0-9a-z]{26}$/.test(value)),
  };
}
