import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import { sshRecordingRoutes } from '#contract/ssh-recordings.ts';
import { SSH_RECORDINGS_BYTES_MAX } from '#domain/ssh-recordings.ts';
import { call, type OutputOf } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes } from '../../lib/format.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Switch } from '../../ui/switch.tsx';

type Policy = OutputOf<'sshRecordingPolicyGet'>;

/** Whether SSH sessions of all servers are recorded, and for how long recordings are kept. */
export function SshRecordingCard({ organization }: { organization: string }) {
  const query = useQuery(apiQuery('sshRecordingPolicyGet', { params: { organization } }));
  return (
    <Card title="Recording of SSH sessions">
      <QueryView query={query} rows={2}>
        {(policy) => (
          <PolicyForm key={`${policy.enabled} ${policy.days}`} organization={organization} policy={policy} />
        )}
      </QueryView>
    </Card>
  );
}

function PolicyForm({ organization, policy }: { organization: string; policy: Policy }) {
  const may = policy.can.update;
  const [enabled, setEnabled] = useState(policy.enabled);
  const form = useApiForm(sshRecordingRoutes.sshRecordingPolicySet.body, {
    enabled: policy.enabled,
    days: policy.days,
  });
  const { errors, isSubmitting } = form.formState;
  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={form.submit(async ({ days }) => {
        const params = { organization };
        const after = await call('sshRecordingPolicySet', { params, body: { enabled, days } });
        queryClient.setQueryData(apiQuery('sshRecordingPolicyGet', { params }).queryKey, after);
        await queryClient.invalidateQueries({ queryKey: ['sshAccess'] });
        toast.success('Saved');
      })}
    >
      {policy.full ? (
        <Notice tone="bad" title="There is no room left for recordings">
          Nobody can open a terminal by SSH at servers that are recorded, until recordings are deleted.
        </Notice>
      ) : null}
      <Switch
        checked={enabled}
        disabled={may !== true}
        onChange={setEnabled}
        label="Record sessions at all servers"
        hint="What terminals show, not what is typed. Everybody is told when they connect; when a recording cannot be written, the session ends. Off: each server says so for itself."
      />
      <Field
        label="Days to keep recordings"
        hint={`${formatBytes(policy.usedBytes)} of ${formatBytes(SSH_RECORDINGS_BYTES_MAX)} are used.`}
        error={errors.days?.message}
      >
        {(aria) => (
          <Input
            {...aria}
            type="number"
            min={1}
            disabled={may !== true}
            className="!w-28"
            {...form.register('days', { valueAsNumber: true })}
          />
        )}
      </Field>
      <FormError error={form.failure} />
      <Button type="submit" className="w-fit" busy={isSubmitting} blocked={may === true ? undefined : may}>
        Save
      </Button>
    </form>
  );
}
