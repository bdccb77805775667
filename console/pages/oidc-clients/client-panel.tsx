import { useState } from 'react';
import { toast } from 'sonner';
import { oidcAuthMethods } from '#domain/identity-providers.ts';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { Select } from '../../ui/select.tsx';
import { Switch } from '../../ui/switch.tsx';
import { Credentials, type Secret } from './credentials.tsx';
import { bodyOf, type Client, clientForm, EVERYBODY, fieldsOf } from './form.ts';

const methodWords: Record<(typeof oidcAuthMethods)[number], string> = {
  client_secret_basic: 'Secret in the header (client_secret_basic)',
  client_secret_post: 'Secret in the form (client_secret_post)',
  none: 'No secret: a program on people’s own devices',
};

/** `client` null: a new one. */
export function ClientPanel({ client, onClose }: { client: Client | null; onClose: () => void }) {
  const { memberships } = useSession();
  const form = useApiForm(clientForm, fieldsOf(client));
  const [made, setMade] = useState<Secret | null>(null);
  const values = form.watch();
  const { errors } = form.formState;
  const organizations = memberships.map(({ organization }) => ({
    value: organization.id as string,
    label: organization.title,
  }));
  const known = organizations.some(({ value }) => value === values.organization) || values.organization === EVERYBODY;
  return (
    <FormPanel
      onClose={onClose}
      title={client === null ? 'New app' : client.title}
      description="An app that signs people in with Berth, by OpenID Connect."
      label={client === null ? 'Register it' : 'Save'}
      form={form}
      made={made === null ? null : { label: 'I have kept it', content: <Credentials client={made} /> }}
      onSubmit={form.submit(async (fields) => {
        const body = bodyOf(fields, client);
        if (client === null) {
          setMade(await call('oidcClientsCreate', { body }));
        } else {
          const { authMethod: _method, ...change } = body;
          await call('oidcClientsUpdate', { params: { client: client.id }, body: change });
          toast.success(`${fields.title} is saved.`);
          onClose();
        }
        await queryClient.invalidateQueries({ queryKey: ['oidcClientsList'] });
      })}
    >
      <Field label="Name" error={errors.title?.message}>
        {(aria) => <Input {...aria} autoFocus placeholder="Wiki" {...form.register('title')} />}
      </Field>
      <Field
        label="Redirect addresses"
        error={errors.redirectUris?.message}
        hint="One in a line; compared letter by letter."
      >
        {(aria) => (
          <Textarea {...aria} placeholder="https://wiki.example.com/callback" {...form.register('redirectUris')} />
        )}
      </Field>
      {client === null ? (
        <Field label="How it proves itself">
          {(aria) => (
            <Select
              {...aria}
              value={values.authMethod}
              onChange={(method) => form.setValue('authMethod', method)}
              options={oidcAuthMethods.map((value) => ({ value, label: methodWords[value] }))}
            />
          )}
        </Field>
      ) : null}
      <Field
        label="Open to"
        hint={
          client?.app == null
            ? 'Members of an organization, without guests, or every account here.'
            : 'Needs a grant or a role that opens the instance it belongs to.'
        }
      >
        {(aria) => (
          <Select
            {...aria}
            value={values.organization}
            onChange={(organization) => form.setValue('organization', organization)}
            options={[
              { value: EVERYBODY, label: 'Every account' },
              ...organizations,
              ...(known ? [] : [{ value: values.organization, label: values.organization }]),
            ]}
          />
        )}
      </Field>
      <Switch
        label="It is our own"
        hint="Nobody is asked whether it may know name, e-mail address and groups."
        checked={values.firstParty}
        onChange={(firstParty) => form.setValue('firstParty', firstParty)}
      />
    </FormPanel>
  );
}
