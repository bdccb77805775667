import { toast } from 'sonner';
import { z } from 'zod';
import type { InputOf } from '../../api/client.ts';
import { call, newIdempotencyKey } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { Select } from '../../ui/select.tsx';

const schema = z
  .object({
    type: z.enum(['file', 'server']),
    path: z.string().trim(),
    url: z.string().trim(),
    protocol: z.enum(['simplestreams', 'incus']),
    alias: z.string().trim(),
    name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'Lower-case letters, digits and hyphens; starts with a letter.'),
    kind: z.enum(['server', 'desktop']),
    title: z.string().trim().min(1, 'Say what it is.').max(120),
  })
  .superRefine((value, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (value.type === 'file' && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(value.path))
      issue('path', 'The bare name of a file in the import folder.');
    if (value.type === 'server' && !/^https:\/\/.+/.test(value.url))
      issue('url', 'An address that starts with https://');
    if (value.type === 'server' && value.alias === '') issue('alias', 'For example debian/13.');
  });

/** Imports an image and puts it on the allow-list: an administrator's act. */
export function ImportForm({ onClose }: { onClose: () => void }) {
  const form = useApiForm(schema, {
    type: 'server',
    path: '',
    url: '',
    protocol: 'simplestreams',
    alias: '',
    name: '',
    kind: 'server',
    title: '',
  });
  const values = form.watch();
  const { errors } = form.formState;
  return (
    <FormPanel
      onClose={onClose}
      title="Import an image"
      label="Import"
      form={form}
      onSubmit={form.submit(async ({ type, path, url, protocol, alias, name, kind, title }) => {
        const body: InputOf<'imagesImport'>['body'] =
          type === 'file' ? { type, path, name, kind, title } : { type, url, protocol, alias, name, kind, title };
        await call('imagesImport', { body }, { idempotencyKey: newIdempotencyKey() });
        await queryClient.invalidateQueries({ queryKey: ['imagesList'] });
        toast.message(`Importing ${name}`);
        onClose();
      })}
    >
      <Notice tone="warn" title="You vouch for it">
        Everybody may make instances from it afterwards. It runs without privileges like any other, but what is inside
        is what you import.
      </Notice>
      <Segmented
        label="From"
        className="w-fit"
        value={values.type}
        onChange={(type) => form.setValue('type', type)}
        options={[
          { value: 'server', label: 'An image server' },
          { value: 'file', label: 'A file on the host' },
        ]}
      />
      {values.type === 'file' ? (
        <Field
          label="File"
          error={errors.path?.message}
          hint="Put it into the import folder below the data directory first."
        >
          {(aria) => <Input {...aria} placeholder="debian-13.tar.xz" {...form.register('path')} />}
        </Field>
      ) : (
        <>
          <Field label="Address" error={errors.url?.message}>
            {(aria) => <Input {...aria} placeholder="https://images.example.org" {...form.register('url')} />}
          </Field>
          <Field label="Protocol">
            {(aria) => (
              <Select
                {...aria}
                value={values.protocol}
                onChange={(protocol) => form.setValue('protocol', protocol)}
                options={[
                  { value: 'simplestreams', label: 'Simple streams' },
                  { value: 'incus', label: 'Incus' },
                ]}
              />
            )}
          </Field>
          <Field label="Alias" error={errors.alias?.message}>
            {(aria) => <Input {...aria} placeholder="debian/13" {...form.register('alias')} />}
          </Field>
        </>
      )}
      <Field label="Name here" error={errors.name?.message}>
        {(aria) => <Input {...aria} placeholder="debian-13" {...form.register('name')} />}
      </Field>
      <Field label="What it is" error={errors.title?.message}>
        {(aria) => <Input {...aria} placeholder="Debian 13 without extras" {...form.register('title')} />}
      </Field>
      <Field label="For">
        {(aria) => (
          <Select
            {...aria}
            value={values.kind}
            onChange={(kind) => form.setValue('kind', kind)}
            options={[
              { value: 'server', label: 'Servers' },
              { value: 'desktop', label: 'Desktops' },
            ]}
          />
        )}
      </Field>
    </FormPanel>
  );
}
