import { toast } from 'sonner';
import { z } from 'zod';
import type { MailSecurity } from '#domain/mails.ts';
import { mailSecurities } from '#domain/mails.ts';
import { call } from '../../api/client.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { Select } from '../../ui/select.tsx';
import { type MailSettings, mailChanged } from './mail.tsx';

const schema = z.object({
  host: z.string().trim().min(1, 'Its name, such as mail.example.com.').max(253),
  port: z
    .string()
    .trim()
    .regex(/^\d{1,5}$/, 'A number, mostly 587 or 465.'),
  security: z.enum(mailSecurities),
  username: z.string().trim().max(200),
  password: z.string().max(200),
  caCertificate: z.string().trim(),
  fromAddress: z.email('This is not an e-mail address.'),
  fromName: z.string().trim().min(1, 'What people see as the sender.').max(80),
});

const securityOptions = [
  { value: 'starttls', label: 'STARTTLS', hint: 'Port 587. Without encryption nothing is sent.' },
  { value: 'tls', label: 'TLS', hint: 'Port 465. Encrypted from the first byte.' },
  { value: 'plain', label: 'Not encrypted', hint: 'Port 25. For a relay on the same machine; no password.' },
] as const;
const ports = { starttls: '587', tls: '465', plain: '25' } as const;

export function MailForm({ server, onClose }: { server: MailSettings['server']; onClose: () => void }) {
  const form = useApiForm(schema, {
    host: server?.host ?? '',
    port: String(server?.port ?? 587),
    security: server?.security ?? 'starttls',
    username: server?.username ?? '',
    password: '',
    caCertificate: server?.caCertificate ?? '',
    fromAddress: server?.fromAddress ?? '',
    fromName: server?.fromName ?? 'Berth',
  });
  const { errors } = form.formState;
  const security = form.watch('security');
  function choose(next: MailSecurity) {
    if (form.getValues('port') === ports[security]) form.setValue('port', ports[next]);
    form.setValue('security', next);
  }
  return (
    <FormPanel
      onClose={onClose}
      title="Mail server"
      description="Mail that waits goes out as soon as it is saved."
      label="Save"
      form={form}
      onSubmit={form.submit(async ({ port, username, password, caCertificate, ...values }) => {
        await call('mailSettingsUpdate', {
          body: {
            ...values,
            port: Number(port),
            username: username === '' ? null : username,
            caCertificate: caCertificate === '' ? null : caCertificate,
            ...(username === '' ? { password: null } : password === '' ? {} : { password }),
          },
        });
        await mailChanged();
        toast.success('Saved', { description: 'Send a test mail to see whether it works.' });
        onClose();
      })}
    >
      <Field label="Encryption" error={errors.security?.message}>
        {(aria) => <Select<MailSecurity> {...aria} value={security} onChange={choose} options={securityOptions} />}
      </Field>
      <div className="grid grid-cols-[minmax(0,1fr)_6rem] gap-4">
        <Field label="Server" error={errors.host?.message}>
          {(aria) => (
            <Input
              {...aria}
              autoFocus
              autoComplete="off"
              spellCheck={false}
              placeholder="mail.example.com"
              {...form.register('host')}
            />
          )}
        </Field>
        <Field label="Port" error={errors.port?.message}>
          {(aria) => <Input {...aria} inputMode="numeric" {...form.register('port')} />}
        </Field>
      </div>
      <Field label="User" optional error={errors.username?.message}>
        {(aria) => <Input {...aria} autoComplete="off" spellCheck={false} {...form.register('username')} />}
      </Field>
      <Field
        label="Password"
        optional
        error={errors.password?.message}
        hint={server?.hasPassword === true ? 'Empty: it stays as it is, as long as server and user do.' : undefined}
      >
        {(aria) => <Input {...aria} type="password" autoComplete="off" {...form.register('password')} />}
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Sender’s name" error={errors.fromName?.message}>
          {(aria) => <Input {...aria} autoComplete="off" {...form.register('fromName')} />}
        </Field>
        <Field label="Sender’s address" error={errors.fromAddress?.message}>
          {(aria) => <Input {...aria} type="email" autoComplete="off" {...form.register('fromAddress')} />}
        </Field>
      </div>
      <Field
        label="Certificate authority"
        optional
        error={errors.caCertificate?.message}
        hint="PEM, when the mail server has a certificate that nobody else trusts."
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
