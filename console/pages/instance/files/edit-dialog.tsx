import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { toast } from 'sonner';
import { FILE_EDITED_BYTES_MAX, joinPath } from '#domain/files.ts';
import { call, readBytes, toApiError } from '../../../api/client.ts';
import { queryClient } from '../../../api/queries.ts';
import { FormError } from '../../../components/error-text.tsx';
import { randomToken } from '../../../lib/random.ts';
import { Button } from '../../../ui/button.tsx';
import { Dialog } from '../../../ui/dialog.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { Spinner } from '../../../ui/spinner.tsx';

const CodeEditor = lazy(async () => ({ default: (await import('./editor.tsx')).CodeEditor }));

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
  const [leaving, setLeaving] = useState(false);
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
  const close = () => (changed === null ? onClose() : setLeaving(true));

  return (
    <Dialog
      open
      wide
      onClose={close}
      title={name}
      description={path}
      footer={
        <>
          <Button onClick={close}>Close</Button>
          {mayWrite && typeof text === 'string' ? (
            <Button
              tone="primary"
              busy={busy}
              blocked={changed === null ? 'Nothing is changed.' : undefined}
              onClick={() => void save(false)}
            >
              Save
            </Button>
          ) : null}
        </>
      }
    >
      <div className="flex h-[65dvh] flex-col gap-3">
        {failure === null ? null : (
          <Notice tone="bad" title={failure.message}>
            <span className="flex flex-wrap items-center gap-2">
              What you wrote is still here.
              {failure.code === 'conflict' && sizeBytes !== null ? (
                <Button size="sm" onClick={() => void save(true)}>
                  Save over it
                </Button>
              ) : null}
            </span>
          </Notice>
        )}
        {leaving ? (
          <Notice tone="warn" title="There are changes that are not saved.">
            <span className="flex flex-wrap gap-2">
              <Button size="sm" onClick={() => setLeaving(false)}>
                Go on editing
              </Button>
              <Button size="sm" tone="danger" onClick={onClose}>
                Throw them away
              </Button>
            </span>
          </Notice>
        ) : null}
        <div className="min-h-0 flex-1 overflow-hidden rounded-md border border-line">
          {tooLarge ? (
            <p className="p-4 text-soft text-sm">
              It is too large to be edited here. Download it, or use the terminal.
            </p>
          ) : query.error !== null ? (
            <div className="p-4">
              <FormError error={toApiError(query.error)} />
            </div>
          ) : text === undefined ? (
            <div className="flex h-full items-center justify-center">
              <Spinner />
            </div>
          ) : text === null ? (
            <p className="p-4 text-soft text-sm">This is not text. Download it to look at it.</p>
          ) : (
            <Suspense
              fallback={
                <div className="flex h-full items-center justify-center">
                  <Spinner />
                </div>
              }
            >
              <CodeEditor
                name={name}
                text={text}
                readOnly={!mayWrite}
                onChange={setChanged}
                onSave={() => void save(false)}
              />
            </Suspense>
          )}
        </div>
      </div>
    </Dialog>
  );
}
