/** A new password, typed twice. */
import type { UseFormRegister } from 'react-hook-form';
import { z } from 'zod';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import { Field, Input } from '../ui/input.tsx';

/** As long as a password has to be; the server also knows the common ones. */
export const chosenPassword = z
  .string()
  .min(PASSWORD_LENGTH_MIN, `At least ${PASSWORD_LENGTH_MIN} characters.`)
  .max(PASSWORD_LENGTH_MAX);

/** The rule about the second typing, for an object with both. */
export const sameTwice = [
  (value: { password: string; again: string }): boolean => value.password === value.again,
  { path: ['again'] as string[], message: 'The two do not match.' },
] as const;

export const newPassword = z.object({ password: chosenPassword, again: z.string() }).refine(...sameTwice);

type Form = {
  register: UseFormRegister<{ password: string; again: string }>;
  formState: {
    errors: {
      password?: { message?: string | undefined } | undefined;
      again?: { message?: string | undefined } | undefined;
    };
  };
};

export function NewPasswordFields({ form }: { form: Form }) {
  const { errors } = form.formState;
  return (
    <>
      <Field
        label="New password"
        error={errors.password?.message}
        hint={`At least ${PASSWORD_LENGTH_MIN} characters. A few words in a row are good.`}
      >
        {(aria) => (
          <Input {...aria} type="password" autoComplete="new-password" autoFocus {...form.register('password')} />
        )}
      </Field>
      <Field label="New password again" error={errors.again?.message}>
        {(aria) => <Input {...aria} type="password" autoComplete="new-password" {...form.register('again')} />}
      </Field>
    </>
  );
}
