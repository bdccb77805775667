import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { z } from 'zod';
import { PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import type { OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { chosenPassword } from '../../components/new-password.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { beginSession } from '../../shell/session.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Skeleton } from '../../ui/skeleton.tsx';
import { EntryFrame } from './frame.tsx';

const schema = z.object({
  name: z.string().trim().min(1, 'Tell us your name.').max(80),
  password: chosenPassword,
});

/** Where the link of a registration leads: name, password, and in. */
export function RegistrationPage() {
  const { secret } = useParams({ from: '/register/$secret' });
  const query = useQuery({
    ...apiQuery('registrationRead', { params: { secret } }),
    retry: false,
    refetchOnWindowFocus: false,
  });
  if (query.isError) {
    return (
      <EntryFrame title="This link does not work" lead={toApiError(query.error).message}>
        <Link to="/register" className={buttonClass('secondary', 'md', 'w-full')}>
          Register again
        </Link>
      </EntryFrame>
    );
  }
  if (query.data === undefined) {
    return (
      <EntryFrame title="Create your account">
        <Skeleton className="h-24 w-full" />
      </EntryFrame>
    );
  }
  return <Complete secret={secret} registration={query.data} />;
}

function Complete({ secret, registration }: { secret: string; registration: OutputOf<'registrationRead'> }) {
  const navigate = useNavigate();
  const form = useApiForm(schema, { name: '', password: '' });
  const { errors, isSubmitting } = form.formState;
  return (
    <EntryFrame
      title="Create your account"
      lead={
        registration.joins === null ? undefined : (
          <>
            You join <strong className="font-medium text-text">{registration.joins}</strong>.
          </>
        )
      }
    >
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async (values) => {
          const session = await call('registrationComplete', { params: { secret }, body: values });
          beginSession(session);
          await navigate({ to: '/', replace: true });
        })}
      >
        <Field label="E-mail">
          {(aria) => (
            <Input
              {...aria}
              value={registration.email}
              readOnly
              autoComplete="username"
              className="!bg-sunken text-soft"
            />
          )}
        </Field>
        <Field label="Your name" error={errors.name?.message}>
          {(aria) => <Input {...aria} autoComplete="name" autoFocus {...form.register('name')} />}
        </Field>
        <Field
          label="Password"
          error={errors.password?.message}
          hint={`At least ${PASSWORD_LENGTH_MIN} characters. A few words in a row are good.`}
        >
          {(aria) => <Input {...aria} type="password" autoComplete="new-password" {...form.register('password')} />}
        </Field>
        <FormError error={form.failure} />
        <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
          Create the account
        </Button>
      </form>
    </EntryFrame>
  );
}
