/** Packing and unpacking inside an instance: what is asked before, and what goes on. */
import { useQuery } from '@tanstack/react-query';
import { X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { z } from 'zod';
import type { FileItem } from '#contract/files.ts';
import type { Instance } from '#contract/instances.ts';
import { archiveName, archiveStem, PACKED_SUFFIX } from '#domain/file-archives.ts';
import { fileNameProblem, filePathProblem, joinPath } from '#domain/files.ts';
import { isFinished } from '#domain/operations.ts';
import { call } from '../../../api/client.ts';
import { apiQuery } from '../../../api/queries.ts';
import { FormDialog } from '../../../components/form-panel.tsx';
import { useOperation } from '../../../components/operation-progress.tsx';
import { StopOperation } from '../../../components/stop-operation.tsx';
import { plural } from '../../../lib/format.ts';
import { operationTones, operationWords } from '../../../lib/instance-view.ts';
import { useApiForm } from '../../../lib/use-form.ts';
import { Badge } from '../../../ui/badge.tsx';
import { IconButton } from '../../../ui/button.tsx';
import { Field, Input } from '../../../ui/input.tsx';
import { Checkbox } from '../../../ui/switch.tsx';
import type { Place } from './change-dialogs.tsx';

type Starting = Place & { onStarted: (operation: string) => void };

/** A rule of the domain as one of a form. */
const checkedBy = (problemOf: (text: string) => string | null) =>
  z.string().superRefine((text, context) => {
    const problem = problemOf(text);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

const packSchema = z.object({
  name: checkedBy((name) =>
    name.endsWith(PACKED_SUFFIX) ? fileNameProblem(name) : `Its name ends with ${PACKED_SUFFIX}.`,
  ),
});

export function PackDialog({
  instance,
  folder,
  entries,
  onClose,
  onStarted,
}: Starting & { entries: readonly FileItem[] }) {
  const names = entries.map(({ name }) => name);
  const form = useApiForm(packSchema, { name: archiveName(folder, names) });
  const [first] = names;
  const title = names.length === 1 && first !== undefined ? first : plural(names.length, 'entry', 'entries');
  return (
    <FormDialog
      onClose={onClose}
      title={`Pack ${title}`}
      description={`Into an archive in ${folder}`}
      label="Pack"
      form={form}
      onSubmit={form.submit(async ({ name }) => {
        const body = { folder, names, to: joinPath(folder, name) };
        onStarted((await call('filesPack', { params: { instance }, body })).operation.id);
        onClose();
      })}
    >
      <Field
        label="Name of the archive"
        error={form.formState.errors.name?.message}
        hint="It goes on inside when this page is closed. Links stay links."
      >
        {(aria) => <Input {...aria} {...form.register('name')} autoComplete="off" spellCheck={false} />}
      </Field>
    </FormDialog>
  );
}

const unpackSchema = z.object({ to: checkedBy(filePathProblem) });

export function UnpackDialog({ instance, folder, entry, onClose, onStarted }: Starting & { entry: FileItem }) {
  const form = useApiForm(unpackSchema, { to: joinPath(folder, archiveStem(entry.name)) });
  const [replace, setReplace] = useState(false);
  return (
    <FormDialog
      onClose={onClose}
      title={`Unpack ${entry.name}`}
      label="Unpack"
      form={form}
      onSubmit={form.submit(async ({ to }) => {
        const body = { path: joinPath(folder, entry.name), to, replace };
        onStarted((await call('filesUnpack', { params: { instance }, body })).operation.id);
        onClose();
      })}
    >
      <Field
        label="Into the folder"
        error={form.formState.errors.to?.message}
        hint="Made when it is not there. What is in it already is not touched: the names that clash are told."
      >
        {(aria) => <Input {...aria} {...form.register('to')} className="mono" autoComplete="off" spellCheck={false} />}
      </Field>
      <span className="inline-flex items-center gap-2 text-sm">
        <Checkbox checked={replace} onChange={setReplace} label="Replace files that are there" />
        Replace files that are there (never folders)
      </span>
    </FormDialog>
  );
}

/** What is packed and unpacked here at the moment, and how what was started on this page ended. */
export function ArchiveRuns({
  instance,
  started,
  onDone,
}: {
  instance: Instance;
  /** Operations that were started on this page. */
  started: readonly string[];
  onDone: () => void;
}) {
  const running = useQuery(
    apiQuery('operationsList', {
      params: { project: instance.project },
      query: { instance: instance.id, state: 'running' },
    }),
  );
  const [closed, setClosed] = useState<readonly string[]>([]);
  const others = (running.data?.items ?? []).filter(({ kind }) => kind === 'files.pack' || kind === 'files.unpack');
  const shown = [...new Set([...started, ...others.map(({ id }) => id)])].filter((id) => !closed.includes(id));
  if (shown.length === 0) return null;
  return (
    <section aria-label="Archives" className="mb-4 rounded-lg border border-line bg-surface p-3">
      <ul className="flex flex-col gap-2.5">
        {shown.map((id) => (
          <ArchiveRun key={id} id={id} onDone={onDone} onClose={() => setClosed((before) => [...before, id])} />
        ))}
      </ul>
    </section>
  );
}

function ArchiveRun({ id, onDone, onClose }: { id: string; onDone: () => void; onClose: () => void }) {
  const { data } = useOperation(id);
  const over = data !== undefined && isFinished(data.state);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it ends
  useEffect(() => {
    if (over) onDone();
  }, [over]);
  if (data === undefined) return null;
  const said =
    data.error?.message ?? data.steps.find(({ state }) => state === 'running' || state === 'stopped')?.message;
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
      <span className="min-w-0 break-words">{data.title}</span>
      <Badge tone={operationTones[data.state]} dot moving={!over}>
        {operationWords[data.state]}
      </Badge>
      <span className={data.error === null ? 'text-faint text-xs' : 'text-bad text-xs'} aria-live="polite">
        {said ?? ''}
      </span>
      <span className="ml-auto">
        <StopOperation operation={data} title={data.title} />
        {over ? (
          <IconButton label={`Close: ${data.title}`} size="sm" quiet onClick={onClose}>
            <X />
          </IconButton>
        ) : null}
      </span>
    </li>
  );
}
