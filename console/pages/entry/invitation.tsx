import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { z } from 'zod';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { chosenPassword } from '../../components/new-password.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { beginSession } from '../../shell/session.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Skeleton } from '../../ui/skeleton.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { EntryFrame } from './frame.tsx';

const newAccount = z.object({
  name: z.string().trim().min(1, 'Tell us your name.').max(80),
  password: chosenPassword,
});
const oldAccount = z.object({
  name: z.string(),
  password: z.string().min(1, 'Type the password of your account.').max(PASSWORD_LENGTH_MAX),
});

export function InvitationPage() {
  const { secret } = useParams({ from: '/invitations/$secret' });
  const query = useQuery({
    ...apiQuery('invitationRead', { params: { secret } }),
    retry: false,
    refetchOnWindowFocus: false,
  });
  if (query.isError) {
    const error = toApiError(query.error);
    return (
      <EntryFrame title="This invitation does not work" lead={error.message}>
        <Link to="/sign-in" className={buttonClass('secondary', 'md', 'w-full')}>
          Sign in instead
        </Link>
      </EntryFrame>
    );
  }
  if (query.data === undefined) {
    return (
      <EntryFrame title="Invitation">
        <Skeleton className="h-24 w-full" />
      </EntryFrame>
    );
  }
  return <Accept secret={secret} invitation={query.data} />;
}

function Accept({
  secret,
  invitation,
}: {
  secret: string;
  invitation: {
    email: string;
    role: keyof typeof roleWords;
    organization: string;
    invitedBy: string;
    expiresAt: string;
    accountExists: boolean;
  };
}) {
  const navigate = useNavigate();
  const form = useApiForm(invitation.accountExists ? oldAccount : newAccount, { name: '', password: '' });
  const { errors, isSubmitting } = form.formState;
  const send = form.submit(async ({ name, password }) => {
    const session = await call('invitationAccept', {
      params: { secret },
      body: invitation.accountExists ? { password } : { name, password },
    });
    beginSession(session);
    await navigate({ to: '/', replace: true });
  });
  return (
    <EntryFrame
      title={`Join ${invitation.organization}`}
      lead={
        <>
          {invitation.invitedBy} invites you as{' '}
          <strong className="font-medium text-text">{roleWords[invitation.role].title.toLowerCase()}</strong>. The link
          works once and ends <TimeAgo at={invitation.expiresAt} />.
        </>
      }
    >
      <form onSubmit={send} noValidate className="flex flex-col gap-4">
        <Field label="E-mail">
          {(aria) => (
            <Input
              {...aria}
              value={invitation.email}
              readOnly
              autoComplete="username"
              className="!bg-sunken text-soft"
            />
          )}
        </Field>
        {invitation.accountExists ? null : (
          <Field label="Your name" error={errors.name?.message}>
            {(aria) => <Input {...aria} autoComplete="name" autoFocus {...form.register('name')} />}
          </Field>
        )}
        <Field
          label="Password"
          error={errors.password?.message}
          hint={
            invitation.accountExists
              ? 'You have an account already: its password, please.'
              : `At least ${PASSWORD_LENGTH_MIN} characters.`
          }
        >
          {(aria) => (
            <Input
              {...aria}
              type="password"
              autoComplete={invitation.accountExists ? 'current-password' : 'new-password'}
              {...form.register('password')}
            />
          )}
        </Field>
        <FormError error={form.failure} />
        <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
          {invitation.accountExists ? 'Join' : 'Create the account and join'}
        </Button>
      </form>
    </EntryFrame>
  );
}
