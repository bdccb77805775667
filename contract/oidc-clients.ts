/** Apps that sign people in with Berth (OpenID Connect): the clients, and the question before a stranger's app. */
import { z } from 'zod';
import { oidcAuthMethods, REDIRECT_URIS_MAX } from '#domain/identity-providers.ts';
import { API_PREFIX, idSchema, timestamp, titleSchema } from './common.ts';
import { defineRoute } from './route.ts';

const tag = 'oidc-clients';

const redirectUris = z
  .array(z.string().min(1).max(2000))
  .min(1)
  .max(REDIRECT_URIS_MAX)
  .meta({ description: 'Compared letter by letter' });
const place = {
  organization: idSchema('org').nullable().meta({ description: 'Whose app it is; null: open to every account' }),
  app: idSchema('ins')
    .nullable()
    .meta({ description: 'Needs a grant or a role that opens this instance; null: every member but guests' }),
};

export const oidcClientSchema = z.object({
  id: idSchema('ocl').meta({ description: 'The client id' }),
  title: z.string(),
  issuer: z.string().meta({ description: 'What the app has to be told, beside client id and secret' }),
  organization: idSchema('org').nullable(),
  app: z.string().nullable(),
  authMethod: z.enum(oidcAuthMethods),
  redirectUris: z.array(z.string()),
  firstParty: z.boolean().meta({ description: 'Nobody is asked whether it may know who they are' }),
  createdAt: timestamp,
});

const clientParams = z.object({ client: idSchema('ocl') });
const questionParams = z.object({ interaction: z.string().regex(/^[A-Za-z0-9_-]{10,100}$/) });

export const oidcClientRoutes = {
  oidcClientsList: defineRoute({
    id: 'oidc-clients.list',
    method: 'GET',
    path: `${API_PREFIX}/oidc-clients`,
    tag,
    access: 'platform.client.read',
    rateClass: 'api',
    status: 200,
    summary: 'Apps that sign people in with Berth',
    response: z.object({ items: z.array(oidcClientSchema) }),
  }),
  oidcClientsCreate: defineRoute({
    id: 'oidc-clients.create',
    method: 'POST',
    path: `${API_PREFIX}/oidc-clients`,
    tag,
    access: 'platform.client.update',
    rateClass: 'api',
    status: 201,
    summary: 'Register an app; the secret is shown this once',
    body: z.strictObject({
      title: titleSchema,
      redirectUris,
      authMethod: z.enum(oidcAuthMethods).default('client_secret_basic'),
      firstParty: z.boolean().default(true),
      organization: place.organization.default(null),
      app: place.app.default(null),
    }),
    response: oidcClientSchema.extend({ secret: z.string().nullable() }),
  }),
  oidcClientsUpdate: defineRoute({
    id: 'oidc-clients.update',
    method: 'PATCH',
    path: `${API_PREFIX}/oidc-clients/:client`,
    tag,
    access: 'platform.client.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change an app',
    params: clientParams,
    body: z.strictObject({
      title: titleSchema.optional(),
      redirectUris: redirectUris.optional(),
      firstParty: z.boolean().optional(),
      organization: place.organization.optional(),
      app: place.app.optional(),
    }),
    response: oidcClientSchema,
  }),
  oidcClientsSecret: defineRoute({
    id: 'oidc-clients.secret',
    method: 'POST',
    path: `${API_PREFIX}/oidc-clients/:client/secret`,
    tag,
    access: 'platform.client.update',
    rateClass: 'api',
    status: 201,
    summary: 'A new secret, shown this once; the old one ends now',
    params: clientParams,
    response: oidcClientSchema.extend({ secret: z.string() }),
  }),
  oidcClientsDelete: defineRoute({
    id: 'oidc-clients.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/oidc-clients/:client`,
    tag,
    access: 'platform.client.update',
    rateClass: 'api',
    status: 204,
    summary: 'Remove an app; what it was given ends',
    params: clientParams,
  }),
  oidcQuestionGet: defineRoute({
    id: 'oidc.question.get',
    method: 'GET',
    path: `${API_PREFIX}/oidc/questions/:interaction`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'What an app that is not our own wants to know',
    params: questionParams,
    response: z.object({ app: z.string(), origin: z.string(), scopes: z.array(z.string()) }),
  }),
  oidcQuestionAnswer: defineRoute({
    id: 'oidc.question.answer',
    method: 'POST',
    path: `${API_PREFIX}/oidc/questions/:interaction`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Let the app know, or do not',
    params: questionParams,
    body: z.strictObject({ allow: z.boolean() }),
    response: z.object({ url: z.string().meta({ description: 'Where to send the browser' }) }),
  }),
} as const;
