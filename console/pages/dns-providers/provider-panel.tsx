import { toast } from 'sonner';
import type { DnsProvider } from '#contract/dns-providers.ts';
import { dnsProviderKinds, tsigAlgorithms } from '#domain/dns.ts';
import { call } from '../../api/client.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { Field, Input } from '../../ui/input.tsx';
import { Select } from '../../ui/select.tsx';
import { Switch } from '../../ui/switch.tsx';
import { changeOf, dnsProviderForm, fieldsOf, newProviderOf } from './form.ts';
import { refreshDns } from './refresh.ts';

export const kindWords: Record<(typeof dnsProviderKinds)[number], string> = {
  cloudflare: 'Cloudflare',
  rfc2136: 'Name server with dynamic updates (RFC 2136)',
};

/** `owner` is an organization, null the installation; `provider` null: a new one. */
export function ProviderPanel({
  owner,
  provider,
  onClose,
}: {
  owner: string | null;
  provider: DnsProvider | null;
  onClose: () => void;
}) {
  const form = useApiForm(dnsProviderForm, fieldsOf(provider));
  const values = form.watch();
  const { errors } = form.formState;
  const isServer = values.kind === 'rfc2136';
  return (
    <FormPanel
      title={provider === null ? 'Connect a DNS provider' : provider.title}
      description="Berth writes the records of domains and routes there, and touches nothing that it did not make."
      label={provider === null ? 'Connect' : 'Save'}
      form={form}
      onClose={onClose}
      onSubmit={form.submit(async (fields) => {
        if (provider === null) {
          const body = newProviderOf(fields, owner);
          if (owner === null) await call('platformDnsProvidersCreate', { body });
          else await call('dnsProvidersCreate', { params: { organization: owner }, body });
        } else {
          const body = changeOf(fields);
          const id = provider.id;
          if (owner === null) {
            await call('platformDnsProvidersUpdate', {
              params: { provider: id },
              body: { ...body, shared: fields.shared },
            });
          } else await call('dnsProvidersUpdate', { params: { organization: owner, provider: id }, body });
        }
        await refreshDns();
        toast.success(`${fields.title} is connected.`);
        onClose();
      })}
    >
      {provider === null ? (
        <Field label="Kind">
          {(aria) => (
            <Select
              {...aria}
              value={values.kind}
              onChange={(kind) => form.setValue('kind', kind)}
              options={dnsProviderKinds.map((kind) => ({ value: kind, label: kindWords[kind] }))}
            />
          )}
        </Field>
      ) : null}
      <Field label="Name" error={errors.title?.message}>
        {(aria) => <Input {...aria} autoComplete="off" placeholder="Our zones" {...form.register('title')} />}
      </Field>
      {isServer && provider === null ? (
        <>
          <Field
            label="Server"
            error={errors.host?.message}
            hint="The primary of the zones. A private address needs an administrator: Limits, Addresses this server calls."
          >
            {(aria) => <Input {...aria} placeholder="ns1.example.com" {...form.register('host')} />}
          </Field>
          <Field label="Port" error={errors.port?.message}>
            {(aria) => <Input {...aria} type="number" min={1} max={65535} {...form.register('port')} />}
          </Field>
          <Field label="Name of the key" error={errors.keyName?.message}>
            {(aria) => <Input {...aria} autoComplete="off" placeholder="berth" {...form.register('keyName')} />}
          </Field>
          <Field label="Algorithm">
            {(aria) => (
              <Select
                {...aria}
                value={values.algorithm}
                onChange={(algorithm) => form.setValue('algorithm', algorithm)}
                options={tsigAlgorithms.map((value) => ({ value, label: value }))}
              />
            )}
          </Field>
        </>
      ) : null}
      <Field
        label={isServer ? 'Key' : 'API token'}
        error={errors.secret?.message}
        hint={
          provider !== null
            ? 'One is stored. Leave this empty to keep it.'
            : isServer
              ? 'In base64, as tsig-keygen writes it.'
              : 'Made from the template “Edit zone DNS”, for the zones below and no others.'
        }
      >
        {(aria) => <Input {...aria} type="password" autoComplete="off" {...form.register('secret')} />}
      </Field>
      <Field
        label="Zones"
        optional={!isServer}
        error={errors.zones?.message}
        hint={
          provider !== null && provider.available.length > 0
            ? `The secret may change: ${provider.available.join(', ')}. Records in zones that you take away are removed.`
            : 'In which Berth may write, with spaces between them.'
        }
      >
        {(aria) => <Input {...aria} placeholder="example.com" autoCapitalize="none" {...form.register('zones')} />}
      </Field>
      {owner === null ? (
        <Switch
          label="For every organization"
          hint="Every project may then claim free names below these zones, and Berth proves them by itself."
          checked={values.shared}
          onChange={(shared) => form.setValue('shared', shared)}
        />
      ) : null}
    </FormPanel>
  );
}
