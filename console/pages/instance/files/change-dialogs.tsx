/** The small questions: a name, permissions, whether to remove. */
import { useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { FileItem } from '#contract/files.ts';
import { fileNameProblem, joinPath, modeText } from '#domain/files.ts';
import { call, toApiError } from '../../../api/client.ts';
import { FormError } from '../../../components/error-text.tsx';
import { FormDialog } from '../../../components/form-panel.tsx';
import { plural } from '../../../lib/format.ts';
import { useApiForm } from '../../../lib/use-form.ts';
import { Button } from '../../../ui/button.tsx';
import { ConfirmDialog, Dialog } from '../../../ui/dialog.tsx';
import { Field, Input } from '../../../ui/input.tsx';
import { Checkbox } from '../../../ui/switch.tsx';

export type Place = { instance: string; folder: string; onClose: () => void; onDone: () => void };

const nameSchema = z.object({
  name: z.string().superRefine((name, context) => {
    const problem = fileNameProblem(name);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  }),
});

/** A new folder or file, or another name (with a path: another place) for what is there. */
export function NameDialog({
  instance,
  folder,
  what,
  entry,
  onClose,
  onDone,
  onNewFile,
}: Place & { what: 'folder' | 'file' | 'rename'; entry?: FileItem | undefined; onNewFile: (name: string) => void }) {
  const form = useApiForm(nameSchema, { name: entry?.name ?? '' });
  const { errors } = form.formState;
  const titles = { folder: 'New folder', file: 'New file', rename: `Rename ${entry?.name ?? ''}` };
  return (
    <FormDialog
      onClose={onClose}
      title={titles[what]}
      description={what === 'rename' ? undefined : `In ${folder}`}
      label={what === 'rename' ? 'Rename' : what === 'folder' ? 'Make the folder' : 'Write it'}
      form={form}
      onSubmit={form.submit(async ({ name }) => {
        if (what === 'file') {
          onNewFile(name);
          return;
        }
        const path = joinPath(folder, name);
        const params = { instance };
        if (what === 'folder') await call('filesMakeFolder', { params, body: { path } });
        else await call('filesMove', { params, body: { from: joinPath(folder, entry?.name ?? ''), to: path } });
        onDone();
        onClose();
      })}
    >
      <Field label="Name" error={errors.name?.message}>
        {(aria) => <Input {...aria} {...form.register('name')} autoComplete="off" spellCheck={false} />}
      </Field>
    </FormDialog>
  );
}

const who = ['Owner', 'Group', 'Everybody else'] as const;
const what = ['read', 'write', 'run'] as const;

export function ModeDialog({ instance, folder, entry, onClose, onDone }: Place & { entry: FileItem }) {
  const [mode, setMode] = useState(entry.mode & 0o777);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ReturnType<typeof toApiError> | null>(null);
  async function save() {
    setBusy(true);
    setFailure(null);
    try {
      await call('filesSetMode', { params: { instance }, body: { path: joinPath(folder, entry.name), mode } });
      onDone();
      onClose();
    } catch (thrown) {
      setFailure(toApiError(thrown));
      setBusy(false);
    }
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Permissions of ${entry.name}`}
      description={`Belongs to user ${entry.uid}, group ${entry.gid}`}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button tone="primary" busy={busy} onClick={() => void save()}>
            Save
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        {who.map((whom, group) => (
          <fieldset key={whom}>
            <legend className="mb-1 font-medium text-sm">{whom}</legend>
            <div className="flex flex-wrap gap-x-5 gap-y-1">
              {what.map((right, index) => {
                const bit = 1 << (8 - group * 3 - index);
                const words =
                  entry.type === 'folder' ? { read: 'list', write: 'add and remove', run: 'enter' }[right] : right;
                return (
                  <span key={right} className="inline-flex items-center gap-2 text-sm">
                    <Checkbox
                      checked={(mode & bit) !== 0}
                      onChange={() => setMode(mode ^ bit)}
                      label={`${whom}: ${words}`}
                    />
                    {words}
                  </span>
                );
              })}
            </div>
          </fieldset>
        ))}
        <p className="mono text-soft text-sm">
          {mode.toString(8).padStart(3, '0')} · {modeText(mode)}
        </p>
        <FormError error={failure} />
      </div>
    </Dialog>
  );
}

export function RemoveDialog({ instance, folder, entries, onClose, onDone }: Place & { entries: readonly FileItem[] }) {
  const [first] = entries;
  const folders = entries.filter((entry) => entry.type === 'folder').length;
  const title = entries.length === 1 && first !== undefined ? first.name : plural(entries.length, 'entry', 'entries');
  async function remove() {
    try {
      let removed = 0;
      for (const entry of entries) {
        const recursive = entry.type === 'folder' ? 'true' : 'false';
        const query = { path: joinPath(folder, entry.name), recursive } as const;
        removed += (await call('filesRemove', { params: { instance }, query })).removed;
      }
      toast.success(removed === 1 ? `${title} is removed` : `${removed} removed`);
    } finally {
      // Some may be gone although others could not be removed.
      onDone();
    }
  }
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={remove}
      title={`Remove ${title}?`}
      body={
        <p>
          {folders === 0 ? '' : `${plural(folders, 'folder')} with everything in ${folders === 1 ? 'it' : 'them'}. `}
          There is no way back but a snapshot that was taken before.
        </p>
      }
      confirmLabel="Remove"
    />
  );
}
