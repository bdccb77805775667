import { useQuery } from '@tanstack/react-query';
import { toast } from 'sonner';
import { z } from 'zod';
import type { Route } from '#contract/routes.ts';
import { hostnameProblem } from '#domain/names.ts';
import type { PlannedCall } from '../actions/instances.ts';
import { call } from '../api/client.ts';
import { apiQuery } from '../api/queries.ts';
import { useApiForm } from '../lib/use-form.ts';
import { Button } from '../ui/button.tsx';
import { SidePanel } from '../ui/dialog.tsx';
import { Field, Input } from '../ui/input.tsx';
import { Notice } from '../ui/notice.tsx';
import { Segmented } from '../ui/segmented.tsx';
import { FormError } from './error-text.tsx';
import { ShowAs } from './show-as.tsx';

const schema = z.object({
  label: z.string().trim().toLowerCase(),
  port: z.coerce
    .number({ message: 'A number from 1 to 65535.' })
    .int()
    .min(1, 'A number from 1 to 65535.')
    .max(65535, 'A number from 1 to 65535.'),
  visibility: z.enum(['private', 'public']),
});

/** Add a route, or change port and visibility of one. Works within a second of pressing the button. */
export function RouteForm({
  instance,
  route,
  onClose,
  onDone,
}: {
  instance: { id: string; name: string };
  route?: Route;
  onClose: () => void;
  onDone: () => void;
}) {
  const info = useQuery({ ...apiQuery('info', {}), staleTime: Number.POSITIVE_INFINITY });
  const domain = info.data?.domain ?? 'berth.localhost';
  const adding = route === undefined;
  const form = useApiForm(schema, {
    label: '',
    port: (route?.port ?? 8080) as never,
    visibility: route?.visibility ?? 'private',
  });
  const values = form.watch();
  const { errors, isSubmitting } = form.formState;
  const hostname = adding ? `${values.label.trim().toLowerCase()}.${domain}` : route.hostname;
  const port = Number(values.port);
  const planned: PlannedCall = adding
    ? {
        name: 'routesCreate',
        input: { params: { instance: instance.id }, body: { hostname, port, visibility: values.visibility } },
      }
    : {
        name: 'routesUpdate',
        input: {
          params: { route: route.id },
          body: { ...(route.target === 'port' ? { port } : {}), visibility: values.visibility },
        },
      };
  const cli = adding
    ? `berth routes add ${instance.name} ${values.label.trim() === '' ? 'NAME' : values.label.trim().toLowerCase()} --port ${port}${values.visibility === 'public' ? ' --public' : ''}`
    : `berth routes update ${hostname}${route.target === 'port' ? ` --port ${port}` : ''} --${values.visibility}`;
  return (
    <SidePanel
      open
      onClose={onClose}
      title={adding ? `Add a route to ${instance.name}` : `Change ${route.hostname}`}
      description={adding ? 'An HTTPS address that leads to a port inside. It works at once.' : undefined}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="route-form" tone="primary" busy={isSubmitting}>
            {adding ? 'Add the route' : 'Save'}
          </Button>
        </>
      }
    >
      <form
        id="route-form"
        noValidate
        className="flex flex-col gap-5"
        onSubmit={form.submit(async (valid) => {
          const problem = adding ? (valid.label === '' ? 'Give it a name.' : hostnameProblem(hostname)) : null;
          if (problem !== null) {
            form.setError('label', { message: problem }, { shouldFocus: true });
            return;
          }
          let saved: Route;
          try {
            if (adding)
              saved = await call('routesCreate', {
                params: { instance: instance.id },
                body: { hostname, port: valid.port, visibility: valid.visibility },
              });
            else
              saved = await call('routesUpdate', {
                params: { route: route.id },
                body: { ...(route.target === 'port' ? { port: valid.port } : {}), visibility: valid.visibility },
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
                <span className="mono text-faint text-sm">.{domain}</span>
              </div>
            )}
          </Field>
        ) : null}
        {!adding && route.target === 'screen' ? null : (
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
        {values.visibility === 'public' ? (
          <Notice tone="warn" title="Open to everybody who can reach this installation">
            Berth asks nobody to sign in. What answers on port {Number.isFinite(port) ? port : '…'} has to protect
            itself.
          </Notice>
        ) : null}
        <FormError error={form.failure} />
        <div className="border-line border-t pt-4">
          <ShowAs cli={cli} planned={planned} />
        </div>
      </form>
    </SidePanel>
  );
}
