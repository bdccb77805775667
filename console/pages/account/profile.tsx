import { toast } from 'sonner';
import { z } from 'zod';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input } from '../../ui/input.tsx';

const passwordForm = z
  .object({
    current: z.string().min(1, 'Type your current password.').max(PASSWORD_LENGTH_MAX),
    password: z
      .string()
      .min(PASSWORD_LENGTH_MIN, `At least ${PASSWORD_LENGTH_MIN} characters.`)
      .max(PASSWORD_LENGTH_MAX),
    again: z.string(),
  })
  .refine((value) => value.password === value.again, { path: ['again'], message: 'The two do not match.' });

export function ProfileTab() {
  const { user, memberships } = useSession();
  const profile = useApiForm(z.object({ name: z.string().trim().min(1, 'Tell us your name.').max(80) }), {
    name: user.name,
  });
  const password = useApiForm(passwordForm, { current: '', password: '', again: '' });
  const errors = password.formState.errors;
  return (
    <div className="flex flex-col gap-5">
      <Card title="Profile">
        <form
          noValidate
          className="flex flex-col gap-4"
          onSubmit={profile.submit(async (values) => {
            await call('accountUpdate', { body: values });
            await queryClient.invalidateQueries({ queryKey: ['whoami'] });
            toast.success('Saved');
          })}
        >
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Name" error={profile.formState.errors.name?.message}>
              {(aria) => <Input {...aria} autoComplete="name" {...profile.register('name')} />}
            </Field>
            <Field label="E-mail">
              {(aria) => <Input {...aria} value={user.email} readOnly className="!bg-sunken text-soft" />}
            </Field>
          </div>
          <div className="flex flex-wrap items-center gap-2 text-sm text-soft">
            {memberships.map((each) => (
              <span key={each.organization.id} className="inline-flex items-center gap-1.5">
                {each.organization.title} <Badge>{roleWords[each.role].title}</Badge>
              </span>
            ))}
            {user.platformAdmin ? <Badge tone="accent">Installation administrator</Badge> : null}
          </div>
          <FormError error={profile.failure} />
          <Button type="submit" className="w-fit" busy={profile.formState.isSubmitting}>
            Save
          </Button>
        </form>
      </Card>
      <Card title="Password">
        <form
          noValidate
          className="flex flex-col gap-4"
          onSubmit={password.submit(async ({ current, password: next }) => {
            await call('accountPassword', { body: { current, password: next } });
            password.reset({ current: '', password: '', again: '' });
            toast.success('The password is changed', { description: 'All your other sessions have ended.' });
            await queryClient.invalidateQueries({ queryKey: ['sessionsList'] });
          })}
        >
          <input type="text" name="username" autoComplete="username" value={user.email} readOnly hidden />
          <Field label="Current password" error={errors.current?.message} className="sm:max-w-[calc(50%-0.5rem)]">
            {(aria) => (
              <Input {...aria} type="password" autoComplete="current-password" {...password.register('current')} />
            )}
          </Field>
          <div className="grid gap-4 sm:grid-cols-2">
            <Field
              label="New password"
              error={errors.password?.message}
              hint={`At least ${PASSWORD_LENGTH_MIN} characters.`}
            >
              {(aria) => (
                <Input {...aria} type="password" autoComplete="new-password" {...password.register('password')} />
              )}
            </Field>
            <Field label="New password again" error={errors.again?.message}>
              {(aria) => (
                <Input {...aria} type="password" autoComplete="new-password" {...password.register('again')} />
              )}
            </Field>
          </div>
          <FormError error={password.failure} />
          <Button type="submit" className="w-fit" busy={password.formState.isSubmitting}>
            Change the password
          </Button>
        </form>
      </Card>
    </div>
  );
}
