import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { toApiError } from '../api/client.ts';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { SkeletonRows } from '../ui/skeleton.tsx';

/** Loading, failure, data: the three faces of every fetched part. Data that could not be renewed stays on screen. */
export function QueryView<T>({
  query,
  children,
  rows = 5,
}: {
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
  rows?: number;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) {
    const error = toApiError(query.error);
    return (
      <ErrorPanel
        title={error.title}
        detail={error.message}
        requestId={error.requestId}
        onRetry={() => void query.refetch()}
      />
    );
  }
  return <SkeletonRows rows={rows} />;
}
