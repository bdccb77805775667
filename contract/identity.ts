/** Set-up, sign-in, the account, tokens and invitations. */
import { z } from 'zod';
import { roles } from '#domain/authz.ts';
import { factorKinds } from '#domain/factors.ts';
import { themes } from '#domain/profiles.ts';
import { API_PREFIX, idSchema, nameSchema, pageOf, pageQuery, timestamp, titleSchema } from './common.ts';
import { scopesSchema } from './oauth.ts';
import { defineRoute } from './route.ts';

export const PASSWORD_LENGTH_MIN = 10;
export const PASSWORD_LENGTH_MAX = 200;

export const passwordSchema = z.string().min(PASSWORD_LENGTH_MIN).max(PASSWORD_LENGTH_MAX);
export const emailSchema = z
  .email()
  .max(254)
  .transform((value) => value.toLowerCase());
export const roleSchema = z.enum(roles);

export const membershipSchema = z.object({
  organization: z.object({ id: idSchema('org'), name: z.string(), title: z.string() }),
  /** The highest held in the whole organization: own, by groups, by an entry. */
  role: roleSchema,
  /** True: the organization asks for a second factor and you have none. Set one up to enter. */
  needsSecondFactor: z.boolean(),
  entry: z
    .object({ id: idSchema('ent'), reason: z.string(), expiresAt: timestamp })
    .nullable()
    .meta({ description: 'Not a membership, or more than one: entered as an administrator of the installation' }),
});

export const userSchema = z.object({
  id: idSchema('usr'),
  email: z.string(),
  name: z.string(),
  platformAdmin: z.boolean(),
  createdAt: timestamp,
});

/** How somebody wants things shown to them. */
export const preferencesSchema = z.object({
  language: z.string().meta({ description: 'BCP 47: dates and numbers are written this way' }),
  timeZone: z.string().nullable().meta({ description: 'IANA name; null: that of the browser' }),
  theme: z.enum(themes),
  avatar: z.string().nullable().meta({ description: 'Address of the picture; changes with it' }),
});

/** The signed-in person, what they belong to and their projects. */
export const whoamiSchema = z.object({
  user: userSchema,
  preferences: preferencesSchema,
  via: z.enum(['session', 'token']),
  /** What the token in use may do at most; null: whatever the person may. */
  scopes: z.array(z.string()).nullable(),
  expiresAt: timestamp.nullable(),
  memberships: z.array(membershipSchema),
  projects: z.array(
    z.object({
      id: idSchema('prj'),
      name: z.string(),
      title: z.string(),
      organization: idSchema('org'),
      role: roleSchema.meta({ description: 'The highest held there; guest: only single apps are granted' }),
    }),
  ),
});

/** After the first step of signing in: done, or a second factor is needed before there is a session. */
export const signInStepSchema = z.discriminatedUnion('next', [
  whoamiSchema.extend({ next: z.literal('done') }),
  z.object({ next: z.literal('factor'), factors: z.array(z.enum(factorKinds)), expiresAt: timestamp }),
]);

export const sessionSchema = z.object({
  id: idSchema('ses'),
  createdAt: timestamp,
  lastSeenAt: timestamp,
  expiresAt: timestamp,
  /** A browser, or a program that was signed in with a code. */
  kind: z.enum(['browser', 'client']),
  /** Such as 'Firefox on Linux', or the name of the program. */
  device: z.string(),
  scopes: z.array(z.string()).nullable(),
  address: z.string(),
  userAgent: z.string(),
  current: z.boolean(),
});

export const tokenSchema = z.object({
  id: idSchema('tok'),
  name: z.string(),
  scopes: z.array(z.string()).nullable().meta({ description: 'Null: whatever its person may do' }),
  prefix: z.string().meta({ description: 'First characters, to recognise it' }),
  createdAt: timestamp,
  expiresAt: timestamp.nullable(),
  lastUsedAt: timestamp.nullable(),
  lastUsedAddress: z.string().nullable(),
});

export const invitationSchema = z.object({
  id: idSchema('inv'),
  email: z.string(),
  role: roleSchema,
  invitedBy: z.string(),
  createdAt: timestamp,
  expiresAt: timestamp,
  acceptedAt: timestamp.nullable(),
});

export const memberSchema = z.object({
  user: z.object({
    id: idSchema('usr'),
    email: z.string(),
    name: z.string(),
    avatar: z.string().nullable().meta({ description: 'Address of the picture; changes with it' }),
  }),
  role: roleSchema,
  joinedAt: timestamp,
  secondFactor: z.boolean().nullable().meta({ description: 'Null for those who may not reset second factors' }),
  can: z.object({
    update: z.union([z.literal(true), z.string()]),
    remove: z.union([z.literal(true), z.string()]),
    resetFactors: z.union([z.literal(true), z.string()]),
  }),
});

const tag = 'identity';
const organizationParams = z.object({ organization: idSchema('org') });

export const identityRoutes = {
  setupState: defineRoute({
    id: 'setup.state',
    method: 'GET',
    path: `${API_PREFIX}/setup`,
    tag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Whether this installation still waits for its owner',
    response: z.object({ needed: z.boolean(), version: z.string(), domain: z.string() }),
  }),
  setup: defineRoute({
    id: 'setup.complete',
    method: 'POST',
    path: `${API_PREFIX}/setup`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: 'Create the owner with the one-time set-up code; signs in',
    body: z.strictObject({
      code: z.string().trim().min(6).max(64),
      email: emailSchema,
      name: titleSchema,
      password: passwordSchema,
      organization: z.strictObject({ name: nameSchema, title: titleSchema }).optional(),
    }),
    response: whoamiSchema,
  }),
  signIn: defineRoute({
    id: 'session.create',
    method: 'POST',
    path: `${API_PREFIX}/session`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: 'Sign in with e-mail and password; sets the session cookie',
    description: 'Who has a second factor gets no session yet but a short-lived cookie for the second step.',
    body: z.strictObject({ email: emailSchema, password: z.string().max(PASSWORD_LENGTH_MAX) }),
    response: signInStepSchema,
  }),
  whoami: defineRoute({
    id: 'session.get',
    method: 'GET',
    path: `${API_PREFIX}/session`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Who is calling',
    anyScopes: true,
    response: whoamiSchema,
  }),
  signOut: defineRoute({
    id: 'session.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/session`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Sign out',
    anyScopes: true,
  }),
  accountPassword: defineRoute({
    id: 'account.password',
    method: 'POST',
    path: `${API_PREFIX}/account/password`,
    tag,
    access: 'self',
    rateClass: 'sign-in',
    status: 204,
    summary: 'Change the own password; ends all other sessions',
    body: z.strictObject({ current: z.string().max(PASSWORD_LENGTH_MAX), password: passwordSchema }),
  }),
  sessionsList: defineRoute({
    id: 'account.sessions.list',
    method: 'GET',
    path: `${API_PREFIX}/account/sessions`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Own sessions',
    response: z.object({ items: z.array(sessionSchema) }),
  }),
  sessionsRevoke: defineRoute({
    id: 'account.sessions.revoke',
    method: 'DELETE',
    path: `${API_PREFIX}/account/sessions/:session`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'End one of the own sessions',
    params: z.object({ session: idSchema('ses') }),
  }),
  sessionsRevokeOthers: defineRoute({
    id: 'account.sessions.revokeOthers',
    method: 'DELETE',
    path: `${API_PREFIX}/account/sessions`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'End all own sessions but the one that calls',
  }),
  tokensList: defineRoute({
    id: 'account.tokens.list',
    method: 'GET',
    path: `${API_PREFIX}/account/tokens`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Own API tokens',
    response: z.object({ items: z.array(tokenSchema) }),
  }),
  tokensCreate: defineRoute({
    id: 'account.tokens.create',
    method: 'POST',
    path: `${API_PREFIX}/account/tokens`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 201,
    summary: 'Create an API token; the secret is shown this once',
    body: z.strictObject({
      name: titleSchema,
      expiresInDays: z.number().int().min(1).max(3650).nullable().default(90),
      scopes: scopesSchema.default(null),
    }),
    response: tokenSchema.extend({ secret: z.string() }),
  }),
  tokensRevoke: defineRoute({
    id: 'account.tokens.revoke',
    method: 'DELETE',
    path: `${API_PREFIX}/account/tokens/:token`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Revoke one of the own API tokens',
    params: z.object({ token: idSchema('tok') }),
  }),
  membersList: defineRoute({
    id: 'members.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/members`,
    tag: 'organizations',
    access: 'member.read',
    rateClass: 'api',
    status: 200,
    summary: 'Members of an organization',
    params: organizationParams,
    query: z.object({ ...pageQuery, search: z.string().trim().min(1).max(100).optional() }),
    response: pageOf(memberSchema),
  }),
  membersUpdate: defineRoute({
    id: 'members.update',
    method: 'PATCH',
    path: `${API_PREFIX}/organizations/:organization/members/:user`,
    tag: 'organizations',
    access: 'member.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change a role',
    params: organizationParams.extend({ user: idSchema('usr') }),
    body: z.strictObject({ role: roleSchema }),
    response: memberSchema,
  }),
  membersRemove: defineRoute({
    id: 'members.remove',
    method: 'DELETE',
    path: `${API_PREFIX}/organizations/:organization/members/:user`,
    tag: 'organizations',
    access: 'member.remove',
    rateClass: 'api',
    status: 204,
    summary: 'Remove a member',
    params: organizationParams.extend({ user: idSchema('usr') }),
  }),
  invitationsList: defineRoute({
    id: 'invitations.list',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/invitations`,
    tag: 'organizations',
    access: 'member.invite',
    rateClass: 'api',
    status: 200,
    summary: 'Open invitations',
    params: organizationParams,
    response: z.object({ items: z.array(invitationSchema) }),
  }),
  invitationsCreate: defineRoute({
    id: 'invitations.create',
    method: 'POST',
    path: `${API_PREFIX}/organizations/:organization/invitations`,
    tag: 'organizations',
    access: 'member.invite',
    rateClass: 'api',
    status: 201,
    summary: 'Invite somebody by e-mail; without a mail server the link is answered, this once',
    params: organizationParams,
    body: z.strictObject({ email: emailSchema, role: roleSchema }),
    response: invitationSchema.extend({
      link: z.string().nullable().meta({ description: 'Null: it was sent by e-mail, and only there it is' }),
    }),
  }),
  invitationsRevoke: defineRoute({
    id: 'invitations.revoke',
    method: 'DELETE',
    path: `${API_PREFIX}/organizations/:organization/invitations/:invitation`,
    tag: 'organizations',
    access: 'member.invite',
    rateClass: 'api',
    status: 204,
    summary: 'Withdraw an invitation',
    params: organizationParams.extend({ invitation: idSchema('inv') }),
  }),
  invitationRead: defineRoute({
    id: 'invitation.read',
    method: 'GET',
    path: `${API_PREFIX}/invitations/:secret`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 200,
    summary: 'What an invitation link is for',
    params: z.object({ secret: z.string().min(20).max(100) }),
    response: z.object({
      email: z.string(),
      role: roleSchema,
      organization: z.string(),
      invitedBy: z.string(),
      expiresAt: timestamp,
      accountExists: z.boolean(),
    }),
  }),
  invitationAccept: defineRoute({
    id: 'invitation.accept',
    method: 'POST',
    path: `${API_PREFIX}/invitations/:secret/accept`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: "Accept an invitation: creates the account, or joins with the existing account's password; signs in",
    params: z.object({ secret: z.string().min(20).max(100) }),
    body: z.strictObject({ name: titleSchema.optional(), password: z.string().max(PASSWORD_LENGTH_MAX) }),
    response: whoamiSchema,
  }),
} as const;
