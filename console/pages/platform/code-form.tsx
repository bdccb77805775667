import { useState } from 'react';
import { z } from 'zod';
import { CODE_DAYS_MAX, CODE_USES_MAX } from '#contract/registration.ts';
import type { WorkingRole } from '#domain/authz.ts';
import { mayChangeRole, workingRoles } from '#domain/authz.ts';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { CodeBlock } from '../../ui/code-block.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Select } from '../../ui/select.tsx';

const whole = (max: number) =>
  z
    .string()
    .trim()
    .regex(/^\d+$/, 'A whole number.')
    .refine((text) => Number(text) >= 1 && Number(text) <= max, `From 1 to ${max.toLocaleString('en')}.`);
const schema = z.object({
  note: z.string().trim().min(1, 'Whom is it for?').max(80),
  uses: whole(CODE_USES_MAX),
  days: whole(CODE_DAYS_MAX),
  organization: z.string(),
  role: z.enum(workingRoles),
});

/** Makes a code and shows it, once. */
export function CodeForm({ onClose }: { onClose: () => void }) {
  const { memberships } = useSession();
  const [made, setMade] = useState<OutputOf<'registrationCodesCreate'> | null>(null);
  const form = useApiForm(schema, { note: '', uses: '1', days: '7', organization: '', role: 'member' });
  const { errors } = form.formState;
  const mine = memberships.filter((each) => mayChangeRole(each.role, null, 'viewer'));
  const chosen = mine.find((each) => each.organization.id === form.watch('organization'));
  return (
    <FormPanel
      onClose={onClose}
      title="New registration code"
      description="Who has it may register, as long as it lasts."
      label="Make the code"
      form={form}
      made={
        made === null
          ? null
          : {
              label: 'I have kept it',
              content: (
                <div className="flex flex-col gap-4">
                  <Notice tone="ok" title="The code is shown this once">
                    Give it to the people it is for, or send them the link, which fills it in.
                  </Notice>
                  <CodeBlock code={made.code} label="registration code" />
                  <CodeBlock code={made.link} label="registration link" />
                </div>
              ),
            }
      }
      onSubmit={form.submit(async ({ note, uses, days, organization, role }) => {
        const body = {
          note,
          usesMax: Number(uses),
          expiresInDays: Number(days),
          joins: organization === '' ? null : { organization, role },
        };
        setMade(await call('registrationCodesCreate', { body }));
        await queryClient.invalidateQueries({ queryKey: ['registrationCodesList'] });
      })}
    >
      <Field label="For" error={errors.note?.message} hint="Only for you: a class, a team, an event.">
        {(aria) => <Input {...aria} autoFocus autoComplete="off" {...form.register('note')} />}
      </Field>
      <div className="grid grid-cols-2 gap-4">
        <Field label="Times it works" error={errors.uses?.message}>
          {(aria) => <Input {...aria} inputMode="numeric" {...form.register('uses')} />}
        </Field>
        <Field label="Days it lasts" error={errors.days?.message}>
          {(aria) => <Input {...aria} inputMode="numeric" {...form.register('days')} />}
        </Field>
      </div>
      <Field label="Joins" hint="An organization to which you may invite people yourself.">
        {(aria) => (
          <Select
            {...aria}
            value={form.watch('organization')}
            onChange={(organization) => form.setValue('organization', organization)}
            options={[
              { value: '', label: 'No organization' },
              ...mine.map(({ organization }) => ({ value: organization.id as string, label: organization.title })),
            ]}
          />
        )}
      </Field>
      {chosen === undefined ? null : (
        <Field label="As">
          {(aria) => (
            <Select<WorkingRole>
              {...aria}
              value={form.watch('role') as WorkingRole}
              onChange={(role) => form.setValue('role', role)}
              options={workingRoles
                .filter((role) => mayChangeRole(chosen.role, null, role))
                .map((role) => ({ value: role, label: roleWords[role].title, hint: roleWords[role].hint }))}
            />
          )}
        </Field>
      )}
    </FormPanel>
  );
}
