/** The own account: profile, picture, change of address, forgotten password, deletion. */
import { z } from 'zod';
import { languages, PICTURE_BYTES_MAX, themes } from '#domain/profiles.ts';
import { API_PREFIX, idSchema, timestamp, titleSchema } from './common.ts';
import { emailSchema, passwordSchema, preferencesSchema, roleSchema, userSchema } from './identity.ts';
import { defineRoute } from './route.ts';

const languageSchema = z.enum(Object.keys(languages) as [keyof typeof languages, ...(keyof typeof languages)[]]);
const secret = z.string().min(20).max(100);

/** A change of address under way. */
export const emailChangeSchema = z.object({
  email: z.string(),
  oldConfirmed: z.boolean(),
  newConfirmed: z.boolean(),
  expiresAt: timestamp,
});

export const accountSchema = z.object({
  user: userSchema,
  preferences: preferencesSchema,
  emailVerified: z.boolean().meta({ description: 'False: nobody has shown yet that the address is yours' }),
  emailChange: emailChangeSchema.nullable(),
});

/** What becomes of everything when an account is deleted. */
export const deletionSchema = z.object({
  can: z.union([z.literal(true), z.string()]),
  organizations: z.array(
    z.object({
      id: idSchema('org'),
      name: z.string(),
      title: z.string(),
      role: roleSchema,
      /** True: the last owner. It needs a new one, or has to be deleted first. */
      needsOwner: z.boolean(),
      /** Who could become the owner. */
      successors: z.array(z.object({ id: idSchema('usr'), email: z.string(), name: z.string() })),
      instances: z.number().int().meta({ description: 'Made by this person; they stay with the organization' }),
    }),
  ),
  sessions: z.number().int(),
  tokens: z.number().int(),
});

export const handOverSchema = z
  .array(z.strictObject({ organization: idSchema('org'), to: idSchema('usr') }))
  .max(500)
  .default([]);

const tag = 'identity';

export const accountRoutes = {
  accountGet: defineRoute({
    id: 'account.get',
    method: 'GET',
    path: `${API_PREFIX}/account`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'The own account',
    response: accountSchema,
  }),
  accountUpdate: defineRoute({
    id: 'account.update',
    method: 'PATCH',
    path: `${API_PREFIX}/account`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Change the own profile',
    body: z.strictObject({
      name: titleSchema.optional(),
      language: languageSchema.optional(),
      timeZone: z.string().min(1).max(64).nullable().optional(),
      theme: z.enum(themes).optional(),
    }),
    response: accountSchema,
  }),
  avatarUpdate: defineRoute({
    id: 'account.avatar.update',
    method: 'PUT',
    path: `${API_PREFIX}/account/avatar`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Set the own picture: PNG, JPEG or WebP',
    description: `At most ${PICTURE_BYTES_MAX / 1024} KiB. What it is is read from its bytes.`,
    body: z.strictObject({
      image: z
        .base64()
        .min(4)
        .max(Math.ceil(PICTURE_BYTES_MAX / 3) * 4)
        .meta({ description: 'The file in base64' }),
    }),
    response: accountSchema,
  }),
  avatarDelete: defineRoute({
    id: 'account.avatar.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/account/avatar`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Remove the own picture',
  }),
  avatarGet: defineRoute({
    id: 'users.avatar',
    method: 'GET',
    path: `${API_PREFIX}/users/:user/avatar`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'Picture of somebody who shares an organization with the caller',
    params: z.object({ user: idSchema('usr') }),
    query: z.object({ v: z.string().max(64).optional().meta({ description: 'Version, for caches' }) }),
    produces: 'image',
  }),
  emailChangeCreate: defineRoute({
    id: 'account.email.change',
    method: 'POST',
    path: `${API_PREFIX}/account/email`,
    tag,
    access: 'self',
    rateClass: 'mail',
    status: 201,
    summary: 'Begin a change of the own e-mail address: a link goes to both addresses',
    body: z.strictObject({ email: emailSchema }),
    response: emailChangeSchema,
  }),
  emailChangeDelete: defineRoute({
    id: 'account.email.cancel',
    method: 'DELETE',
    path: `${API_PREFIX}/account/email`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 204,
    summary: 'Drop a change of address that is under way',
  }),
  emailChangeConfirm: defineRoute({
    id: 'account.email.confirm',
    method: 'POST',
    path: `${API_PREFIX}/account/email/confirm`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 200,
    summary: 'Confirm a change of address with the link of one of the two mails',
    body: z.strictObject({ token: secret }),
    response: z.object({
      done: z.boolean().meta({ description: 'False: the other address has to confirm as well' }),
      confirmed: z.enum(['old', 'new']),
    }),
  }),
  passwordForgotten: defineRoute({
    id: 'password-reset.create',
    method: 'POST',
    path: `${API_PREFIX}/password-reset`,
    tag,
    access: 'public',
    rateClass: 'mail',
    status: 204,
    summary: 'Ask for a link that sets a new password; the answer is the same for every address',
    body: z.strictObject({ email: emailSchema }),
  }),
  passwordReset: defineRoute({
    id: 'password-reset.complete',
    method: 'POST',
    path: `${API_PREFIX}/password-reset/complete`,
    tag,
    access: 'public',
    rateClass: 'sign-in',
    status: 204,
    summary: 'Set a new password with the link; ends all sessions, signs nobody in',
    body: z.strictObject({ token: secret, password: passwordSchema }),
  }),
  deletionGet: defineRoute({
    id: 'account.deletion',
    method: 'GET',
    path: `${API_PREFIX}/account/deletion`,
    tag,
    access: 'self',
    rateClass: 'api',
    status: 200,
    summary: 'What deleting the own account would mean',
    response: deletionSchema,
  }),
  accountDelete: defineRoute({
    id: 'account.delete',
    method: 'POST',
    path: `${API_PREFIX}/account/delete`,
    tag,
    access: 'self',
    rateClass: 'sign-in',
    status: 204,
    summary: 'Delete the own account; organizations without another owner are handed over in the same step',
    body: z.strictObject({ email: emailSchema, handOver: handOverSchema }),
  }),
} as const;
