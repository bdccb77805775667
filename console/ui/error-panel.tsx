import { RotateCw, ServerCrash } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from './button.tsx';
import { Copyable } from './copy-button.tsx';

/** A page or part that could not be loaded: what happened, the id to quote, and a way to try again. */
export function ErrorPanel({
  title,
  detail,
  requestId,
  onRetry,
  action,
}: {
  title: string;
  detail: string;
  requestId: string | null;
  onRetry?: (() => void) | undefined;
  action?: ReactNode;
}) {
  return (
    <div role="alert" className="flex flex-col items-center gap-3 px-6 py-14 text-center">
      <div className="flex size-11 items-center justify-center rounded-xl bg-bad-soft text-bad" aria-hidden="true">
        <ServerCrash className="size-5.5" />
      </div>
      <div className="max-w-md">
        <h2 className="text-base">{title}</h2>
        <p className="mt-1 text-sm text-soft">{detail}</p>
      </div>
      {requestId === null ? null : (
        <p className="flex items-center gap-1 text-xs text-faint">
          Request <Copyable text={requestId} className="text-xs" />
        </p>
      )}
      <div className="flex flex-wrap justify-center gap-2">
        {onRetry === undefined ? null : (
          <Button icon={<RotateCw />} onClick={onRetry}>
            Try again
          </Button>
        )}
        {action}
      </div>
    </div>
  );
}
