import { CircleCheck, CircleDashed } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import { call, toApiError } from '../../api/client.ts';
import { FormError } from '../../components/error-text.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { type Account, accountChanged } from './preferences.tsx';

/** The address one signs in with, and a change of it that both addresses confirm. */
export function EmailCard({ account: { user, emailVerified, emailChange } }: { account: Account }) {
  const [changing, setChanging] = useState(false);
  return (
    <Card
      title="E-mail address"
      actions={
        changing || emailChange !== null ? undefined : (
          <Button size="sm" onClick={() => setChanging(true)}>
            Change
          </Button>
        )
      }
    >
      <div className="flex flex-col gap-4">
        <p className="flex flex-wrap items-center gap-2 text-sm">
          <span className="break-all font-medium">{user.email}</span>
          {emailVerified ? <Badge tone="ok">verified</Badge> : <Badge>not verified</Badge>}
        </p>
        {emailChange === null ? null : <UnderWay old={user.email} change={emailChange} />}
        {changing && emailChange === null ? <ChangeForm onClose={() => setChanging(false)} /> : null}
      </div>
    </Card>
  );
}

function UnderWay({ old, change }: { old: string; change: NonNullable<Account['emailChange']> }) {
  const sides = [
    [old, change.oldConfirmed],
    [change.email, change.newConfirmed],
  ] as const;
  async function cancel() {
    await call('emailChangeDelete', {}).catch((thrown: unknown) => toast.error(toApiError(thrown).message));
    await accountChanged();
  }
  return (
    <Notice
      title={`Moving to ${change.email}`}
      action={
        <Button size="sm" tone="ghost" onClick={() => void cancel()}>
          Drop it
        </Button>
      }
    >
      <p>
        Both addresses have a mail with a link. The address changes when both have confirmed; the links end{' '}
        <TimeAgo at={change.expiresAt} />.
      </p>
      <ul className="mt-2 flex flex-col gap-1">
        {sides.map(([address, confirmed]) => (
          <li key={address} className="flex items-center gap-2">
            {confirmed ? (
              <CircleCheck className="size-4 text-ok" aria-hidden="true" />
            ) : (
              <CircleDashed className="size-4 text-faint" aria-hidden="true" />
            )}
            <span className="break-all">{address}</span>
            <span className="text-faint text-xs">{confirmed ? 'confirmed' : 'not yet'}</span>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function ChangeForm({ onClose }: { onClose: () => void }) {
  const form = useApiForm(z.object({ email: z.email('This is not an e-mail address.') }), { email: '' });
  const { errors, isSubmitting } = form.formState;
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async ({ email }) => {
        await call('emailChangeCreate', { body: { email } });
        onClose();
        await accountChanged();
      })}
    >
      <Field
        label="New address"
        error={errors.email?.message}
        hint="A link goes to both addresses. When both have confirmed, the address changes and all sessions end."
        className="sm:max-w-sm"
      >
        {(aria) => <Input {...aria} type="email" autoComplete="email" autoFocus {...form.register('email')} />}
      </Field>
      <FormError error={form.failure} />
      <div className="flex gap-2">
        <Button type="submit" tone="primary" busy={isSubmitting}>
          Send the links
        </Button>
        <Button tone="ghost" onClick={onClose}>
          Cancel
        </Button>
      </div>
    </form>
  );
}
