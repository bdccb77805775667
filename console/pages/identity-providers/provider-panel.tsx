import { useState } from 'react';
import { toast } from 'sonner';
import { type Role, roles } from '#domain/authz.ts';
import { presets, providerKinds, provisionings } from '#domain/identity-providers.ts';
import { call } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Select } from '../../ui/select.tsx';
import { Switch } from '../../ui/switch.tsx';
import { bodyOf, fieldsOf, type Provider, providerForm } from './form.ts';

const provisioningWords: Record<(typeof provisionings)[number], string> = {
  nobody: 'Nobody: only accounts that exist already',
  invited: 'Whoever has an invitation',
  domains: 'Everybody with an address of these domains',
};

/** `provider` null: a new one. */
export function ProviderPanel({ provider, onClose }: { provider: Provider | null; onClose: () => void }) {
  const { memberships } = useSession();
  const form = useApiForm(providerForm, fieldsOf(provider));
  const values = form.watch();
  const { errors } = form.formState;
  const [mappings, setMappings] = useState(values.roleMappings);
  const preset = presets[values.kind];
  function changeMappings(next: typeof mappings) {
    setMappings(next);
    form.setValue('roleMappings', next);
  }
  function choose(kind: typeof values.kind) {
    form.setValue('kind', kind);
    form.setValue('name', kind === 'oidc' ? '' : kind);
    form.setValue('title', kind === 'oidc' ? '' : presets[kind].title);
    form.setValue('issuer', presets[kind].issuer ?? '');
    form.setValue('scopes', presets[kind].scopes.join(' '));
    form.setValue('groupsClaim', presets[kind].groupsClaim ?? '');
  }
  return (
    <FormPanel
      onClose={onClose}
      title={provider === null ? 'New identity provider' : provider.title}
      description="Where people may sign in instead of here."
      label={provider === null ? 'Set it up' : 'Save'}
      form={form}
      onSubmit={form.submit(async (fields) => {
        const body = bodyOf(fields);
        if (provider === null) await call('identityProvidersCreate', { body });
        else {
          const { name: _name, kind: _kind, ...change } = body;
          await call('identityProvidersUpdate', { params: { provider: provider.id }, body: change });
        }
        await queryClient.invalidateQueries({ queryKey: ['identityProvidersList'] });
        await queryClient.invalidateQueries({ queryKey: ['signInProviders'] });
        toast.success(`${fields.title} is saved.`);
        onClose();
      })}
    >
      {provider === null ? (
        <Field label="Kind">
          {(aria) => (
            <Select
              {...aria}
              value={values.kind}
              onChange={choose}
              options={providerKinds.map((kind) => ({ value: kind, label: presets[kind].title }))}
            />
          )}
        </Field>
      ) : null}
      {provider === null ? (
        <Field label="Name" error={errors.name?.message} hint="Part of its address; it never changes.">
          {(aria) => <Input {...aria} {...form.register('name')} />}
        </Field>
      ) : null}
      <Field label="Redirect address" hint="Register exactly this at the provider.">
        {(aria) => (
          <span id={aria.id}>
            <Copyable text={provider?.redirectUri ?? `${location.origin}/sign-in/${values.name}`} />
          </span>
        )}
      </Field>
      {provider?.logoutUri == null ? null : (
        <Field label="Back-channel logout address" hint="Where the provider tells that somebody signed out there.">
          {(aria) => (
            <span id={aria.id}>
              <Copyable text={provider.logoutUri ?? ''} />
            </span>
          )}
        </Field>
      )}
      <Field label="On the button" error={errors.title?.message}>
        {(aria) => <Input {...aria} placeholder="Our company" {...form.register('title')} />}
      </Field>
      <Field label="Issuer" error={errors.issuer?.message}>
        {(aria) => <Input {...aria} placeholder={preset.example} {...form.register('issuer')} />}
      </Field>
      <Field label="Client id" error={errors.clientId?.message}>
        {(aria) => <Input {...aria} autoComplete="off" {...form.register('clientId')} />}
      </Field>
      <Field
        label="Client secret"
        error={errors.clientSecret?.message}
        hint={provider?.hasSecret === true ? 'One is stored. Leave this empty to keep it.' : undefined}
      >
        {(aria) => <Input {...aria} type="password" autoComplete="off" {...form.register('clientSecret')} />}
      </Field>
      <Field label="Scopes" error={errors.scopes?.message}>
        {(aria) => <Input {...aria} {...form.register('scopes')} />}
      </Field>
      <Field label="Who gets an account">
        {(aria) => (
          <Select
            {...aria}
            value={values.provisioning}
            onChange={(next) => form.setValue('provisioning', next)}
            options={provisionings.map((value) => ({ value, label: provisioningWords[value] }))}
          />
        )}
      </Field>
      <Field
        label="Domains"
        optional={values.provisioning !== 'domains'}
        error={errors.domains?.message}
        hint="When given, addresses of other domains are not believed."
      >
        {(aria) => <Input {...aria} placeholder="example.com" {...form.register('domains')} />}
      </Field>
      <Field label="Claim with groups" optional error={errors.groupsClaim?.message}>
        {(aria) => <Input {...aria} placeholder="groups" {...form.register('groupsClaim')} />}
      </Field>
      <Mappings rows={mappings} change={changeMappings} organizations={memberships.map((each) => each.organization)} />
      <Field
        label="Ask again every"
        error={errors.recheckMinutes?.message}
        hint="Minutes. Whoever is disabled there is signed out here."
      >
        {(aria) => <Input {...aria} type="number" min={1} max={1440} {...form.register('recheckMinutes')} />}
      </Field>
      <Switch
        label="Enabled"
        hint="Switching it off signs out everybody who came through it."
        checked={values.enabled}
        onChange={(enabled) => form.setValue('enabled', enabled)}
      />
    </FormPanel>
  );
}

type Mapping = { value: string; organization: string; role: Role };

function Mappings({
  rows,
  change,
  organizations,
}: {
  rows: Mapping[];
  change: (rows: Mapping[]) => void;
  organizations: readonly { id: string; title: string }[];
}) {
  const [first] = organizations;
  const set = (at: number, part: Partial<Mapping>) =>
    change(rows.map((row, index) => (index === at ? { ...row, ...part } : row)));
  const known = (id: string) => organizations.some((organization) => organization.id === id);
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1.5 font-medium text-sm">Roles by group</legend>
      <p className="text-faint text-xs">
        Given at every sign-in and taken away with the group. An asterisk is whoever signs in.
      </p>
      {rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity of their own
        <div key={index} className="flex flex-col gap-2 rounded-md border border-line p-2.5">
          <Input
            aria-label={`Group ${index + 1}`}
            placeholder="staff"
            value={row.value}
            onChange={(event) => set(index, { value: event.target.value })}
          />
          <div className="grid grid-cols-2 gap-2">
            <Select
              label={`Organization ${index + 1}`}
              value={row.organization}
              onChange={(organization) => set(index, { organization })}
              options={[
                ...organizations.map(({ id, title }) => ({ value: id, label: title })),
                ...(known(row.organization) ? [] : [{ value: row.organization, label: row.organization }]),
              ]}
            />
            <Select
              label={`Role ${index + 1}`}
              value={row.role}
              onChange={(role) => set(index, { role })}
              options={roles.map((role) => ({ value: role, label: role }))}
            />
          </div>
          <Button size="sm" className="self-end" onClick={() => change(rows.filter((_, at) => at !== index))}>
            Remove
          </Button>
        </div>
      ))}
      <Button
        size="sm"
        className="self-start"
        blocked={first === undefined && 'You belong to no organization.'}
        onClick={() => first !== undefined && change([...rows, { value: '', organization: first.id, role: 'member' }])}
      >
        Add a role
      </Button>
    </fieldset>
  );
}
