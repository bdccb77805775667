import type { ApiError } from '../api/client.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import { Notice } from '../ui/notice.tsx';

/** A failed form, above its buttons: what happened, and the id to quote. */
export function FormError({ error }: { error: ApiError | null }) {
  if (error === null) return null;
  return (
    <Notice tone="bad" title={error.message}>
      {error.retryAfterSeconds === null ? null : <p>Try again in {error.retryAfterSeconds} s.</p>}
      {error.requestId === null ? null : (
        <p className="flex items-center gap-1 text-xs">
          Request <span className="mono">{error.requestId}</span>
          <CopyButton text={error.requestId} label="Copy the request id" className="!h-5 !w-5" />
        </p>
      )}
    </Notice>
  );
}
