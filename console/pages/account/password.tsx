import { toast } from 'sonner';
import { z } from 'zod';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '#contract/identity.ts';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { chosenPassword, sameTwice } from '../../components/new-password.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input } from '../../ui/input.tsx';

const schema = z
  .object({
    current: z.string().min(1, 'Type your current password.').max(PASSWORD_LENGTH_MAX),
    password: chosenPassword,
    again: z.string(),
  })
  .refine(...sameTwice);

export function PasswordCard({ email }: { email: string }) {
  const form = useApiForm(schema, { current: '', password: '', again: '' });
  const { errors, isSubmitting } = form.formState;
  return (
    <Card title="Password">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async ({ current, password }) => {
          await call('accountPassword', { body: { current, password } });
          form.reset({ current: '', password: '', again: '' });
          toast.success('The password is changed', { description: 'All your other sessions have ended.' });
          await queryClient.invalidateQueries({ queryKey: ['sessionsList'] });
        })}
      >
        <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
        <Field label="Current password" error={errors.current?.message} className="sm:max-w-[calc(50%-0.5rem)]">
          {(aria) => <Input {...aria} type="password" autoComplete="current-password" {...form.register('current')} />}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="New password"
            error={errors.password?.message}
            hint={`At least ${PASSWORD_LENGTH_MIN} characters.`}
          >
            {(aria) => <Input {...aria} type="password" autoComplete="new-password" {...form.register('password')} />}
          </Field>
          <Field label="New password again" error={errors.again?.message}>
            {(aria) => <Input {...aria} type="password" autoComplete="new-password" {...form.register('again')} />}
          </Field>
        </div>
        <FormError error={form.failure} />
        <Button type="submit" className="w-fit" busy={isSubmitting}>
          Change the password
        </Button>
      </form>
    </Card>
  );
}
