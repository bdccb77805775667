import { useQuery } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { z } from 'zod';
import { call } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { EntryFrame } from './frame.tsx';

/** Asks for an account: an address and, unless anybody may, a code. Name and password come with the link in the mail. */
export function RegisterPage() {
  const state = useQuery(apiQuery('registrationState', {}));
  const [sent, setSent] = useState<string | null>(null);
  const back = (
    <Link to="/sign-in" className={buttonClass(sent === null ? 'ghost' : 'secondary', 'md', 'w-full')}>
      I have an account: sign in
    </Link>
  );
  if (sent !== null) {
    return (
      <EntryFrame
        title="Look into your mail"
        lead={
          <>
            A link is on its way to <strong className="font-medium text-text">{sent}</strong>. It leads to your name and
            password, and works once, for a day.
          </>
        }
        footer="Nothing arrives? Look among unwanted mail, or ask an administrator: where no mail is sent, they can see the link."
      >
        {back}
      </EntryFrame>
    );
  }
  return (
    <EntryFrame title="Create an account">
      <QueryView query={state} rows={2}>
        {({ open }) => (
          <>
            <Ask open={open} onSent={setSent} />
            <div className="mt-4">{back}</div>
          </>
        )}
      </QueryView>
    </EntryFrame>
  );
}

function Ask({ open, onSent }: { open: boolean; onSent: (email: string) => void }) {
  const search = useSearch({ from: '/register' });
  const form = useApiForm(
    z.object({
      email: z.email('This is not an e-mail address.'),
      code: open ? z.string().trim() : z.string().trim().min(4, 'Type the code that you were given.'),
    }),
    { email: '', code: search.code ?? '' },
  );
  const { errors, isSubmitting } = form.formState;
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async ({ email, code }) => {
        await call('registrationCreate', { body: { email, ...(code === '' ? {} : { code }) } });
        onSent(email);
      })}
    >
      <Field label="E-mail" error={errors.email?.message}>
        {(aria) => <Input {...aria} type="email" autoComplete="email" autoFocus {...form.register('email')} />}
      </Field>
      <Field
        label="Registration code"
        optional={open}
        error={errors.code?.message}
        hint={open ? 'A code puts you into the right organization.' : 'From who told you about this place.'}
      >
        {(aria) => (
          <Input
            {...aria}
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            className="mono tracking-wider"
            {...form.register('code')}
          />
        )}
      </Field>
      <FormError error={form.failure} />
      <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
        Send me the link
      </Button>
    </form>
  );
}
