import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { z } from 'zod';
import { call } from '../../api/client.ts';
import { FormError } from '../../components/error-text.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { EntryFrame } from './frame.tsx';

/** Asks for a link by e-mail. What it says afterwards is the same for every address. */
export function ForgottenPage() {
  const [sent, setSent] = useState<string | null>(null);
  const form = useApiForm(z.object({ email: z.email('This is not an e-mail address.') }), { email: '' });
  const { errors, isSubmitting } = form.formState;
  const back = (
    <Link to="/sign-in" className={buttonClass(sent === null ? 'ghost' : 'secondary', 'md', 'w-full')}>
      Back to signing in
    </Link>
  );
  if (sent !== null) {
    return (
      <EntryFrame
        title="Look into your mail"
        lead={
          <>
            If there is an account for <strong className="font-medium text-text">{sent}</strong>, a link to a new
            password is on its way. It works once, for an hour.
          </>
        }
        footer="Nothing arrives? Look among unwanted mail, or ask an administrator: where no mail is sent, they can see the link."
      >
        {back}
      </EntryFrame>
    );
  }
  return (
    <EntryFrame title="Forgotten the password?" lead="We send a link to the address of your account.">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async ({ email }) => {
          await call('passwordForgotten', { body: { email } });
          setSent(email);
        })}
      >
        <Field label="E-mail" error={errors.email?.message}>
          {(aria) => <Input {...aria} type="email" autoComplete="username" autoFocus {...form.register('email')} />}
        </Field>
        <FormError error={form.failure} />
        <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
          Send the link
        </Button>
        {back}
      </form>
    </EntryFrame>
  );
}
