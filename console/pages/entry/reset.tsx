import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../../api/client.ts';
import { FormError } from '../../components/error-text.tsx';
import { NewPasswordFields, newPassword } from '../../components/new-password.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { EntryFrame } from './frame.tsx';

/** Where the link of a forgotten password leads. */
export function ResetPage() {
  const { secret } = useParams({ from: '/reset-password/$secret' });
  const [done, setDone] = useState(false);
  const form = useApiForm(newPassword, { password: '', again: '' });
  if (done) {
    return (
      <EntryFrame title="The new password is set" lead="All sessions of the account have ended. Sign in with it.">
        <Link to="/sign-in" className={buttonClass('primary', 'md', 'w-full')}>
          Sign in
        </Link>
      </EntryFrame>
    );
  }
  if (form.failure?.code === 'gone') {
    return (
      <EntryFrame title="This link does not work" lead={form.failure.message}>
        <Link to="/forgot-password" className={buttonClass('primary', 'md', 'w-full')}>
          Ask for a new one
        </Link>
      </EntryFrame>
    );
  }
  return (
    <EntryFrame
      title="Choose a new password"
      lead="It ends all sessions of the account. A second factor stays as it is."
    >
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async ({ password }) => {
          await call('passwordReset', { body: { token: secret, password } });
          setDone(true);
        })}
      >
        <NewPasswordFields form={form} />
        <FormError error={form.failure} />
        <Button type="submit" tone="primary" busy={form.formState.isSubmitting} className="w-full">
          Set the password
        </Button>
      </form>
    </EntryFrame>
  );
}
