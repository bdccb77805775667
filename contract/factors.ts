/** Second factors, signing in with them, confirming dangerous actions, an organization's rule about them. */
import { z } from 'zod';
import { API_PREFIX, abilitySchema, idSchema, timestamp, titleSchema } from './common.ts';
import { PASSWORD_LENGTH_MAX, whoamiSchema } from './identity.ts';
import { defineRoute } from './route.ts';

const tag = 'identity';
const encoded = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, 'base64url');
/** WebAuthn credential ids have at most 1023 bytes. */
const credentialId = encoded(1400);
const extensions = z.record(z.string().max(100), z.unknown()).default({});

/** What `navigator.credentials.get()` answers, as JSON. */
export const passkeyAnswerSchema = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: encoded(4000),
    authenticatorData: encoded(4000),
    signature: encoded(8000),
    userHandle: encoded(200).nullish(),
  }),
  authenticatorAttachment: z.string().max(40).nullish(),
  clientExtensionResults: extensions,
});
export type PasskeyAnswer = z.output<typeof passkeyAnswerSchema>;

/** What `navigator.credentials.create()` answers, as JSON. */
export const passkeyRegistrationSchema = z.object({
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: encoded(4000),
    attestationObject: encoded(60_000),
    transports: z.array(z.string().max(40)).max(10).optional(),
  }),
  authenticatorAttachment: z.string().max(40).nullish(),
  clientExtensionResults: extensions,
});
export type PasskeyRegistration = z.output<typeof passkeyRegistrationSchema>;

const codeSchema = z
  .string()
  .max(20)
  .transform((text) => text.replace(/\s/g, ''))
  .pipe(z.string().regex(/^[0-9]{6}$/, 'Six digits.'));
const totpAnswer = z.strictObject({ type: z.literal('totp'), code: codeSchema });
const recoveryAnswer = z.strictObject({ type: z.literal('recovery'), code: z.string().min(1).max(60) });
const passkeyAnswer = z.strictObject({ type: z.literal('passkey'), passkey: passkeyAnswerSchema });
const passwordAnswer = z.strictObject({
  type: z.literal('password'),
  password: z.string().max(PASSWORD_LENGTH_MAX),
});

/** Options for `navigator.credentials`, in the JSON form of WebAuthn level 3. */
const passkeyOptions = z.object({ options: z.looseObject({ challenge: z.string() }) });

export const passkeySchema = z.object({
  id: idSchema('pky'),
  name: z.string(),
  synced: z.boolean().meta({ description: 'Its platform keeps copies of it on other devices of the person' }),
  createdAt: timestamp,
  lastUsedAt: timestamp.nullable(),
});

/** Recovery codes are in it only when they were made by this very call: they are shown once. */
const recoveryCodes = z.array(z.string()).nullable();

const organizationParams = z.object({ organization: idSchema('org') });
export const organizationSignInSchema = z.object({
  secondFactorRequired: z.boolean(),
  /** Members who could not enter; null for those who may not change it. */
  membersWithout: z.number().int().nullable(),
  can: z.object({ update: abilitySchema }),
});

export const factorRoutes = {
  signInFactor: defineRoute({
    id: 'session.factor',
    method: 'POST',
    path: `${API_PREFIX}/session/factor`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: 'Second step of signing in; sets the session cookie',
    description: 'Needs the short-lived cookie that the first step set. A wrong answer may be repeated a few times.',
    body: z.discriminatedUnion('type', [totpAnswer, recoveryAnswer, passkeyAnswer]),
    response: whoamiSchema,
  }),
  signInPasskeyOptions: defineRoute({
    id: 'session.passkey.options',
    method: 'POST',
    path: `${API_PREFIX}/session/passkey-options`,
    tag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'A challenge to sign in with a passkey, or to answer the second step with one',
    body: z.strictObject({ for: z.enum(['sign-in', 'factor']) }),
    response: passkeyOptions,
  }),
  signInPasskey: defineRoute({
    id: 'session.passkey',
    method: 'POST',
    path: `${API_PREFIX}/session/passkey`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: 'Sign in with a passkey alone; sets the session cookie',
    body: z.strictObject({ passkey: passkeyAnswerSchema }),
    response: whoamiSchema,
  }),
  securityGet: defineRoute({
    id: 'account.security',
    method: 'GET',
    path: `${API_PREFIX}/account/security`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Own second factors, and how a dangerous action can be confirmed',
    response: z.object({
      hasPassword: z.boolean(),
      totp: z.object({ since: timestamp }).nullable(),
      passkeys: z.array(passkeySchema),
      recoveryCodesLeft: z.number().int(),
      /** Organizations that ask for a second factor, by title. */
      requiredBy: z.array(z.string()),
      confirmWith: z.array(z.enum(['password', 'totp', 'passkey', 'recovery'])),
      confirmedUntil: timestamp.nullable(),
    }),
  }),
  confirm: defineRoute({
    id: 'account.confirm',
    method: 'POST',
    path: `${API_PREFIX}/account/confirm`,
    tag,
    access: 'self',
    rateClass: 'sign-in',
    status: 200,
    summary: 'Confirm who you are before something dangerous; holds for some minutes',
    body: z.discriminatedUnion('type', [passwordAnswer, totpAnswer, recoveryAnswer, passkeyAnswer]),
    response: z.object({ confirmedUntil: timestamp }),
  }),
  confirmPasskeyOptions: defineRoute({
    id: 'account.confirm.passkey',
    method: 'POST',
    path: `${API_PREFIX}/account/confirm/passkey-options`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'A challenge to confirm with a passkey',
    response: passkeyOptions,
  }),
  totpBegin: defineRoute({
    id: 'account.totp.begin',
    method: 'POST',
    path: `${API_PREFIX}/account/totp`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 201,
    summary: 'Begin to set up an authenticator app; counts after the first code',
    response: z.object({ secret: z.string(), uri: z.string() }),
  }),
  totpConfirm: defineRoute({
    id: 'account.totp.confirm',
    method: 'POST',
    path: `${API_PREFIX}/account/totp/confirm`,
    tag,
    access: 'self',
    rateClass: 'sign-in',
    status: 200,
    summary: 'The first code of the authenticator app; ends all other sessions',
    body: z.strictObject({ code: codeSchema }),
    response: z.object({ recoveryCodes }),
  }),
  totpRemove: defineRoute({
    id: 'account.totp.remove',
    method: 'DELETE',
    path: `${API_PREFIX}/account/totp`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Forget the authenticator app',
  }),
  recoveryCodesCreate: defineRoute({
    id: 'account.recovery-codes.create',
    method: 'POST',
    path: `${API_PREFIX}/account/recovery-codes`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 201,
    summary: 'New recovery codes, shown this once; the old ones stop working',
    response: z.object({ recoveryCodes: z.array(z.string()) }),
  }),
  passkeyOptions: defineRoute({
    id: 'account.passkeys.options',
    method: 'POST',
    path: `${API_PREFIX}/account/passkeys/options`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'A challenge to add a passkey',
    response: passkeyOptions,
  }),
  passkeysCreate: defineRoute({
    id: 'account.passkeys.create',
    method: 'POST',
    path: `${API_PREFIX}/account/passkeys`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 201,
    summary: 'Add a passkey',
    body: z.strictObject({ name: titleSchema, passkey: passkeyRegistrationSchema }),
    response: z.object({ passkey: passkeySchema, recoveryCodes }),
  }),
  passkeysUpdate: defineRoute({
    id: 'account.passkeys.update',
    method: 'PATCH',
    path: `${API_PREFIX}/account/passkeys/:passkey`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Rename a passkey',
    params: z.object({ passkey: idSchema('pky') }),
    body: z.strictObject({ name: titleSchema }),
    response: passkeySchema,
  }),
  passkeysDelete: defineRoute({
    id: 'account.passkeys.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/account/passkeys/:passkey`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Remove a passkey',
    params: z.object({ passkey: idSchema('pky') }),
  }),
  organizationSignInGet: defineRoute({
    id: 'organizations.sign-in.get',
    method: 'GET',
    path: `${API_PREFIX}/organizations/:organization/sign-in`,
    tag: 'organizations',
    access: 'organization.read',
    rateClass: 'api',
    status: 200,
    summary: 'What an organization asks of its members when they sign in',
    params: organizationParams,
    response: organizationSignInSchema,
  }),
  organizationSignInUpdate: defineRoute({
    id: 'organizations.sign-in.update',
    method: 'PATCH',
    path: `${API_PREFIX}/organizations/:organization/sign-in`,
    tag: 'organizations',
    access: 'organization.update',
    rateClass: 'api',
    status: 200,
    summary: 'Ask every member for a second factor, or no longer',
    params: organizationParams,
    body: z.strictObject({ secondFactorRequired: z.boolean() }),
    response: organizationSignInSchema,
  }),
  memberFactorsReset: defineRoute({
    id: 'members.factors.reset',
    method: 'DELETE',
    path: `${API_PREFIX}/organizations/:organization/members/:user/factors`,
    tag: 'organizations',
    access: 'member.factors',
    rateClass: 'api',
    status: 204,
    summary: 'Remove all second factors of a member who lost them; ends their sessions',
    description:
      'Only for people who belong to no other organization: for others, and for platform administrators, a platform administrator does it.',
    params: organizationParams.extend({ user: idSchema('usr') }),
  }),
  factorsReset: defineRoute({
    id: 'platform.users.factors.reset',
    method: 'DELETE',
    path: `${API_PREFIX}/platform/users/:user/factors`,
    tag: 'platform',
    access: 'platform.user.factors',
    rateClass: 'api',
    status: 204,
    summary: 'Remove all second factors of somebody who lost them; ends their sessions',
    params: z.object({ user: idSchema('usr') }),
  }),
} as const;
