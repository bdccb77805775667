import { useQuery } from '@tanstack/react-query';
import { Globe } from 'lucide-react';
import { useState } from 'react';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { RoutesTable } from '../../components/routes-table.tsx';
import { projectSlug } from '../../lib/scope.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { FilterInput } from '../../table/filter-input.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

export function ProjectRoutesPage() {
  const project = useProject();
  const slug = projectSlug(useSession(), project);
  const query = useQuery(apiQuery('routesListProject', { params: { project: project.id }, query: { limit: 200 } }));
  const [filter, setFilter] = useState('');
  return (
    <>
      <PageHeader title="Routes" description="Every address of this project and where it leads." />
      {(query.data?.items.length ?? 0) > 0 ? (
        <div className="mb-3">
          <FilterInput
            label="Filter routes"
            placeholder="Address, instance, port…"
            value={filter}
            onChange={setFilter}
          />
        </div>
      ) : null}
      <QueryView query={query}>
        {({ items }) => (
          <RoutesTable
            withInstance
            routes={items}
            slug={slug}
            filter={filter}
            empty={
              <EmptyState icon={<Globe />} title="No routes yet">
                Every instance gets an address of its own when it is created. More are added on its Routes tab.
              </EmptyState>
            }
          />
        )}
      </QueryView>
    </>
  );
}
