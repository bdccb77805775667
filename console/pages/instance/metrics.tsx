import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { METRICS_POLL_MS } from '../../metrics/poll.ts';
import { MetricsView } from '../../metrics/view.tsx';
import { useInstance } from './context.ts';

export function MetricsTab() {
  const instance = useInstance();
  const { range = '1h' } = useSearch({ from: '/shell/p/$project/instances/$instance/metrics' });
  const navigate = useNavigate({ from: '/p/$project/instances/$instance/metrics' });
  const query = useQuery({
    ...apiQuery('instanceMetrics', { params: { instance: instance.id }, query: { range } }),
    refetchInterval: METRICS_POLL_MS[range],
    placeholderData: keepPreviousData,
  });
  return (
    <QueryView query={query}>
      {(series) => (
        <MetricsView
          series={series}
          range={range}
          onRange={(next) => void navigate({ search: next === '1h' ? {} : { range: next }, replace: true })}
          stale={
            instance.observed === 'running' ? 'Its host has not been heard of for a while.' : 'It does not run now.'
          }
          empty="The first figures come about ten seconds after it has started."
        />
      )}
    </QueryView>
  );
}
