import { useQuery } from '@tanstack/react-query';
import { toast } from 'sonner';
import { z } from 'zod';
import type { SecurityGroup } from '#contract/security-groups.ts';
import { nameProblem } from '#domain/names.ts';
import { formatRule, parseRules } from '#domain/network-rules.ts';
import { call } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { Checkbox } from '../../ui/switch.tsx';
import { RuleList, restOfGroup } from './rules.tsx';
import { SourcePicker } from './source-picker.tsx';

/** Rules as people type them, one a line; what is wrong is said line by line. */
export const rulesText = z.string().superRefine((text, context) => {
  const { problems } = parseRules(text);
  if (problems.length > 0) context.addIssue({ code: 'custom', message: problems.join(' ') });
});

const schema = z.object({
  name: z
    .string()
    .trim()
    .toLowerCase()
    .superRefine((name, context) => {
      const problem = nameProblem(name);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }),
  description: z.string().trim().max(500, 'At most 500 characters.'),
  rules: rulesText,
  instances: z.array(z.string()),
});

/** Makes or changes a security group: its rules, and the instances that have it. */
export function GroupForm({
  project,
  group,
  others,
  onClose,
  onDone,
}: {
  project: string;
  group?: SecurityGroup;
  /** The other groups of the project: sources for rules. */
  others: readonly SecurityGroup[];
  onClose: () => void;
  onDone: () => void;
}) {
  const instances = useQuery(
    apiQuery('instancesList', { params: { project: project as never }, query: { limit: 200 } }),
  );
  const form = useApiForm(schema, {
    name: group?.name ?? '',
    description: group?.description ?? '',
    rules: (group?.rules ?? []).map(formatRule).join('\n'),
    instances: group?.instances.map((each) => each.id as string) ?? [],
  });
  const values = form.watch();
  const { errors } = form.formState;
  const { rules } = parseRules(values.rules);
  const toggle = (id: string, on: boolean) =>
    form.setValue('instances', on ? [...values.instances, id] : values.instances.filter((each) => each !== id), {
      shouldDirty: true,
    });
  return (
    <FormPanel
      onClose={onClose}
      title={group === undefined ? 'New security group' : `Change ${group.name}`}
      description="Rules about what may enter and leave the instances that have it."
      label={group === undefined ? 'Make the group' : 'Save'}
      form={form}
      onSubmit={form.submit(async (valid) => {
        const { name, description } = valid;
        const body = { name, description, rules: parseRules(valid.rules).rules };
        const saved = group ?? (await call('securityGroupsCreate', { params: { project: project as never }, body }));
        if (group !== undefined || valid.instances.length > 0) {
          await call('securityGroupsUpdate', {
            params: { group: saved.id },
            body: { ...(group === undefined ? {} : body), instances: valid.instances as never },
          });
        }
        onDone();
        toast.success(`${name} is saved`);
        onClose();
      })}
    >
      <Field label="Name" error={errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus autoComplete="off" autoCapitalize="none" {...form.register('name')} />}
      </Field>
      <Field label="Description" optional error={errors.description?.message}>
        {(aria) => <Input {...aria} autoComplete="off" {...form.register('description')} />}
      </Field>
      <Field
        label="Rules, one a line"
        error={errors.rules?.message}
        hint="allow or deny, in or out, then protocol, ports and addresses as needed. Deny wins."
      >
        {(aria) => (
          <Textarea
            {...aria}
            rows={6}
            spellCheck={false}
            autoCapitalize="none"
            className="mono"
            placeholder={'allow in tcp 22 from 203.0.113.0/24\nallow out tcp 80,443\ndeny out udp to 198.51.100.7'}
            {...form.register('rules')}
          />
        )}
      </Field>
      {rules.length === 0 ? null : <RuleList rules={rules} rest={(direction) => restOfGroup(rules, direction)} />}
      <SourcePicker
        names={[...others.map((other) => other.name), ...(values.name === '' ? [] : [values.name])]}
        onAdd={(line) =>
          form.setValue('rules', [values.rules.trimEnd(), line].filter((text) => text !== '').join('\n'), {
            shouldDirty: true,
            shouldValidate: true,
          })
        }
      />
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1.5 font-medium text-sm">Instances that have it</legend>
        {(instances.data?.items ?? []).map((each) => (
          <span key={each.id} className="flex items-center gap-2 text-sm">
            <Checkbox
              label={each.name}
              checked={values.instances.includes(each.id)}
              onChange={(on) => toggle(each.id, on)}
            />
            {each.name}
          </span>
        ))}
        {errors.instances === undefined ? null : <p className="text-bad text-sm">{errors.instances.message}</p>}
      </fieldset>
    </FormPanel>
  );
}
