import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { z } from 'zod';
import { identityRoutes, PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import { slug } from '#domain/names.ts';
import { call } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { beginSession } from '../../shell/session.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { EntryFrame } from './frame.tsx';

const schema = z.object({
  code: identityRoutes.setup.body.shape.code,
  name: identityRoutes.setup.body.shape.name,
  email: identityRoutes.setup.body.shape.email,
  password: identityRoutes.setup.body.shape.password,
  organization: z
    .string()
    .trim()
    .min(1, 'Give it a name.')
    .max(80)
    .refine((text) => slug(text) !== '', 'Use at least one letter.'),
});

const plain = {
  code: 'Type the code that `berth up` printed.',
  name: 'Tell us your name.',
  email: 'This is not an e-mail address.',
  password: `At least ${PASSWORD_LENGTH_MIN} characters.`,
} as const;

/** First visit to a new installation: the printed code makes the owner's account and the first organization. */
export function SetupPage() {
  const search = useSearch({ from: '/setup' });
  const navigate = useNavigate();
  const state = useQuery(apiQuery('setupState', {}));
  const form = useApiForm(schema, { code: search.code ?? '', name: '', email: '', password: '', organization: '' });
  const { errors, isSubmitting } = form.formState;
  const message = (field: keyof typeof plain) =>
    errors[field] === undefined ? undefined : errors[field].type === 'server' ? errors[field].message : plain[field];
  const send = form.submit(async ({ organization, ...values }) => {
    const session = await call('setup', {
      body: { ...values, organization: { name: slug(organization), title: organization } },
    });
    beginSession(session);
    await navigate({ to: '/', replace: true });
  });
  if (state.data?.needed === false) {
    return (
      <EntryFrame title="Already set up" lead="This installation has its owner. Sign in, or ask for an invitation.">
        <Link to="/sign-in" className={buttonClass('primary', 'md', 'w-full')}>
          Sign in
        </Link>
      </EntryFrame>
    );
  }
  return (
    <EntryFrame
      title="Welcome aboard"
      lead="Create the owner’s account of this installation. Everybody else is invited later."
      footer={
        <>
          The code was printed once in the terminal where <code>./berth up</code> ran; <code>./berth status</code> tells
          where it is kept.
        </>
      }
    >
      <form onSubmit={send} noValidate className="flex flex-col gap-4">
        <Field label="Set-up code" error={message('code')}>
          {(aria) => (
            <Input
              {...aria}
              autoFocus={search.code === undefined}
              autoComplete="one-time-code"
              spellCheck={false}
              className="mono tracking-wider"
              {...form.register('code')}
            />
          )}
        </Field>
        <Field label="Your name" error={message('name')}>
          {(aria) => (
            <Input {...aria} autoComplete="name" autoFocus={search.code !== undefined} {...form.register('name')} />
          )}
        </Field>
        <Field label="E-mail" error={message('email')}>
          {(aria) => <Input {...aria} type="email" autoComplete="username" {...form.register('email')} />}
        </Field>
        <Field
          label="Password"
          error={message('password')}
          hint={`At least ${PASSWORD_LENGTH_MIN} characters. A few words in a row are good.`}
        >
          {(aria) => <Input {...aria} type="password" autoComplete="new-password" {...form.register('password')} />}
        </Field>
        <Field
          label="Organization"
          error={errors.organization?.message}
          hint="Your team, school, company or household. It owns projects and members."
        >
          {(aria) => (
            <Input {...aria} autoComplete="organization" placeholder="Harbour Lab" {...form.register('organization')} />
          )}
        </Field>
        <FormError error={form.failure} />
        <Button type="submit" tone="primary" busy={isSubmitting} className="w-full">
          Create the owner’s account
        </Button>
      </form>
    </EntryFrame>
  );
}
