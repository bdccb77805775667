/** Registration: open sign-up, registration codes, and the link that makes an account. */
import { z } from 'zod';
import { workingRoles } from '#domain/authz.ts';
import { API_PREFIX, idSchema, timestamp, titleSchema } from './common.ts';
import { emailSchema, passwordSchema, whoamiSchema } from './identity.ts';
import { defineRoute } from './route.ts';

export const CODE_USES_MAX = 10_000;
export const CODE_DAYS_MAX = 365;

export const registrationSettingsSchema = z.object({
  open: z.boolean().meta({ description: 'True: anybody may register; false: only with a code' }),
  ownOrganization: z
    .boolean()
    .meta({ description: 'True: whoever registers and joins nothing by their code gets an organization of their own' }),
});

export const registrationCodeSchema = z.object({
  id: idSchema('rgc'),
  prefix: z.string().meta({ description: 'First characters, to recognise it' }),
  note: z.string(),
  joins: z
    .object({
      organization: z.object({ id: idSchema('org'), name: z.string(), title: z.string() }),
      role: z.enum(workingRoles),
    })
    .nullable(),
  uses: z.number().int(),
  usesMax: z.number().int(),
  createdBy: z.string(),
  createdAt: timestamp,
  expiresAt: timestamp,
  state: z.enum(['open', 'used', 'expired', 'revoked']),
});

const tag = 'registration';
const secret = z.object({ secret: z.string().min(20).max(100) });
const codeText = z.string().trim().min(4).max(64);

export const registrationRoutes = {
  registrationState: defineRoute({
    id: 'registration.state',
    method: 'GET',
    path: `${API_PREFIX}/registration`,
    tag,
    access: 'public',
    rateClass: 'api',
    status: 200,
    summary: 'Whether people may register, and whether they need a code',
    response: z.object({ open: z.boolean() }),
  }),
  registrationCreate: defineRoute({
    id: 'registration.create',
    method: 'POST',
    path: `${API_PREFIX}/registration`,
    tag,
    access: 'public',
    rateClass: 'mail',
    status: 204,
    summary: 'Ask for an account: a link goes to the address; the answer is the same for every address',
    body: z.strictObject({ email: emailSchema, code: codeText.optional() }),
  }),
  registrationRead: defineRoute({
    id: 'registration.read',
    method: 'GET',
    path: `${API_PREFIX}/registration/:secret`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 200,
    summary: 'What a registration link is for',
    params: secret,
    response: z.object({ email: z.string(), joins: z.string().nullable(), expiresAt: timestamp }),
  }),
  registrationComplete: defineRoute({
    id: 'registration.complete',
    method: 'POST',
    path: `${API_PREFIX}/registration/:secret`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 201,
    summary: 'Create the account with the link; signs in',
    params: secret,
    body: z.strictObject({ name: titleSchema, password: passwordSchema }),
    response: whoamiSchema,
  }),
  registrationSettingsGet: defineRoute({
    id: 'platform.registration.get',
    method: 'GET',
    path: `${API_PREFIX}/platform/registration`,
    tag,
    access: 'platform.registration.read',
    rateClass: 'api',
    status: 200,
    summary: 'Who may register',
    response: registrationSettingsSchema,
  }),
  registrationSettingsUpdate: defineRoute({
    id: 'platform.registration.update',
    method: 'PATCH',
    path: `${API_PREFIX}/platform/registration`,
    tag,
    access: 'platform.registration.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change who may register',
    body: registrationSettingsSchema.partial().strict(),
    response: registrationSettingsSchema,
  }),
  registrationCodesList: defineRoute({
    id: 'platform.registration.codes.list',
    method: 'GET',
    path: `${API_PREFIX}/platform/registration/codes`,
    tag,
    access: 'platform.registration.read',
    rateClass: 'api',
    status: 200,
    summary: 'Registration codes, newest first',
    response: z.object({ items: z.array(registrationCodeSchema) }),
  }),
  registrationCodesCreate: defineRoute({
    id: 'platform.registration.codes.create',
    method: 'POST',
    path: `${API_PREFIX}/platform/registration/codes`,
    tag,
    access: 'platform.registration.update',
    rateClass: 'api',
    status: 201,
    summary: 'Make a registration code; it is shown this once',
    body: z.strictObject({
      note: titleSchema,
      usesMax: z.number().int().min(1).max(CODE_USES_MAX).default(1),
      expiresInDays: z.number().int().min(1).max(CODE_DAYS_MAX).default(7),
      joins: z
        .strictObject({ organization: idSchema('org'), role: z.enum(workingRoles) })
        .nullable()
        .default(null)
        .meta({ description: 'An organization to which the caller may invite' }),
    }),
    response: registrationCodeSchema.extend({ code: z.string(), link: z.string() }),
  }),
  registrationCodesRevoke: defineRoute({
    id: 'platform.registration.codes.revoke',
    method: 'DELETE',
    path: `${API_PREFIX}/platform/registration/codes/:code`,
    tag,
    access: 'platform.registration.update',
    rateClass: 'api',
    status: 204,
    summary: 'Withdraw a registration code; accounts made with it stay',
    params: z.object({ code: idSchema('rgc') }),
  }),
} as const;
