import { CircleStop } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Operation } from '#contract/operations.ts';
import { isFinished } from '#domain/operations.ts';
import { call, toApiError } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { Button } from '../ui/button.tsx';

/** Asks a command that runs inside an instance to end; nothing where that cannot be asked. */
export function StopOperation({
  operation,
  title,
  blocked,
  onAsked,
}: {
  operation: Pick<Operation, 'id' | 'state' | 'stop' | 'stoppable'>;
  /** For those who do not see what it stands beside. */
  title: string;
  blocked?: string | undefined;
  onAsked?: () => void;
}) {
  const [busy, setBusy] = useState(false);
  if (!operation.stoppable || isFinished(operation.state)) return null;
  async function stop(): Promise<void> {
    setBusy(true);
    try {
      const now = await call('operationsStop', { params: { operation: operation.id } });
      queryClient.setQueryData(['operationsGet', { params: { operation: operation.id } }], now);
      if (now.state !== 'stopped' && isFinished(now.state)) toast.info('It had just ended.');
      onAsked?.();
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    } finally {
      setBusy(false);
    }
  }
  const asked = operation.stop !== null;
  return (
    <Button
      size="sm"
      icon={<CircleStop />}
      busy={busy || asked}
      blocked={blocked}
      aria-label={`${asked ? 'Stopping' : 'Stop'}: ${title}`}
      onClick={() => void stop()}
    >
      {asked ? 'Stopping' : 'Stop'}
    </Button>
  );
}
