import { useState } from 'react';
import { identityRoutes } from '#contract/identity.ts';
import type { Role } from '#domain/authz.ts';
import { call } from '../../api/client.ts';
import { FormError } from '../../components/error-text.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { SidePanel } from '../../ui/dialog.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Select } from '../../ui/select.tsx';

/** Sends an invitation; without a mail server it shows the link, once. */
export function InviteForm({
  organization,
  roles,
  onClose,
  onDone,
}: {
  organization: string;
  roles: readonly Role[];
  onClose: () => void;
  onDone: () => void;
}) {
  const [link, setLink] = useState<{ url: string | null; email: string } | null>(null);
  const form = useApiForm(identityRoutes.invitationsCreate.body, { email: '', role: 'member' as Role });
  const { errors, isSubmitting } = form.formState;
  return (
    <SidePanel
      open
      onClose={onClose}
      title="Invite somebody"
      description="They open a link, choose a password, and are in. The link works once, for 7 days."
      footer={
        link === null ? (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button type="submit" form="invite-form" tone="primary" busy={isSubmitting}>
              Invite
            </Button>
          </>
        ) : (
          <Button tone="primary" onClick={onClose}>
            Done
          </Button>
        )
      }
    >
      {link === null ? (
        <form
          id="invite-form"
          noValidate
          className="flex flex-col gap-4"
          onSubmit={form.submit(async (values) => {
            const made = await call('invitationsCreate', { params: { organization }, body: values });
            setLink({ url: made.link, email: made.email });
            onDone();
          })}
        >
          <Field
            label="E-mail"
            error={
              errors.email === undefined
                ? undefined
                : errors.email.type === 'server'
                  ? errors.email.message
                  : 'This is not an e-mail address.'
            }
          >
            {(aria) => <Input {...aria} type="email" autoFocus autoComplete="off" {...form.register('email')} />}
          </Field>
          <Field label="Role" hint={roleWords[form.watch('role') as Role].hint}>
            {(aria) => (
              <Select
                {...aria}
                value={form.watch('role') as Role}
                onChange={(role) => form.setValue('role', role)}
                options={roles.map((role) => ({
                  value: role,
                  label: roleWords[role].title,
                  hint: roleWords[role].hint,
                }))}
              />
            )}
          </Field>
          <FormError error={form.failure} />
        </form>
      ) : (
        <div className="flex flex-col gap-4">
          {link.url === null ? (
            <Notice tone="ok" title={`An e-mail is on its way to ${link.email}`}>
              Only that e-mail holds the link. Until somebody follows it, the invitation is among the open ones.
            </Notice>
          ) : (
            <>
              <Notice tone="ok" title={`Send this to ${link.email}`}>
                It is shown this once, because this installation sends no e-mail yet. Whoever opens it first joins.
              </Notice>
              <CodeBlock code={link.url} label="invitation link" />
            </>
          )}
        </div>
      )}
    </SidePanel>
  );
}
