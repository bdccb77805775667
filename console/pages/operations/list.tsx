import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Activity } from 'lucide-react';
import { useState } from 'react';
import { apiQuery } from '../../api/queries.ts';
import { OperationsTable } from '../../components/operations-table.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useProject } from '../../shell/session.ts';
import { FilterInput } from '../../table/filter-input.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Segmented } from '../../ui/segmented.tsx';

export function OperationsPage() {
  const project = useProject();
  const search = useSearch({ from: '/shell/p/$project/operations' });
  const navigate = useNavigate({ from: '/p/$project/operations' });
  const [filter, setFilter] = useState('');
  const query = useQuery(
    apiQuery('operationsList', {
      params: { project: project.id },
      query: { limit: 200, ...(search.state === undefined ? {} : { state: search.state }) },
    }),
  );
  return (
    <>
      <PageHeader
        title="Operations"
        description="Everything that took longer than a moment: what it did, how long, and what went wrong."
      />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <FilterInput label="Filter operations" placeholder="What, whose…" value={filter} onChange={setFilter} />
        <Segmented
          label="State"
          value={search.state ?? 'all'}
          onChange={(state) => void navigate({ search: { state: state === 'all' ? undefined : state }, replace: true })}
          options={[
            { value: 'all', label: 'All' },
            { value: 'running', label: 'Running' },
            { value: 'failed', label: 'Failed' },
          ]}
        />
      </div>
      <QueryView query={query}>
        {({ items }) => (
          <OperationsTable
            operations={items}
            filter={filter}
            empty={
              <EmptyState
                icon={<Activity />}
                title={search.state === undefined ? 'No operations yet' : `None ${search.state}`}
              >
                Creating, starting, resizing and the like appear here with their steps.
              </EmptyState>
            }
          />
        )}
      </QueryView>
    </>
  );
}
