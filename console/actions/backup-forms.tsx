/** The forms behind "Back up" and "Restore as a new instance". */
import { useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { Backup } from '#contract/backups.ts';
import type { Instance } from '#contract/instances.ts';
import { BACKUP_NOTE_LENGTH_MAX } from '#domain/backups.ts';
import { NAME_LENGTH_MAX, nameProblem } from '#domain/names.ts';
import { call, newIdempotencyKey } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { FormPanel } from '../components/form-panel.tsx';
import { QuotaSummary } from '../components/quota-summary.tsx';
import { shellWord } from '../components/show-as.tsx';
import { formatBytes, formatMoment } from '../lib/format.ts';
import { useApiForm } from '../lib/use-form.ts';
import { Field, Input } from '../ui/input.tsx';
import { Notice } from '../ui/notice.tsx';
import { absorbAccepted } from './host.tsx';
import type { PlannedCall } from './instances.ts';

export function refreshBackups(): void {
  for (const name of ['backupsList', 'backupsListProject', 'quotaGet']) {
    void queryClient.invalidateQueries({ queryKey: [name] });
  }
}

export function BackupForm({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const form = useApiForm(z.object({ note: z.string().trim().max(BACKUP_NOTE_LENGTH_MAX) }), { note: '' });
  const note = form.watch('note');
  const planned: PlannedCall = { name: 'backupsCreate', input: { params: { instance: instance.id }, body: { note } } };
  return (
    <FormPanel
      title={`Back up ${instance.name}`}
      description="An encrypted copy of its disk outside of the engine. It stays even when the instance is removed for good."
      label="Back up"
      form={form}
      onClose={onClose}
      show={{
        cli: `berth backups create ${instance.name}${note === '' ? '' : ` --note ${shellWord(note)}`}`,
        planned,
      }}
      onSubmit={form.submit(async (values) => {
        const accepted = await call(
          'backupsCreate',
          { params: { instance: instance.id }, body: values },
          { idempotencyKey: newIdempotencyKey() },
        );
        absorbAccepted(accepted);
        toast.message(accepted.operation.title);
        refreshBackups();
        onClose();
      })}
    >
      <Field label="Note" hint="What it is for. You can leave it empty." error={form.formState.errors.note?.message}>
        {(aria) => <Input {...aria} autoFocus {...form.register('note')} />}
      </Field>
      <Notice tone="idle">
        You can go on working in it. The first backup holds everything; later ones add only what changed.
      </Notice>
      <QuotaSummary
        project={instance.project}
        plus={{ backups: 1, backupBytes: instance.usage.diskBytes ?? instance.size.diskBytes }}
        only={['backups', 'backupBytes']}
      />
    </FormPanel>
  );
}

const nameShape = z.string().superRefine((value, context) => {
  const problem = nameProblem(value);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});
const SUFFIX = '-again';

/** A new instance out of a backup; the old one, if it is still there, is not touched. */
export function RecoverForm({ backup, slug, onClose }: { backup: Backup; slug: string; onClose: () => void }) {
  const navigate = useNavigate();
  const key = useRef(newIdempotencyKey());
  const proposal =
    backup.instance === null
      ? backup.instanceName
      : `${backup.instanceName.slice(0, NAME_LENGTH_MAX - SUFFIX.length)}${SUFFIX}`;
  const form = useApiForm(z.object({ name: nameShape }), { name: proposal });
  const name = form.watch('name');
  const planned: PlannedCall = {
    name: 'backupsRecover',
    input: { params: { backup: backup.id }, body: { name } },
  };
  return (
    <FormPanel
      title={`Restore a backup of ${backup.instanceName}`}
      description={`A new instance as it was ${formatMoment(Date.parse(backup.createdAt))}, with an identity of its own.`}
      label="Restore as a new instance"
      form={form}
      onClose={onClose}
      show={{ cli: `berth backups restore ${backup.id} --as ${shellWord(name)}`, planned }}
      onSubmit={form.submit(async (values) => {
        const accepted = await call(
          'backupsRecover',
          { params: { backup: backup.id }, body: values },
          { idempotencyKey: key.current },
        );
        absorbAccepted(accepted);
        toast.message(accepted.operation.title);
        refreshBackups();
        onClose();
        await navigate({
          to: '/p/$project/instances/$instance',
          params: { project: slug, instance: values.name },
        });
      })}
    >
      <Field label="Name" error={form.formState.errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus autoComplete="off" {...form.register('name')} />}
      </Field>
      <p className="text-sm text-soft">
        {backup.dataBytes === null ? null : `It holds ${formatBytes(backup.dataBytes)}. `}
        Routes and port forwards are not part of a backup: it gets a new address.
      </p>
      <QuotaSummary
        project={backup.project}
        plus={{
          instances: 1,
          cpus: backup.size.cpus,
          memoryBytes: backup.size.memoryBytes,
          diskBytes: backup.size.diskBytes,
        }}
        only={['instances', 'cpus', 'memoryBytes', 'diskBytes']}
      />
    </FormPanel>
  );
}
