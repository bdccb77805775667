/** The form of an identity provider: flat texts on the screen, the contract's shapes on the wire. */
import { z } from 'zod';
import { roles } from '#domain/authz.ts';
import { presets, providerKinds, provisionings } from '#domain/identity-providers.ts';
import type { InputOf, OutputOf } from '../../api/client.ts';

export type Provider = OutputOf<'identityProvidersList'>['items'][number];

export const providerForm = z
  .object({
    kind: z.enum(providerKinds),
    name: z
      .string()
      .trim()
      .regex(/^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'Lower-case letters, digits and hyphens; starts with a letter.'),
    title: z.string().trim().min(1, 'What is it called on the button?').max(120),
    issuer: z.string().trim().min(1, 'The address of the provider.').max(500),
    clientId: z.string().trim().min(1, 'The provider gave you one.').max(300),
    clientSecret: z.string().max(1000),
    scopes: z.string().trim().min(1, 'At least openid.'),
    enabled: z.boolean(),
    provisioning: z.enum(provisionings),
    domains: z.string(),
    groupsClaim: z.string().trim().max(200),
    roleMappings: z.array(
      z.object({
        value: z.string().trim().min(1, 'Which group?').max(500),
        organization: z.string().min(1, 'Which organization?'),
        role: z.enum(roles),
      }),
    ),
    recheckMinutes: z.coerce.number().int().min(1, 'At least 1.').max(1440, 'At most 1440.'),
  })
  .superRefine((value, context) => {
    if (value.provisioning === 'domains' && words(value.domains).length === 0) {
      context.addIssue({ code: 'custom', path: ['domains'], message: 'Name at least one.' });
    }
  });
export type ProviderFields = z.output<typeof providerForm>;

export const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

/** Null: a new one. */
export function fieldsOf(provider: Provider | null): z.input<typeof providerForm> {
  if (provider === null) {
    return {
      kind: 'keycloak',
      name: 'keycloak',
      title: presets.keycloak.title,
      issuer: '',
      clientId: '',
      clientSecret: '',
      scopes: presets.keycloak.scopes.join(' '),
      enabled: true,
      provisioning: 'invited',
      domains: '',
      groupsClaim: presets.keycloak.groupsClaim ?? '',
      roleMappings: [],
      recheckMinutes: 10,
    };
  }
  const { kind, name, title, issuer, clientId, enabled, provisioning, roleMappings, recheckMinutes } = provider;
  return {
    kind,
    name,
    title,
    issuer,
    clientId,
    clientSecret: '',
    scopes: provider.scopes.join(' '),
    enabled,
    provisioning,
    domains: provider.domains.join(' '),
    groupsClaim: provider.groupsClaim ?? '',
    roleMappings: roleMappings.map((mapping) => ({ ...mapping })),
    recheckMinutes,
  };
}

/** An empty secret keeps the one that is stored. */
export function bodyOf(fields: ProviderFields): InputOf<'identityProvidersCreate'>['body'] {
  const { clientSecret, groupsClaim, roleMappings, domains, scopes, ...rest } = fields;
  return {
    ...rest,
    scopes: words(scopes),
    domains: words(domains),
    groupsClaim: groupsClaim === '' ? null : groupsClaim,
    roleMappings,
    ...(clientSecret === '' ? {} : { clientSecret }),
  };
}
