/** The forms behind "Take a snapshot", "Clone", "Rename", "Resize" and "Move to another project". */
import { useQuery } from '@tanstack/react-query';
import { useLocation, useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { Instance } from '#contract/instances.ts';
import { nameProblem } from '#domain/names.ts';
import { GIB } from '#domain/sizes.ts';
import type { OutputOf } from '../api/client.ts';
import { call, newIdempotencyKey } from '../api/client.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import { FormPanel } from '../components/form-panel.tsx';
import { NameField } from '../components/name-field.tsx';
import { QuotaOfOneMore, QuotaSummary } from '../components/quota-summary.tsx';
import { shellWord } from '../components/show-as.tsx';
import type { SizeChoice } from '../components/size-picker.tsx';
import { choiceOf, chosenSize, SizePicker, sizeProblem } from '../components/size-picker.tsx';
import { useApiForm } from '../lib/use-form.ts';
import { Field, Input } from '../ui/input.tsx';
import { Notice } from '../ui/notice.tsx';
import { BackupForm } from './backup-forms.tsx';
import { absorbAccepted } from './host.tsx';
import type { InstanceActionId, PlannedCall } from './instances.ts';
import { ShareDialog } from './share.tsx';
import { TransferForm } from './transfer-form.tsx';

type Props = { instance: Instance; onClose: () => void };
const nameShape = z.string().superRefine((value, context) => {
  const problem = nameProblem(value);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

function usePattern(): string {
  return (
    useQuery({ ...apiQuery('info', {}), staleTime: Number.POSITIVE_INFINITY }).data?.instanceUrlPattern ??
    'https://{name}'
  );
}

export function ActionForm({ action, instance, onClose }: Props & { action: InstanceActionId }) {
  if (action === 'snapshot') return <SnapshotForm instance={instance} onClose={onClose} />;
  if (action === 'backup') return <BackupForm instance={instance} onClose={onClose} />;
  if (action === 'clone') return <CloneForm instance={instance} onClose={onClose} />;
  if (action === 'rename') return <RenameForm instance={instance} onClose={onClose} />;
  if (action === 'transfer') return <TransferForm instance={instance} onClose={onClose} />;
  if (action === 'resize') return <ResizeForm instance={instance} onClose={onClose} />;
  if (action === 'share') return <ShareDialog instance={instance} onClose={onClose} />;
  return null;
}

function tell(accepted: OutputOf<'instancesArchive'>): void {
  absorbAccepted(accepted);
  toast.message(accepted.operation.title);
}

function SnapshotForm({ instance, onClose }: Props) {
  const form = useApiForm(z.object({ name: z.string().trim().min(1, 'Give it a name.').max(80) }), {
    name: `${new Date().toISOString().slice(0, 16).replace('T', ' ')}`,
  });
  const name = form.watch('name');
  const planned: PlannedCall = {
    name: 'snapshotsCreate',
    input: { params: { instance: instance.id }, body: { name } },
  };
  return (
    <FormPanel
      title={`Snapshot ${instance.name}`}
      description="A picture of its disk as it is now. It takes no time and little room."
      label="Take the snapshot"
      form={form}
      onClose={onClose}
      show={{ cli: `berth snapshots create ${instance.name} ${shellWord(name)}`, planned }}
      onSubmit={form.submit(async (values) => {
        tell(
          await call(
            'snapshotsCreate',
            { params: { instance: instance.id }, body: values },
            { idempotencyKey: newIdempotencyKey() },
          ),
        );
        void queryClient.invalidateQueries({ queryKey: ['snapshotsList'] });
        onClose();
      })}
    >
      <Field label="Name" error={form.formState.errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus {...form.register('name')} />}
      </Field>
      {instance.observed === 'running' ? (
        <Notice tone="idle">It keeps running. What programs hold in memory only is not part of a snapshot.</Notice>
      ) : null}
    </FormPanel>
  );
}

/** Copies the instance, or one of its snapshots. */
export function CloneForm({ instance, onClose, snapshot }: Props & { snapshot?: { id: string; name: string } }) {
  const navigate = useNavigate();
  const pattern = usePattern();
  const key = useRef(newIdempotencyKey());
  const form = useApiForm(z.object({ name: nameShape }), { name: `${instance.name.slice(0, 34)}-copy` });
  const name = form.watch('name');
  const body = { name, snapshot: (snapshot?.id ?? null) as never };
  return (
    <FormPanel
      title={`Clone ${instance.name}`}
      description={
        snapshot === undefined
          ? 'A new instance with the same disk, and an identity of its own.'
          : `A new instance from the snapshot “${snapshot.name}”.`
      }
      label="Clone"
      form={form}
      onClose={onClose}
      show={{
        cli: `berth instances clone ${instance.name} ${name}${snapshot === undefined ? '' : ` --snapshot ${snapshot.id}`} --wait`,
        planned: { name: 'instancesClone', input: { params: { instance: instance.id }, body } },
      }}
      onSubmit={form.submit(async (values) => {
        const accepted = await call(
          'instancesClone',
          { params: { instance: instance.id }, body: { ...body, name: values.name } },
          { idempotencyKey: key.current },
        );
        tell(accepted);
        onClose();
        await navigate({ to: '/operations/$operation', params: { operation: accepted.operation.id } });
      })}
    >
      <NameField
        project={instance.project}
        pattern={pattern}
        name={name}
        error={form.formState.errors.name?.message}
        autoFocus
        onName={(next) => form.setValue('name', next, { shouldValidate: form.formState.isSubmitted })}
      />
      <QuotaOfOneMore project={instance.project} size={instance.size} />
    </FormPanel>
  );
}

function RenameForm({ instance, onClose }: Props) {
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const pattern = usePattern();
  const form = useApiForm(z.object({ name: nameShape }), { name: instance.name });
  const name = form.watch('name');
  return (
    <FormPanel
      title={`Rename ${instance.name}`}
      label="Rename"
      form={form}
      onClose={onClose}
      show={{
        cli: `berth instances rename ${instance.name} ${name}`,
        planned: { name: 'instancesRename', input: { params: { instance: instance.id }, body: { name } } },
      }}
      onSubmit={form.submit(async (values) => {
        tell(
          await call(
            'instancesRename',
            { params: { instance: instance.id }, body: values },
            { idempotencyKey: newIdempotencyKey() },
          ),
        );
        onClose();
        const old = `/instances/${instance.name}`;
        if (pathname.includes(old))
          await navigate({ href: pathname.replace(old, `/instances/${values.name}`), replace: true });
      })}
    >
      <NameField
        project={instance.project}
        pattern={pattern}
        name={name}
        unchanged={instance.name}
        error={form.formState.errors.name?.message}
        autoFocus
        onName={(next) => form.setValue('name', next, { shouldValidate: form.formState.isSubmitted })}
      />
      <Notice tone="warn" title="Its address changes with it">
        The old address ends at once and does not lead to the new one.
      </Notice>
    </FormPanel>
  );
}

function ResizeForm({ instance, onClose }: Props) {
  const [choice, setChoice] = useState<SizeChoice>(choiceOf(instance.size));
  const form = useApiForm(z.object({}), {});
  const size = chosenSize(choice);
  const smallerDisk = size.diskBytes < instance.size.diskBytes;
  const problem = sizeProblem(size) ?? (smallerDisk ? 'A disk can grow, not shrink.' : null);
  const body = { size: choice.preset === 'custom' ? size : choice.preset };
  return (
    <FormPanel
      title={`Resize ${instance.name}`}
      description="Takes effect at once, without a restart."
      label="Resize"
      form={form}
      onClose={onClose}
      show={{
        cli: `berth instances resize ${instance.name} ${choice.preset === 'custom' ? `--cpus ${size.cpus} --memory ${size.memoryBytes / GIB}GiB --disk ${size.diskBytes / GIB}GiB` : `--size ${choice.preset}`}`,
        planned: { name: 'instancesResize', input: { params: { instance: instance.id }, body } },
      }}
      onSubmit={form.submit(async () => {
        if (problem !== null) return;
        tell(
          await call(
            'instancesResize',
            { params: { instance: instance.id }, body },
            { idempotencyKey: newIdempotencyKey() },
          ),
        );
        onClose();
      })}
    >
      <SizePicker kind={instance.kind} value={choice} onChange={setChoice} />
      {smallerDisk ? (
        <Notice tone="bad">
          A disk can grow, not shrink. This one has {Math.round(instance.size.diskBytes / 1024 ** 3)} GiB.
        </Notice>
      ) : null}
      <QuotaSummary
        project={instance.project}
        plus={{
          cpus: Math.max(0, size.cpus - instance.size.cpus),
          memoryBytes: Math.max(0, size.memoryBytes - instance.size.memoryBytes),
          diskBytes: Math.max(0, size.diskBytes - instance.size.diskBytes),
        }}
        only={['cpus', 'memoryBytes', 'diskBytes']}
      />
    </FormPanel>
  );
}
