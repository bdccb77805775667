import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { FormEvent, ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { toast } from 'sonner';
import { toApiError } from '../api/client.ts';
import { Button, IconButton } from './button.tsx';
import { cx } from './cx.ts';
import { Field, Input } from './input.tsx';
import { Notice } from './notice.tsx';

const backdrop =
  'fixed inset-0 z-40 bg-scrim transition-opacity duration-100 data-ending-style:opacity-0 data-starting-style:opacity-0';

type Common = {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
};

/** A small modal in the middle; on a phone it docks to the bottom. */
export function Dialog({
  open,
  onClose,
  title,
  description,
  children,
  footer,
  wide = false,
}: Common & { wide?: boolean }) {
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Viewport className="fixed inset-0 z-40 flex items-end justify-center overflow-y-auto p-3 sm:items-center sm:p-6">
          <Base.Popup
            className={cx(
              'flex max-h-[calc(100dvh-1.5rem)] w-full flex-col rounded-xl border border-line bg-raised shadow-pop outline-hidden transition-[opacity,transform] duration-100 data-ending-style:scale-[0.985] data-ending-style:opacity-0 data-starting-style:scale-[0.985] data-starting-style:opacity-0',
              wide ? 'sm:max-w-2xl' : 'sm:max-w-md',
            )}
          >
            <div className="flex items-start gap-4 px-5 pt-4.5">
              <div className="min-w-0 flex-1">
                <Base.Title className="text-lg">{title}</Base.Title>
                {description === undefined ? null : (
                  <Base.Description className="mt-1 text-sm text-soft">{description}</Base.Description>
                )}
              </div>
              <Base.Close render={<IconButton label="Close" size="sm" quiet className="-mr-1.5" />}>
                <X />
              </Base.Close>
            </div>
            <div className="min-h-0 overflow-y-auto px-5 py-4">{children}</div>
            {footer === undefined ? null : (
              <div className="flex flex-wrap justify-end gap-2 border-line border-t px-5 py-3.5">{footer}</div>
            )}
          </Base.Popup>
        </Base.Viewport>
      </Base.Portal>
    </Base.Root>
  );
}

/** A panel from the right for small creations and edits: the page stays visible behind it. */
export function SidePanel({ open, onClose, title, description, children, footer }: Common) {
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Popup className="fixed inset-y-0 right-0 z-40 flex w-full flex-col border-line border-l bg-raised shadow-pop outline-hidden transition-transform duration-150 ease-out data-ending-style:translate-x-full data-starting-style:translate-x-full sm:max-w-md">
          <div className="flex items-start gap-4 border-line border-b px-5 py-4">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-lg">{title}</Base.Title>
              {description === undefined ? null : (
                <Base.Description className="mt-0.5 text-sm text-soft">{description}</Base.Description>
              )}
            </div>
            <Base.Close render={<IconButton label="Close" size="sm" quiet className="-mr-1.5" />}>
              <X />
            </Base.Close>
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 py-5">{children}</div>
          {footer === undefined ? null : (
            <div className="flex flex-wrap justify-end gap-2 border-line border-t px-5 py-3.5">{footer}</div>
          )}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

export type ConfirmProps = {
  onClose: () => void;
  /** What is done on "yes". While it runs the dialog is busy; it closes when this resolves and says why when it rejects. */
  onConfirm: () => Promise<unknown>;
  title: string;
  /** What happens, in words: names the thing and the consequences. */
  body: ReactNode;
  confirmLabel: string;
  danger?: boolean | undefined;
  /** Only where data is lost for good: this name has to be typed. */
  typeName?: string | undefined;
};

/**
 * A question before something is done, and the doing of it: mount it to ask. A failure stands in the dialog; if somebody
 * closed it meanwhile, in a toast.
 */
export function ConfirmDialog({
  onClose,
  onConfirm,
  title,
  body,
  confirmLabel,
  danger = false,
  typeName,
}: ConfirmProps) {
  const [typed, setTyped] = useState('');
  const [wrong, setWrong] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const mounted = useRef(false);
  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
    };
  }, []);
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy) return;
    if (typeName !== undefined && typed.trim() !== typeName) {
      setWrong(true);
      return;
    }
    setBusy(true);
    setProblem(undefined);
    try {
      await onConfirm();
      if (mounted.current) onClose();
    } catch (thrown) {
      const { message } = toApiError(thrown);
      if (mounted.current) setProblem(message);
      else toast.error(message);
    }
    setBusy(false);
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="confirm-form" tone={danger ? 'danger' : 'primary'} busy={busy}>
            {confirmLabel}
          </Button>
        </>
      }
    >
      <form id="confirm-form" onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <div className="text-sm text-soft [&_strong]:font-semibold [&_strong]:text-text">{body}</div>
        {typeName === undefined ? null : (
          <Field
            label={
              <>
                Type <code className="rounded-sm bg-code px-1 py-0.5">{typeName}</code> to confirm
              </>
            }
            error={wrong ? 'The name does not match.' : undefined}
          >
            {(aria) => (
              <Input
                {...aria}
                autoFocus
                autoComplete="off"
                spellCheck={false}
                value={typed}
                onChange={(event) => {
                  setTyped(event.target.value);
                  setWrong(false);
                }}
              />
            )}
          </Field>
        )}
        {problem === undefined ? null : <Notice tone="bad">{problem}</Notice>}
      </form>
    </Dialog>
  );
}
