/** Where this server calls on behalf of somebody, for the administrators of the installation. */
import { z } from 'zod';
import { nameServerOrigin } from '#domain/dns.ts';
import { API_PREFIX } from './common.ts';
import { defineRoute } from './route.ts';

export const OUTBOUND_ORIGINS_MAX = 100;
const ORIGIN_LENGTH_MAX = 300;

/** Scheme, host and port and nothing else, in the form a browser would send: 'https://idp.corp.example:8443'. */
const originSchema = z
  .string()
  .max(ORIGIN_LENGTH_MAX)
  .refine((text) => {
    if (text.startsWith('dns://')) return nameServerOrigin(text) === text;
    const url = URL.parse(text);
    return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.origin === text;
  }, 'an origin such as https://idp.corp.example:8443 or dns://10.0.0.53:53, without a path');

const answer = z.object({
  allowed: z.array(z.string()).meta({
    description:
      'Origins that are called although they are private, without TLS or on another port than 443 (dns://: name servers for dynamic updates)',
  }),
});

export const outboundRoutes = {
  outboundGet: defineRoute({
    id: 'platform.outbound.get',
    method: 'GET',
    path: `${API_PREFIX}/platform/outbound`,
    tag: 'platform',
    access: 'platform.settings.read',
    rateClass: 'api',
    status: 200,
    summary: 'Private addresses that this server may call',
    response: answer,
  }),
  outboundUpdate: defineRoute({
    id: 'platform.outbound.update',
    method: 'PUT',
    path: `${API_PREFIX}/platform/outbound`,
    tag: 'platform',
    access: 'platform.settings.update',
    rateClass: 'api',
    status: 200,
    summary: 'Set the private addresses that this server may call; all others are refused',
    body: z.strictObject({ allowed: z.array(originSchema).max(OUTBOUND_ORIGINS_MAX) }),
    response: answer,
  }),
} as const;
