import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { isFinished } from '#domain/operations.ts';
import { apiQuery } from '../api/queries.ts';
import { formatDuration } from '../lib/format.ts';
import { operationTones, operationWords } from '../lib/instance-view.ts';
import { liveState } from '../live/connection.ts';
import { Badge } from '../ui/badge.tsx';
import { Card } from '../ui/card.tsx';
import { Notice } from '../ui/notice.tsx';
import { Skeleton } from '../ui/skeleton.tsx';
import { StepTimeline } from '../ui/steps.tsx';
import { Elapsed } from '../ui/time.tsx';
import { StopOperation } from './stop-operation.tsx';

/** Polled this often while it runs and hints do not come (milliseconds). */
const POLL_MS = 1500;

export function useOperation(id: string) {
  const live = liveState.use() === 'live';
  return useQuery({
    ...apiQuery('operationsGet', { params: { operation: id } }),
    refetchInterval: ({ state }) =>
      state.data === undefined || isFinished(state.data.state) ? false : live ? POLL_MS * 4 : POLL_MS,
  });
}

/** An operation as it happens: steps, durations, what usually is the case, and what went wrong. */
export function OperationProgress({ id, linked = true }: { id: string; linked?: boolean }) {
  const { data } = useOperation(id);
  if (data === undefined) return <Skeleton className="h-24 w-full" />;
  const running = !isFinished(data.state);
  return (
    <Card
      title={
        <span className="flex items-center gap-2.5">
          {data.title}
          <Badge tone={operationTones[data.state]} dot moving={running}>
            {operationWords[data.state]}
          </Badge>
        </span>
      }
      actions={
        <span className="tabular flex items-center gap-3 whitespace-nowrap text-faint text-xs">
          {data.startedAt === null ? null : <Elapsed from={data.startedAt} until={data.finishedAt} />}
          {running && data.usualSeconds !== null ? (
            <span className="max-sm:hidden">usually {formatDuration(data.usualSeconds * 1000)}</span>
          ) : null}
          <StopOperation operation={data} title={data.title} />
          {linked ? (
            <Link to="/operations/$operation" params={{ operation: data.id }} className="text-accent hover:underline">
              Details
            </Link>
          ) : null}
        </span>
      }
    >
      <StepTimeline steps={data.steps} />
      {data.error === null ? null : (
        <Notice tone="bad" className="mt-4" title={data.error.message}>
          <span className="mono text-xs">{data.error.code}</span>
        </Notice>
      )}
    </Card>
  );
}
