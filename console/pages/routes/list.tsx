import { useQuery } from '@tanstack/react-query';
import { EthernetPort, Globe } from 'lucide-react';
import { useState } from 'react';
import { apiQuery } from '../../api/queries.ts';
import { ForwardsTable } from '../../components/forwards-table.tsx';
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
  const forwards = useQuery(
    apiQuery('forwardsListProject', { params: { project: project.id }, query: { limit: 200 } }),
  );
  const [filter, setFilter] = useState('');
  return (
    <>
      <PageHeader title="Routes" description="Every address of this project and where it leads." />
      {(query.data?.items.length ?? 0) + (forwards.data?.items.length ?? 0) > 0 ? (
        <div className="mb-3">
          <FilterInput
            label="Filter routes and port forwards"
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
      <section aria-labelledby="forwards-title" className="mt-8">
        <h2 id="forwards-title" className="mb-3 font-semibold">
          Port forwards
        </h2>
        <QueryView query={forwards}>
          {({ items }) => (
            <ForwardsTable
              withInstance
              forwards={items}
              slug={slug}
              filter={filter}
              empty={
                <EmptyState icon={<EthernetPort />} title="No port forwards">
                  TCP and UDP ports of the host that lead to instances. They are added on an instance's Routes tab.
                </EmptyState>
              }
            />
          )}
        </QueryView>
      </section>
    </>
  );
}
