import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { Route } from '#contract/routes.ts';
import { hostnameProblem } from '#domain/names.ts';
import { redirectProblem, routePathProblem } from '#domain/route-rules.ts';
import type { PlannedCall } from '../actions/instances.ts';
import { call } from '../api/client.ts';
import { apiQuery } from '../api/queries.ts';
import { useApiForm } from '../lib/use-form.ts';
import { useProject } from '../shell/session.ts';
import { Field, Input } from '../ui/input.tsx';
import { Segmented } from '../ui/segmented.tsx';
import { Select } from '../ui/select.tsx';
import { FormPanel } from './form-panel.tsx';
import { OpenToEverybody } from './leads-to.tsx';
import { draftOf, RouteRulesFields, rulesOf, rulesProblems } from './route-rules-fields.tsx';

const schema = z.object({
  label: z.string().trim().toLowerCase(),
  path: z.string().trim(),
  target: z.enum(['port', 'redirect']),
  to: z.string().trim(),
  port: z.coerce
    .number({ message: 'A number from 1 to 65535.' })
    .int()
    .min(1, 'A number from 1 to 65535.')
    .max(65535, 'A number from 1 to 65535.'),
  visibility: z.enum(['private', 'public']),
});

/** Add a route, or change where one leads, who may open it and its rules. Works within a second of pressing the button. */
export function RouteForm({
  instance,
  route,
  port: suggested = 8080,
  onClose,
  onDone,
}: {
  instance: { id: string; name: string };
  route?: Route;
  /** Filled in for a new one. */
  port?: number;
  onClose: () => void;
  onDone: () => void;
}) {
  const info = useQuery({ ...apiQuery('info', {}), staleTime: Number.POSITIVE_INFINITY });
  const platform = info.data?.domain ?? 'berth.localhost';
  const project = useProject();
  const domains = useQuery(apiQuery('domainsList', { params: { project: project.id } }));
  const proven = (domains.data?.items ?? []).filter((each) => each.state === 'verified').map((each) => each.name);
  const [under, setUnder] = useState<string | null>(null);
  const domain = under ?? platform;
  const [rules, setRules] = useState(() => draftOf(route));
  const wrong = rulesProblems(rules, route);
  const adding = route === undefined;
  const form = useApiForm(schema, {
    label: '',
    path: route?.path ?? '/',
    target: route?.target === 'redirect' ? 'redirect' : 'port',
    to: route?.redirect?.to ?? '',
    port: (route?.port ?? suggested) as never,
    visibility: route?.visibility ?? 'private',
  });
  const values = form.watch();
  const { errors } = form.formState;
  const label = values.label.trim().toLowerCase();
  // A domain of one's own may be used as it is.
  const hostname = !adding ? route.hostname : label === '' && under !== null ? under : `${label}.${domain}`;
  const redirects = values.target === 'redirect';
  const path = values.path.trim() === '' ? '/' : values.path.trim();
  const port = Number(values.port);
  const target = (chosen: number) => (redirects ? { redirect: { to: values.to.trim() } } : { port: chosen });
  const changedRules = rulesOf(rules, route);
  const more = changedRules === undefined ? {} : { rules: changedRules };
  const bodyOf = (chosen: number) => ({
    hostname,
    path,
    ...target(chosen),
    visibility: values.visibility,
    ...more,
  });
  const changeOf = (chosen: number) => ({
    ...(route?.target === 'screen' ? {} : target(chosen)),
    visibility: values.visibility,
    ...more,
  });
  const planned: PlannedCall = adding
    ? {
        name: 'routesCreate',
        input: { params: { instance: instance.id }, body: bodyOf(port) },
      }
    : {
        name: 'routesUpdate',
        input: {
          params: { route: route.id },
          body: changeOf(port),
        },
      };
  const cli = adding
    ? `berth routes add ${instance.name} ${under !== null ? hostname : label === '' ? 'NAME' : label}${path === '/' ? '' : ` --path ${path}`} ${redirects ? `--redirect ${values.to.trim() === '' ? 'URL' : values.to.trim()}` : `--port ${port}`}${values.visibility === 'public' ? ' --public' : ''}`
    : `berth routes update ${hostname}${route.target === 'port' ? ` --port ${port}` : ''} --${values.visibility}`;
  return (
    <FormPanel
      onClose={onClose}
      title={adding ? `Add a route to ${instance.name}` : `Change ${route.hostname}`}
      description={
        adding ? 'An HTTPS address that leads to a port inside or to another address. It works at once.' : undefined
      }
      label={adding ? 'Add the route' : 'Save'}
      form={form}
      show={{ cli, planned }}
      onSubmit={form.submit(async (valid) => {
        if (Object.keys(wrong).length > 0) return;
        const badPath = routePathProblem(path);
        if (badPath !== null) {
          form.setError('path', { message: badPath }, { shouldFocus: true });
          return;
        }
        const badTarget = redirects ? redirectProblem(valid.to) : null;
        if (badTarget !== null) {
          form.setError('to', { message: badTarget }, { shouldFocus: true });
          return;
        }
        const nameless = valid.label === '' && under === null;
        const problem = adding ? (nameless ? 'Give it a name.' : hostnameProblem(hostname)) : null;
        if (problem !== null) {
          form.setError('label', { message: problem }, { shouldFocus: true });
          return;
        }
        let saved: Route;
        try {
          if (adding)
            saved = await call('routesCreate', {
              params: { instance: instance.id },
              body: bodyOf(valid.port),
            });
          else
            saved = await call('routesUpdate', {
              params: { route: route.id },
              body: changeOf(valid.port),
            });
        } catch (thrown) {
          const field = (thrown as { fields?: { field: string; message: string }[] }).fields?.find(
            (each) => each.field === 'hostname',
          );
          if (field === undefined) throw thrown;
          form.setError('label', { message: field.message }, { shouldFocus: true });
          return;
        }
        onDone();
        toast.success(adding ? `${hostname} is live` : `${hostname} is changed`, {
          action: { label: 'Open', onClick: () => window.open(saved.url, '_blank', 'noopener') },
        });
        onClose();
      })}
    >
      {adding ? (
        <Field label="Address" error={errors.label?.message}>
          {(aria) => (
            <div className="flex items-center gap-1.5">
              <Input
                {...aria}
                autoFocus
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                placeholder="status"
                className="flex-1"
                {...form.register('label')}
              />
              {proven.length === 0 ? (
                <span className="mono text-faint text-sm">.{domain}</span>
              ) : (
                <Select
                  label="Domain"
                  className="!w-auto max-w-[60%]"
                  value={domain}
                  onChange={(chosen) => setUnder(chosen === platform ? null : chosen)}
                  options={[platform, ...proven].map((name) => ({ value: name, label: `.${name}` }))}
                />
              )}
            </div>
          )}
        </Field>
      ) : null}
      {adding ? (
        <div className="grid gap-5 sm:grid-cols-[9rem_1fr]">
          <Field label="Path" error={errors.path?.message} hint="/ is everything.">
            {(aria) => <Input {...aria} autoComplete="off" spellCheck={false} {...form.register('path')} />}
          </Field>
          <div className="flex flex-col gap-1.5">
            <p className="font-medium text-sm">Leads to</p>
            <Segmented
              label="Leads to"
              className="w-fit"
              value={values.target}
              onChange={(chosen) => form.setValue('target', chosen, { shouldDirty: true })}
              options={[
                { value: 'port', label: 'A port inside' },
                { value: 'redirect', label: 'Another address' },
              ]}
            />
          </div>
        </div>
      ) : null}
      {redirects ? (
        <Field label="Address to redirect to" error={errors.to?.message}>
          {(aria) => (
            <Input {...aria} type="url" autoComplete="off" placeholder="https://example.com" {...form.register('to')} />
          )}
        </Field>
      ) : null}
      {redirects || (!adding && route.target === 'screen') ? null : (
        <Field
          label="Port inside"
          error={errors.port?.message}
          hint="Where the program listens, over plain HTTP. WebSockets work too."
        >
          {(aria) => (
            <Input
              {...aria}
              type="number"
              inputMode="numeric"
              min={1}
              max={65535}
              className="w-32"
              {...form.register('port')}
            />
          )}
        </Field>
      )}
      <div className="flex flex-col gap-1.5">
        <p className="font-medium text-sm">Who may open it</p>
        <Segmented
          label="Who may open it"
          className="w-fit"
          value={values.visibility}
          onChange={(visibility) => form.setValue('visibility', visibility, { shouldDirty: true })}
          options={[
            { value: 'private', label: 'Members, signed in' },
            { value: 'public', label: 'Everybody' },
          ]}
        />
      </div>
      {values.visibility === 'public' && !redirects ? <OpenToEverybody port={port} /> : null}
      <RouteRulesFields draft={rules} problems={wrong} onChange={setRules} />
    </FormPanel>
  );
}
