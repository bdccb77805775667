import { toast } from 'sonner';
import { z } from 'zod';
import { upstreamAbility } from '#domain/registry.ts';
import { call } from '../../api/client.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { type RegistryCache, registryChanged } from './registry.tsx';

const GIB = 1024 ** 3;

const schema = z.object({
  upstream: z
    .string()
    .trim()
    .superRefine((value, context) => {
      const able = upstreamAbility(value);
      if (able !== true) context.addIssue({ code: 'custom', message: able });
    }),
  username: z.string().trim().max(300),
  password: z.string().max(300),
  gib: z
    .string()
    .trim()
    .refine((value) => Number(value) >= 1 && Number(value) <= 10_240, 'A number of GiB, from 1 to 10240.'),
  caCertificate: z.string().trim(),
});

export function RegistryForm({ cache, onClose }: { cache: RegistryCache; onClose: () => void }) {
  const form = useApiForm(schema, {
    upstream: cache.upstream,
    username: cache.username ?? '',
    password: '',
    gib: String(Math.round((cache.bytesMax / GIB) * 10) / 10),
    caCertificate: cache.caCertificate ?? '',
  });
  const { errors } = form.formState;
  return (
    <FormPanel
      onClose={onClose}
      title="Image cache"
      description="The Docker inside servers pulls through it, as soon as it runs."
      label={cache.enabled ? 'Save' : 'Switch on'}
      form={form}
      onSubmit={form.submit(async ({ upstream, username, password, gib, caCertificate }) => {
        await call('registryUpdate', {
          body: {
            enabled: true,
            upstream,
            username: username === '' ? null : username,
            ...(username === '' ? { password: null } : password === '' ? {} : { password }),
            caCertificate: caCertificate === '' ? null : caCertificate,
            bytesMax: Math.round(Number(gib) * GIB),
          },
        });
        await registryChanged();
        toast.success('Saved', { description: 'Servers are told of it within a minute.' });
        onClose();
      })}
    >
      <Field
        label="Upstream"
        error={errors.upstream?.message}
        hint="Docker asks a cache only for images of Docker Hub: another upstream must have them under the same names."
      >
        {(aria) => <Input {...aria} autoComplete="off" spellCheck={false} {...form.register('upstream')} />}
      </Field>
      <Field label="Storage in GiB" error={errors.gib?.message} hint="What was used longest ago makes room.">
        {(aria) => <Input {...aria} inputMode="decimal" {...form.register('gib')} />}
      </Field>
      <Field
        label="User"
        optional
        error={errors.username?.message}
        hint="Everybody with a server can pull what this account may read: take one that reads nothing private."
      >
        {(aria) => <Input {...aria} autoComplete="off" spellCheck={false} {...form.register('username')} />}
      </Field>
      <Field
        label="Password"
        optional
        error={errors.password?.message}
        hint={cache.hasPassword ? 'Empty: it stays as it is, as long as upstream and user do.' : undefined}
      >
        {(aria) => <Input {...aria} type="password" autoComplete="off" {...form.register('password')} />}
      </Field>
      <Field
        label="Certificate authority"
        optional
        error={errors.caCertificate?.message}
        hint="PEM, when upstream has a certificate that nobody else trusts."
      >
        {(aria) => (
          <Textarea
            {...aria}
            spellCheck={false}
            className="mono text-xs"
            placeholder="-----BEGIN CERTIFICATE-----"
            {...form.register('caCertificate')}
          />
        )}
      </Field>
    </FormPanel>
  );
}
