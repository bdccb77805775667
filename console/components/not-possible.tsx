import { MonitorOff } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Instance } from '#contract/instances.ts';
import { actionById, blockedReason } from '../actions/instances.ts';
import { requestAction } from '../actions/request.ts';
import { Button } from '../ui/button.tsx';
import { EmptyState } from '../ui/empty-state.tsx';

/** In place of a screen, terminal or log that cannot be opened now: why, and the way there. */
export function NotPossible({
  instance,
  title,
  reason,
  children,
}: {
  instance: Instance;
  title: string;
  reason: string;
  children?: ReactNode;
}) {
  const next = (['start', 'resume'] as const)
    .map(actionById)
    .find((action) => action.applies(instance) && blockedReason(action, instance) === undefined);
  return (
    <div className="card">
      <EmptyState
        icon={<MonitorOff />}
        title={title}
        action={
          next === undefined ? (
            children
          ) : (
            <Button tone="primary" icon={<next.icon />} onClick={() => requestAction(next.id, [instance])}>
              {next.label} {instance.name}
            </Button>
          )
        }
      >
        {reason}
      </EmptyState>
    </div>
  );
}
