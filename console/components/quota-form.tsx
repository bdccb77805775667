import { useRef } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import { countsBytes, type Quota, type QuotaResource, quotaResources, quotaTitles } from '#domain/quotas.ts';
import { GIB } from '#domain/sizes.ts';
import { formatBytes } from '../lib/format.ts';
import { useApiForm } from '../lib/use-form.ts';
import { Field, Input } from '../ui/input.tsx';
import { Notice } from '../ui/notice.tsx';
import { FormPanel } from './form-panel.tsx';

/** Sizes are typed in GiB. */
const unit = (resource: QuotaResource) => (countsBytes(resource) ? GIB : 1);
const written = (resource: QuotaResource, value: number) =>
  countsBytes(resource) ? formatBytes(value) : String(value);

const shape = z.object(
  Object.fromEntries(
    quotaResources.map((resource) => [
      resource,
      z
        .string()
        .trim()
        .regex(countsBytes(resource) ? /^\d{1,7}(?:\.\d{1,3})?$/ : /^\d{1,6}$/, 'A number.'),
    ]),
  ) as Record<QuotaResource, z.ZodString>,
);

/** Sets limits: only what was changed is sent. */
export function QuotaForm({
  title,
  description,
  limit,
  used,
  save,
  onClose,
}: {
  title: string;
  description: string;
  limit: Quota;
  used: Quota;
  save: (changes: Partial<Quota>) => Promise<void>;
  onClose: () => void;
}) {
  // What was there when the panel opened: live changes of the use do not reset what is being typed.
  const before = useRef(limit).current;
  const initial = Object.fromEntries(
    quotaResources.map((resource) => [resource, String(Math.round((before[resource] / unit(resource)) * 1000) / 1000)]),
  ) as Record<QuotaResource, string>;
  const form = useApiForm(shape, initial);
  const values = form.watch();
  const below = quotaResources.filter(
    (resource) =>
      /^\d+(?:\.\d+)?$/.test(values[resource]) &&
      Number(values[resource]) * unit(resource) < used[resource] &&
      values[resource] !== initial[resource],
  );
  return (
    <FormPanel
      onClose={onClose}
      title={title}
      description={description}
      label="Set limits"
      form={form}
      onSubmit={form.submit(async (typed) => {
        const changed = quotaResources.filter((resource) => typed[resource] !== initial[resource]);
        await save(
          Object.fromEntries(
            changed.map((resource) => [resource, Math.round(Number(typed[resource]) * unit(resource))]),
          ),
        );
        toast.success('The limits are set');
        onClose();
      })}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        {quotaResources.map((resource) => (
          <Field
            key={resource}
            label={countsBytes(resource) ? `${quotaTitles[resource]}, GiB` : quotaTitles[resource]}
            hint={`${written(resource, used[resource])} in use`}
            error={form.formState.errors[resource]?.message}
          >
            {(aria) => <Input {...aria} inputMode="decimal" autoComplete="off" {...form.register(resource)} />}
          </Field>
        ))}
      </div>
      {below.length === 0 ? null : (
        <Notice tone="warn">
          {below.map((resource) => quotaTitles[resource]).join(', ')}: more is in use. What runs keeps running; nothing
          new is made until the use is below the limit.
        </Notice>
      )}
    </FormPanel>
  );
}
