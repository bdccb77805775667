import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { Instance } from '#contract/instances.ts';
import type { InstanceActionId } from '../../actions/instances.ts';
import { actionById, blockedReason } from '../../actions/instances.ts';
import { requestAction } from '../../actions/request.ts';
import { call, toApiError } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { formatBytes } from '../../lib/format.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useMay } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Switch } from '../../ui/switch.tsx';
import { useInstance } from './context.ts';

function ActionRow({
  instance,
  action,
  title,
  children,
}: {
  instance: Instance;
  action: InstanceActionId;
  title: string;
  children: React.ReactNode;
}) {
  const definition = actionById(action);
  return (
    <div className="flex flex-wrap items-center gap-3 px-4 py-3.5">
      <div className="min-w-0 flex-1">
        <p className="font-medium text-sm">{title}</p>
        <p className="text-faint text-xs">{children}</p>
      </div>
      <Button
        tone={definition.danger === true ? 'danger' : 'secondary'}
        icon={<definition.icon />}
        blocked={blockedReason(definition, instance)}
        onClick={() => requestAction(action, [instance])}
      >
        {definition.label}
      </Button>
    </div>
  );
}

export function SettingsTab() {
  const instance = useInstance();
  const mayUpdate = useMay('instance.update');
  const [switching, setSwitching] = useState(false);
  const form = useApiForm(z.object({ description: z.string().trim().max(500, 'At most 500 characters.') }), {
    description: instance.description,
  });
  const put = (next: Instance) =>
    queryClient.setQueryData(['instancesGet', { params: { instance: instance.id } }], next);
  async function protect(on: boolean) {
    setSwitching(true);
    try {
      put(await call('instancesUpdate', { params: { instance: instance.id }, body: { protected: on } }));
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    } finally {
      setSwitching(false);
    }
  }
  return (
    <div className="flex max-w-3xl flex-col gap-5">
      <Card title="Description">
        <form
          noValidate
          className="flex flex-col gap-3"
          onSubmit={form.submit(async (values) => {
            put(await call('instancesUpdate', { params: { instance: instance.id }, body: values }));
            form.reset(values);
            toast.success('Saved');
          })}
        >
          <Field label="What it is for" optional error={form.formState.errors.description?.message}>
            {(aria) => <Input {...aria} disabled={!mayUpdate} {...form.register('description')} />}
          </Field>
          <FormError error={form.failure} />
          <Button
            type="submit"
            className="w-fit"
            busy={form.formState.isSubmitting}
            blocked={mayUpdate ? undefined : 'Your role does not allow this.'}
          >
            Save
          </Button>
        </form>
      </Card>
      <Card title="Change" flush>
        <div className="divide-y divide-line">
          <ActionRow instance={instance} action="rename" title="Name">
            {instance.name}. The address follows the name.
          </ActionRow>
          <ActionRow instance={instance} action="resize" title="Size">
            {instance.size.cpus} CPU, {formatBytes(instance.size.memoryBytes)} memory,{' '}
            {formatBytes(instance.size.diskBytes)} disk. Takes effect without a restart.
          </ActionRow>
          <ActionRow instance={instance} action="clone" title="Clone">
            A new instance with the same disk and its own identity.
          </ActionRow>
          <ActionRow instance={instance} action="transfer" title="Project">
            With disk, snapshots and routes into another project. It restarts with a new internal address.
          </ActionRow>
        </div>
      </Card>
      <Card title="Sharing" flush>
        <ActionRow instance={instance} action="share" title="Who may open it">
          Give it to a person or a group without showing them the rest of the project, and see who opens it by their
          role.
        </ActionRow>
      </Card>
      <Card title="Protection and removal" flush>
        <div className="divide-y divide-line">
          <div className="px-4 py-3.5">
            <Switch
              checked={instance.protected}
              disabled={switching || !mayUpdate}
              onChange={(on) => void protect(on)}
              label="Protect it"
              hint="While this is on, nobody can delete it, on no page and by no command."
            />
          </div>
          {instance.phase === 'archived' ? (
            <>
              <ActionRow instance={instance} action="restore" title="Restore">
                Brings it back with everything on its disk.
              </ActionRow>
              <ActionRow instance={instance} action="purge" title="Remove for good">
                Erases its disk and snapshots now instead of waiting.
              </ActionRow>
            </>
          ) : instance.phase === 'failed' ? (
            <ActionRow instance={instance} action="purge" title="Remove for good">
              Its creation failed: nothing of value is on it.
            </ActionRow>
          ) : (
            <ActionRow instance={instance} action="archive" title="Delete">
              Kept for 7 days, then removed for good.
            </ActionRow>
          )}
        </div>
      </Card>
    </div>
  );
}
