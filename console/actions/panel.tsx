/** The frame of an action's form: title, fields, how to do the same by command line, and the two buttons. */
import { ShowAs } from '../components/show-as.tsx';
import { Button } from '../ui/button.tsx';
import { SidePanel } from '../ui/dialog.tsx';
import type { PlannedCall } from './instances.ts';

export function Panel({
  title,
  description,
  label,
  busy,
  onClose,
  onSubmit,
  show,
  children,
  danger,
}: {
  title: string;
  description?: string;
  label: string;
  busy: boolean;
  onClose: () => void;
  onSubmit: (event: React.FormEvent) => void;
  show: { cli: string; planned: PlannedCall };
  children: React.ReactNode;
  danger?: boolean;
}) {
  return (
    <SidePanel
      open
      onClose={onClose}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="action-form" tone={danger === true ? 'danger' : 'primary'} busy={busy}>
            {label}
          </Button>
        </>
      }
    >
      <form id="action-form" noValidate onSubmit={onSubmit} className="flex flex-col gap-5">
        {children}
        <div className="border-line border-t pt-4">
          <ShowAs {...show} />
        </div>
      </form>
    </SidePanel>
  );
}
