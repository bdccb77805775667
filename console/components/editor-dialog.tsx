import { lazy, type ReactNode, Suspense, useState } from 'react';
import type { ApiError } from '../api/client.ts';
import { Button } from '../ui/button.tsx';
import { cx } from '../ui/cx.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Notice } from '../ui/notice.tsx';
import { Spinner } from '../ui/spinner.tsx';
import { FormError } from './error-text.tsx';

const CodeEditor = lazy(async () => ({ default: (await import('./code-editor.tsx')).CodeEditor }));

function Waiting() {
  return (
    <div className="flex h-full items-center justify-center">
      <Spinner />
    </div>
  );
}

/**
 * A text in an editor over the page. What was written and not saved is never lost by a click: closing asks, and what
 * keeps it from being saved stands above it.
 */
export function EditorDialog({
  title,
  description,
  height,
  dirty,
  failure,
  onSaveOver,
  loadError,
  editor,
  instead,
  buttons,
  above,
  below,
  onClose,
}: {
  title: string;
  description: ReactNode;
  /** Class: of everything, or of the editor alone when something stands around it. */
  height: { all: string } | { editor: string };
  dirty: boolean;
  failure: ApiError | null;
  /** Present where what somebody else changed may be written over. */
  onSaveOver: (() => void) | undefined;
  loadError: ApiError | null;
  /** Null while the text is not there yet. */
  editor: {
    name: string;
    text: string;
    readOnly: boolean;
    line?: { number: number } | null;
    onChange: (text: string) => void;
    onSave: () => void;
  } | null;
  /** Why there is no text to show. */
  instead?: string | undefined;
  /** Beside Close. */
  buttons: ReactNode;
  above?: ReactNode;
  below?: ReactNode;
  onClose: () => void;
}) {
  const [leaving, setLeaving] = useState(false);
  const close = () => (dirty ? setLeaving(true) : onClose());
  return (
    <Dialog
      open
      wide
      onClose={close}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={close}>Close</Button>
          {buttons}
        </>
      }
    >
      <div className={cx('flex min-h-0 flex-col gap-3', 'all' in height && height.all)}>
        {above}
        {failure === null ? null : (
          <Notice tone="bad" title={failure.message}>
            <span className="flex flex-wrap items-center gap-2">
              What you wrote is still here.
              {failure.code === 'conflict' && onSaveOver !== undefined ? (
                <Button size="sm" onClick={onSaveOver}>
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
        <div
          className={cx(
            'overflow-hidden rounded-md border border-line',
            'all' in height ? 'min-h-0 flex-1' : height.editor,
          )}
        >
          {instead !== undefined ? (
            <p className="p-4 text-soft text-sm">{instead}</p>
          ) : loadError !== null ? (
            <div className="p-4">
              <FormError error={loadError} />
            </div>
          ) : editor === null ? (
            <Waiting />
          ) : (
            <Suspense fallback={<Waiting />}>
              <CodeEditor {...editor} />
            </Suspense>
          )}
        </div>
        {below}
      </div>
    </Dialog>
  );
}
