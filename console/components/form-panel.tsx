/**
 * The frame of every form beside or above a page: title, fields, what went wrong, how to do the same by command line, and
 * the two buttons.
 */
import { type FormEvent, type ReactNode, useId } from 'react';
import type { PlannedCall } from '../actions/instances.ts';
import type { ApiError } from '../api/client.ts';
import { Button } from '../ui/button.tsx';
import { Dialog, SidePanel } from '../ui/dialog.tsx';
import { FormError } from './error-text.tsx';
import { ShowAs } from './show-as.tsx';

type FormFrame = {
  title: string;
  description?: string | undefined;
  /** On the button that sends. */
  label: string;
  danger?: boolean;
  /** What `useApiForm` gave. */
  form: { formState: { isSubmitting: boolean }; failure: ApiError | null };
  onSubmit: (event: FormEvent) => unknown;
  onClose: () => void;
  children: ReactNode;
};

function FormButtons({
  id,
  label,
  danger = false,
  form,
  onClose,
}: Pick<FormFrame, 'label' | 'danger' | 'form' | 'onClose'> & { id: string }) {
  return (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button type="submit" form={id} tone={danger ? 'danger' : 'primary'} busy={form.formState.isSubmitting}>
        {label}
      </Button>
    </>
  );
}

/** At the side, for creations and edits. */
export function FormPanel({
  show,
  made,
  ...frame
}: FormFrame & {
  /** The same by command line and API call. */
  show?: { cli: string; planned: PlannedCall };
  /** What stands there instead of the form once it was sent, where that is to be kept: a secret, a link. */
  made?: { content: ReactNode; label: string } | null;
}) {
  const id = useId();
  const { title, description, form, onSubmit, onClose, children } = frame;
  const sent = made !== undefined && made !== null;
  return (
    <SidePanel
      open
      onClose={onClose}
      title={title}
      description={description}
      footer={
        sent ? (
          <Button tone="primary" onClick={onClose}>
            {made.label}
          </Button>
        ) : (
          <FormButtons {...frame} id={id} />
        )
      }
    >
      {sent ? (
        made.content
      ) : (
        <form
          id={id}
          noValidate
          onSubmit={(event) => void onSubmit(event)}
          className={show === undefined ? 'flex flex-col gap-4' : 'flex flex-col gap-5'}
        >
          {children}
          <FormError error={form.failure} />
          {show === undefined ? null : (
            <div className="border-line border-t pt-4">
              <ShowAs {...show} />
            </div>
          )}
        </form>
      )}
    </SidePanel>
  );
}

/** In the middle, for a field or two. */
export function FormDialog(frame: FormFrame) {
  const id = useId();
  const { title, description, form, onSubmit, onClose, children } = frame;
  return (
    <Dialog open onClose={onClose} title={title} description={description} footer={<FormButtons {...frame} id={id} />}>
      <form id={id} noValidate onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-4">
        {children}
        <FormError error={form.failure} />
      </form>
    </Dialog>
  );
}
