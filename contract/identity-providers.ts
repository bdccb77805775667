/** Signing in with identity providers, linking them to the own account, setting them up. */
import { z } from 'zod';
import {
  PROVIDER_DOMAINS_MAX,
  providerKinds,
  provisionings,
  RECHECK_MINUTES,
  ROLE_MAPPINGS_MAX,
} from '#domain/identity-providers.ts';
import { API_PREFIX, abilitySchema, idSchema, timestamp, titleSchema } from './common.ts';
import { roleSchema, signInStepSchema } from './identity.ts';
import { defineRoute } from './route.ts';

const identityTag = 'identity';
const tag = 'identity-providers';

/** Part of the address that providers send browsers back to. */
const providerNameSchema = z
  .string()
  .regex(/^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'Lower-case letters, digits and hyphens; starts with a letter.');
const line = (max: number) => z.string().trim().min(1).max(max);
const domainSchema = z
  .string()
  .trim()
  .toLowerCase()
  .max(253)
  .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/, 'A domain such as example.com.');
const mappingSchema = z.strictObject({
  value: line(500).meta({ description: 'A group as the claim says it; * is whoever signs in' }),
  organization: idSchema('org'),
  role: roleSchema,
});

const changeable = {
  title: titleSchema.optional(),
  issuer: line(500).optional(),
  clientId: line(300),
  clientSecret: line(1000).nullable().optional().meta({ description: 'Null: a public client. Never answered.' }),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'A scope.'))
    .min(1)
    .max(30)
    .optional(),
  enabled: z.boolean().optional(),
  provisioning: z.enum(provisionings).optional(),
  domains: z.array(domainSchema).max(PROVIDER_DOMAINS_MAX).optional().meta({
    description: 'When not empty, addresses of other domains are not believed to be verified',
  }),
  groupsClaim: line(200).nullable().optional(),
  roleMappings: z.array(mappingSchema).max(ROLE_MAPPINGS_MAX).optional(),
};
const recheckMinutes = z.number().int().min(1).max(1440);

export const identityProviderSchema = z.object({
  id: idSchema('idp'),
  name: z.string(),
  kind: z.enum(providerKinds),
  title: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  hasSecret: z.boolean(),
  scopes: z.array(z.string()),
  enabled: z.boolean(),
  provisioning: z.enum(provisionings),
  domains: z.array(z.string()),
  groupsClaim: z.string().nullable(),
  roleMappings: z.array(z.object({ value: z.string(), organization: idSchema('org'), role: roleSchema })),
  recheckMinutes: z.number().int(),
  createdAt: timestamp,
  people: z.number().int().meta({ description: 'Accounts that are linked to it' }),
  redirectUri: z.string().meta({ description: 'To be registered at the provider' }),
  logoutUri: z.string().nullable().meta({ description: 'For back-channel logout; null: it knows none' }),
});

const awaySchema = z.object({ url: z.string().meta({ description: 'Where to send the browser' }) });
const providerParams = z.object({ provider: idSchema('idp') });

export const identityProviderRoutes = {
  signInProviders: defineRoute({
    id: 'session.providers',
    method: 'GET',
    path: `${API_PREFIX}/session/providers`,
    tag: identityTag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Identity providers to sign in with',
    response: z.object({
      items: z.array(z.object({ name: z.string(), title: z.string(), kind: z.enum(providerKinds) })),
    }),
  }),
  signInOutside: defineRoute({
    id: 'session.outside',
    method: 'POST',
    path: `${API_PREFIX}/session/outside`,
    tag: identityTag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Begin to sign in with an identity provider; sets a cookie that ties the sign-in to this browser',
    body: z.strictObject({ provider: providerNameSchema, return: z.string().max(2000).optional() }),
    response: awaySchema,
  }),
  signInOutsideFinish: defineRoute({
    id: 'session.outside.finish',
    method: 'POST',
    path: `${API_PREFIX}/session/outside/finish`,
    tag: identityTag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: 'Back from the identity provider: sign in, or link the identity to the own account',
    description: 'Takes the whole query that the provider added to the address. Works once, in the browser that began.',
    body: z.strictObject({ provider: providerNameSchema, query: z.string().min(1).max(8000) }),
    response: z.object({
      return: z.string().nullable(),
      step: z.discriminatedUnion('next', [...signInStepSchema.options, z.object({ next: z.literal('linked') })]),
    }),
  }),
  identitiesList: defineRoute({
    id: 'account.identities.list',
    method: 'GET',
    path: `${API_PREFIX}/account/identities`,
    tag: identityTag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Identities outside that sign in to the own account',
    response: z.object({
      items: z.array(
        z.object({
          id: idSchema('lid'),
          provider: z.object({ name: z.string(), title: z.string() }),
          subject: z.string(),
          email: z.string().nullable(),
          createdAt: timestamp,
          lastUsedAt: timestamp,
          can: z.object({ unlink: abilitySchema }),
        }),
      ),
    }),
  }),
  identitiesLink: defineRoute({
    id: 'account.identities.link',
    method: 'POST',
    path: `${API_PREFIX}/account/identities`,
    tag: identityTag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Begin to link an identity to the own account',
    body: z.strictObject({ provider: providerNameSchema }),
    response: awaySchema,
  }),
  identitiesUnlink: defineRoute({
    id: 'account.identities.unlink',
    method: 'DELETE',
    path: `${API_PREFIX}/account/identities/:identity`,
    tag: identityTag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Unlink an identity; never the last way in',
    params: z.object({ identity: idSchema('lid') }),
  }),
  identityProvidersList: defineRoute({
    id: 'identity-providers.list',
    method: 'GET',
    path: `${API_PREFIX}/identity-providers`,
    tag,
    access: 'platform.provider.read',
    rateClass: 'api',
    status: 200,
    summary: 'Identity providers as they are set up',
    response: z.object({ items: z.array(identityProviderSchema) }),
  }),
  identityProvidersCreate: defineRoute({
    id: 'identity-providers.create',
    method: 'POST',
    path: `${API_PREFIX}/identity-providers`,
    tag,
    access: 'platform.provider.update',
    rateClass: 'api',
    status: 201,
    summary: 'Set up an identity provider',
    description: 'What is left out comes from the preset of its kind.',
    body: z.strictObject({
      name: providerNameSchema,
      kind: z.enum(providerKinds),
      ...changeable,
      recheckMinutes: recheckMinutes.default(RECHECK_MINUTES),
    }),
    response: identityProviderSchema,
  }),
  identityProvidersUpdate: defineRoute({
    id: 'identity-providers.update',
    method: 'PATCH',
    path: `${API_PREFIX}/identity-providers/:provider`,
    tag,
    access: 'platform.provider.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change an identity provider; switching it off ends the sessions that began there',
    params: providerParams,
    body: z.strictObject({
      ...changeable,
      clientId: changeable.clientId.optional(),
      recheckMinutes: recheckMinutes.optional(),
    }),
    response: identityProviderSchema,
  }),
  identityProvidersDelete: defineRoute({
    id: 'identity-providers.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/identity-providers/:provider`,
    tag,
    access: 'platform.provider.update',
    rateClass: 'api',
    status: 204,
    summary: 'Remove an identity provider with its links, its sessions and the roles it gave',
    params: providerParams,
  }),
  identityProvidersTest: defineRoute({
    id: 'identity-providers.test',
    method: 'POST',
    path: `${API_PREFIX}/identity-providers/:provider/test`,
    tag,
    access: 'platform.provider.update',
    rateClass: 'api',
    status: 200,
    summary: 'Ask an identity provider what a sign-in would ask',
    params: providerParams,
    response: z.object({ issuer: z.string(), authorizationEndpoint: z.string(), logout: z.boolean() }),
  }),
  identityProvidersLogout: defineRoute({
    id: 'identity-providers.logout',
    method: 'POST',
    path: `${API_PREFIX}/identity-providers/:name/logout`,
    tag,
    access: 'public',
    rateClass: 'api',
    consumes: 'form',
    status: 200,
    summary: 'OpenID Connect Back-Channel Logout 1.0: the provider says that somebody signed out there',
    params: z.object({ name: providerNameSchema }),
    body: z.strictObject({ logout_token: z.string().min(1).max(20_000) }),
    response: z.object({}),
  }),
} as const;
