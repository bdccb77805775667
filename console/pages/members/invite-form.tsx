import { useState } from 'react';
import { identityRoutes } from '#contract/identity.ts';
import type { Role } from '#domain/authz.ts';
import { call } from '../../api/client.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { CodeBlock } from '../../ui/code-block.tsx';
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
  const { errors } = form.formState;
  return (
    <FormPanel
      onClose={onClose}
      title="Invite somebody"
      description="They open a link, choose a password, and are in. The link works once, for 7 days."
      label="Invite"
      form={form}
      made={
        link === null
          ? null
          : {
              label: 'Done',
              content: (
                <div className="flex flex-col gap-4">
                  {link.url === null ? (
                    <Notice tone="ok" title={`An e-mail is on its way to ${link.email}`}>
                      Only that e-mail holds the link. Until somebody follows it, the invitation is among the open ones.
                    </Notice>
                  ) : (
                    <>
                      <Notice tone="ok" title={`Send this to ${link.email}`}>
                        It is shown this once, because this installation sends no e-mail yet. Whoever opens it first
                        joins.
                      </Notice>
                      <CodeBlock code={link.url} label="invitation link" />
                    </>
                  )}
                </div>
              ),
            }
      }
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
    </FormPanel>
  );
}
