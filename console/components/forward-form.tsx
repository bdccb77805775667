import { toast } from 'sonner';
import { z } from 'zod';
import type { Forward } from '#contract/forwards.ts';
import { type ForwardProtocol, forwardProtocols } from '#domain/forwards.ts';
import type { PlannedCall } from '../actions/instances.ts';
import { call } from '../api/client.ts';
import { copyText } from '../lib/clipboard.ts';
import { useApiForm } from '../lib/use-form.ts';
import { Field, Input } from '../ui/input.tsx';
import { Segmented } from '../ui/segmented.tsx';
import { FormPanel } from './form-panel.tsx';
import { OpenToEverybody } from './leads-to.tsx';

const ANY_PORT = 'A number from 1 to 65535.';
const schema = z.object({
  protocol: z.enum(forwardProtocols),
  port: z.coerce.number({ message: ANY_PORT }).int().min(1, ANY_PORT).max(65_535, ANY_PORT),
  hostPort: z
    .string()
    .trim()
    .regex(/^(\d{1,5})?$/, 'A number, or nothing.'),
  description: z.string().trim().max(200, 'At most 200 characters.'),
});

/** Forward a port of the host to an instance, or change where one leads. */
export function ForwardForm({
  instance,
  forward,
  onClose,
  onDone,
}: {
  instance: { id: string; name: string };
  forward?: Forward;
  onClose: () => void;
  onDone: () => void;
}) {
  const adding = forward === undefined;
  const form = useApiForm(schema, {
    protocol: forward?.protocol ?? 'tcp',
    port: (forward?.port ?? '') as never,
    hostPort: '',
    description: forward?.description ?? '',
  });
  const values = form.watch();
  const { errors } = form.formState;
  const port = Number(values.port);
  const hostPort = values.hostPort.trim() === '' ? {} : { hostPort: Number(values.hostPort) };
  const description = values.description.trim();
  const planned: PlannedCall = adding
    ? {
        name: 'forwardsCreate',
        input: {
          params: { instance: instance.id },
          body: { protocol: values.protocol, port, ...hostPort, description },
        },
      }
    : { name: 'forwardsUpdate', input: { params: { forward: forward.id }, body: { port, description } } };
  const cli = adding
    ? `berth forwards add ${instance.name} ${port || 'PORT'}${values.protocol === 'udp' ? ' --protocol udp' : ''}${'hostPort' in hostPort ? ` --host-port ${hostPort.hostPort}` : ''}`
    : `berth forwards update ${forward.protocol}/${forward.hostPort} --port ${port || 'PORT'}`;
  return (
    <FormPanel
      onClose={onClose}
      title={adding ? `Forward a port to ${instance.name}` : `Change ${forward.address}`}
      description={adding ? 'For what does not speak HTTP: games, VPNs, databases, SSH.' : undefined}
      label={adding ? 'Forward the port' : 'Save'}
      form={form}
      show={{ cli, planned }}
      onSubmit={form.submit(async (valid) => {
        const body = { port: valid.port, description: valid.description };
        const saved = adding
          ? await call('forwardsCreate', {
              params: { instance: instance.id },
              body: { ...body, protocol: valid.protocol, ...hostPort },
            })
          : await call('forwardsUpdate', { params: { forward: forward.id }, body });
        onDone();
        toast.success(`${saved.address} leads to port ${saved.port}`, {
          action: { label: 'Copy', onClick: () => void copyText(saved.address) },
        });
        onClose();
      })}
    >
      {adding ? (
        <div className="flex flex-col gap-1.5">
          <p className="font-medium text-sm">Protocol</p>
          <Segmented<ForwardProtocol>
            label="Protocol"
            className="w-fit"
            value={values.protocol}
            onChange={(protocol) => form.setValue('protocol', protocol, { shouldDirty: true })}
            options={[
              { value: 'tcp', label: 'TCP' },
              { value: 'udp', label: 'UDP' },
            ]}
          />
        </div>
      ) : null}
      <Field label="Port inside" error={errors.port?.message} hint="Where the program in the instance listens.">
        {(aria) => (
          <Input
            {...aria}
            autoFocus
            type="number"
            inputMode="numeric"
            min={1}
            max={65_535}
            className="w-32"
            {...form.register('port')}
          />
        )}
      </Field>
      {adding ? (
        <Field
          label="Port of the host"
          error={errors.hostPort?.message}
          hint="Leave it empty to get the next free one of the pool."
        >
          {(aria) => (
            <Input
              {...aria}
              inputMode="numeric"
              autoComplete="off"
              placeholder="next free"
              className="w-32"
              {...form.register('hostPort')}
            />
          )}
        </Field>
      ) : null}
      <Field label="What it is for" error={errors.description?.message}>
        {(aria) => <Input {...aria} autoComplete="off" placeholder="Game server" {...form.register('description')} />}
      </Field>
      {adding ? <OpenToEverybody port={port} /> : null}
    </FormPanel>
  );
}
