import { useNavigate, useSearch } from '@tanstack/react-router';
import { identityRoutes } from '#contract/identity.ts';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { sessionQuery } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { EntryFrame } from './frame.tsx';

/** Goes on where the person wanted to be. Addresses of edge (signing in to an instance's page) need a real page load. */
export function useContinue(): (target: string | undefined) => Promise<void> {
  const navigate = useNavigate();
  return async (target) => {
    if (target?.startsWith('/edge/') === true) location.assign(target);
    else await navigate({ href: target ?? '/', replace: true });
  };
}

export function SignInPage() {
  const search = useSearch({ from: '/sign-in' });
  const goOn = useContinue();
  const form = useApiForm(identityRoutes.signIn.body, { email: '', password: '' });
  const { errors, isSubmitting } = form.formState;
  const send = form.submit(async (values) => {
    const session = await call('signIn', { body: values });
    queryClient.clear();
    queryClient.setQueryData(sessionQuery.queryKey, session);
    await goOn(search.return);
  });
  return (
    <EntryFrame
      title="Sign in"
      lead={search.return === undefined ? undefined : 'Sign in to go on to where you wanted to be.'}
      footer="No account? Somebody who manages your organization can send you an invitation link."
    >
      <form onSubmit={send} noValidate className="flex flex-col gap-4">
        <Field label="E-mail" error={errors.email === undefined ? undefined : 'This is not an e-mail address.'}>
          {(aria) => <Input {...aria} type="email" autoComplete="username" autoFocus {...form.register('email')} />}
        </Field>
        <Field label="Password" error={errors.password?.message}>
          {(aria) => <Input {...aria} type="password" autoComplete="current-password" {...form.register('password')} />}
        </Field>
        <FormError error={form.failure} />
        <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
          Sign in
        </Button>
      </form>
    </EntryFrame>
  );
}
