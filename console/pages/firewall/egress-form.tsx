import { toast } from 'sonner';
import { z } from 'zod';
import type { EgressPolicy } from '#contract/egress.ts';
import { BANDWIDTH_MIN, CONNECTIONS_MAX, CONNECTIONS_MIN, formatRule, parseRules } from '#domain/network-rules.ts';
import { call } from '../../api/client.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { rulesText } from './group-form.tsx';
import { RuleList } from './rules.tsx';

const MEGABIT = 125_000;
const schema = z.object({
  default: z.enum(['allow', 'deny']),
  rules: rulesText,
  connections: z
    .string()
    .trim()
    .refine(
      (text) =>
        text === '' || (/^\d{1,6}$/.test(text) && Number(text) >= CONNECTIONS_MIN && Number(text) <= CONNECTIONS_MAX),
      `A number from ${CONNECTIONS_MIN} to ${CONNECTIONS_MAX}, or nothing.`,
    ),
  megabits: z
    .string()
    .trim()
    .refine(
      (text) => text === '' || (/^\d{1,6}(?:\.\d{1,2})?$/.test(text) && Number(text) * MEGABIT >= BANDWIDTH_MIN),
      'A number from 0.1, or nothing.',
    ),
});

/** Changes what the instances of a project may reach. */
export function EgressForm({
  project,
  policy,
  onClose,
  onDone,
}: {
  project: string;
  policy: EgressPolicy;
  onClose: () => void;
  onDone: () => void;
}) {
  const form = useApiForm(schema, {
    default: policy.default,
    rules: policy.rules.map(formatRule).join('\n'),
    connections: policy.connectionsMax === null ? '' : String(policy.connectionsMax),
    megabits: policy.bytesPerSecondMax === null ? '' : String(policy.bytesPerSecondMax / MEGABIT),
  });
  const values = form.watch();
  const { errors } = form.formState;
  const { rules } = parseRules(values.rules);
  return (
    <FormPanel
      onClose={onClose}
      title="What this project may reach"
      label="Save"
      form={form}
      onSubmit={form.submit(async (valid) => {
        await call('egressUpdate', {
          params: { project: project as never },
          body: {
            default: valid.default,
            rules: parseRules(valid.rules).rules,
            connectionsMax: valid.connections === '' ? null : Number(valid.connections),
            bytesPerSecondMax: valid.megabits === '' ? null : Math.round(Number(valid.megabits) * MEGABIT),
          },
        });
        onDone();
        toast.success('Saved; it holds within a second');
        onClose();
      })}
    >
      <div className="flex flex-col gap-1.5">
        <p className="font-medium text-sm">What no rule names</p>
        <Segmented
          label="What no rule names"
          className="w-fit"
          value={values.default}
          onChange={(next) => form.setValue('default', next, { shouldDirty: true })}
          options={[
            { value: 'allow', label: 'May be reached' },
            { value: 'deny', label: 'Is denied' },
          ]}
        />
      </div>
      {values.default === 'deny' ? (
        <Notice tone="warn" title="Instances lose the internet but for what you allow">
          Updates, package installs and outgoing calls stop unless a rule allows them. Open connections go on.
        </Notice>
      ) : null}
      <Field label="Rules, one a line" error={errors.rules?.message} hint="Only out. Deny wins over allow.">
        {(aria) => (
          <Textarea
            {...aria}
            rows={6}
            spellCheck={false}
            autoCapitalize="none"
            className="mono"
            placeholder={'deny out tcp 6667\nallow out tcp 443 to 198.51.100.0/24'}
            {...form.register('rules')}
          />
        )}
      </Field>
      {rules.length === 0 ? null : (
        <RuleList
          rules={rules}
          rest={() => (values.default === 'allow' ? 'Everything else may go out.' : 'Everything else is denied.')}
        />
      )}
      <Field
        label="Open connections of one instance"
        optional
        error={errors.connections?.message}
        hint="More are refused until others end. Empty: no cap."
      >
        {(aria) => <Input {...aria} inputMode="numeric" className="w-32" {...form.register('connections')} />}
      </Field>
      <Field
        label="Bandwidth of one instance, Mbit/s each way"
        optional
        error={errors.megabits?.message}
        hint="Empty: no cap."
      >
        {(aria) => <Input {...aria} inputMode="decimal" className="w-32" {...form.register('megabits')} />}
      </Field>
    </FormPanel>
  );
}
