/** One certificate for the platform's own domain and every name directly below it, for administrators of the installation. */
import { z } from 'zod';
import { API_PREFIX, abilitySchema } from './common.ts';
import { wildcardSchema } from './domains.ts';
import { defineRoute } from './route.ts';

const platformCertificateSchema = z.object({
  domain: z.string().meta({ description: 'The domain of the installation' }),
  dns: z.object({ zone: z.string(), provider: z.string() }).nullable().meta({
    description: 'The DNS provider of the installation that keeps it; null: none is connected',
  }),
  wildcard: wildcardSchema.nullable().meta({ description: 'Null: none is wanted, each name gets its own' }),
  can: z.object({ wildcard: abilitySchema }),
});
export type PlatformCertificate = z.output<typeof platformCertificateSchema>;

const shared = { tag: 'platform', path: `${API_PREFIX}/platform/certificate`, status: 200 } as const;

export const platformCertificateRoutes = {
  platformCertificateGet: defineRoute({
    ...shared,
    id: 'platform.certificate.get',
    method: 'GET',
    access: 'platform.dns.read',
    rateClass: 'api',
    summary: 'The wildcard certificate of the platform domain: whether one is wanted, how it is',
    response: platformCertificateSchema,
  }),
  platformCertificateUpdate: defineRoute({
    ...shared,
    id: 'platform.certificate.update',
    method: 'PATCH',
    access: 'platform.dns.update',
    rateClass: 'provisioning',
    summary: 'Have a wildcard certificate made for the platform domain, at once if there is none; or no longer',
    description:
      'For every name directly below the platform domain, by proof in DNS: needs a DNS provider of the installation that keeps its zone, and certificates from an ACME authority. As long as there is none, each name gets its own as before.',
    body: z.strictObject({ wildcard: z.boolean() }),
    response: platformCertificateSchema,
  }),
} as const;
