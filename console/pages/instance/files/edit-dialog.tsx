import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { toast } from 'sonner';
import { FILE_EDITED_BYTES_MAX, joinPath } from '#domain/files.ts';
import { call, readBytes, toApiError } from '../../../api/client.ts';
import { queryClient } from '../../../api/queries.ts';
import { EditorDialog } from '../../../components/editor-dialog.tsx';
import { randomToken } from '../../../lib/random.ts';
import { Button } from '../../../ui/button.tsx';

/** Text is what has no zero bytes and is valid UTF-8; null for everything else. */
function textOf(bytes: ArrayBuffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

export function EditDialog({
  instance,
  folder,
  name,
  sizeBytes,
  mayWrite,
  onClose,
}: {
  instance: string;
  folder: string;
  name: string;
  /** Null: it is not there yet. */
  sizeBytes: number | null;
  mayWrite: boolean;
  onClose: () => void;
}) {
  const path = joinPath(folder, name);
  const tooLarge = (sizeBytes ?? 0) > FILE_EDITED_BYTES_MAX;
  const query = useQuery({
    queryKey: ['fileText', instance, path],
    enabled: !tooLarge,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      if (sizeBytes === null) return { text: '' as string | null, version: undefined as string | undefined };
      const { bytes, version } = await readBytes('filesRead', { params: { instance }, query: { path } });
      return { text: textOf(bytes), version: version as string | undefined };
    },
  });
  const [changed, setChanged] = useState<string | null>(null);
  const [saved, setSaved] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ReturnType<typeof toApiError> | null>(null);
  const text = query.data?.text;

  async function save(over: boolean): Promise<void> {
    if (changed === null || busy) return;
    setBusy(true);
    setFailure(null);
    const version = saved ?? query.data?.version;
    try {
      const entry = await call('filesWrite', {
        params: { instance },
        query: {
          path,
          upload: randomToken(16)
            .toLowerCase()
            .replace(/[^a-z0-9]/g, '0'),
          last: 'true',
          replace: sizeBytes === null && saved === null ? 'false' : 'true',
          ...(over || version === undefined || version === '' ? {} : { version }),
        },
        body: new TextEncoder().encode(changed),
      });
      setSaved(entry?.version ?? '');
      setChanged(null);
      void queryClient.invalidateQueries({ queryKey: ['filesList'] });
      toast.success(`${name} is saved`);
    } catch (thrown) {
      setFailure(toApiError(thrown));
    } finally {
      setBusy(false);
    }
  }
  const readable = typeof text === 'string';

  return (
    <EditorDialog
      title={name}
      description={path}
      height={{ all: 'h-[65dvh]' }}
      dirty={changed !== null}
      failure={failure}
      onSaveOver={sizeBytes === null ? undefined : () => void save(true)}
      loadError={query.error === null ? null : toApiError(query.error)}
      instead={
        tooLarge
          ? 'It is too large to be edited here. Download it, or use the terminal.'
          : text === null
            ? 'This is not text. Download it to look at it.'
            : undefined
      }
      editor={
        readable ? { name, text, readOnly: !mayWrite, onChange: setChanged, onSave: () => void save(false) } : null
      }
      buttons={
        mayWrite && readable ? (
          <Button
            tone="primary"
            busy={busy}
            blocked={changed === null ? 'Nothing is changed.' : undefined}
            onClick={() => void save(false)}
          >
            Save
          </Button>
        ) : null
      }
      onClose={onClose}
    />
  );
}
