import { useQuery } from '@tanstack/react-query';
import { Globe, Plus } from 'lucide-react';
import { useState } from 'react';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { RouteForm } from '../../components/route-form.tsx';
import { RoutesTable } from '../../components/routes-table.tsx';
import { projectSlug } from '../../lib/scope.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { useInstance } from './context.ts';

export function RoutesTab() {
  const instance = useInstance();
  const slug = projectSlug(useSession(), useProject());
  const query = useQuery(apiQuery('routesList', { params: { instance: instance.id } }));
  const [adding, setAdding] = useState(false);
  const add = (
    <Button
      tone="primary"
      icon={<Plus />}
      blocked={instance.can.route === true ? undefined : instance.can.route}
      onClick={() => setAdding(true)}
    >
      Add a route
    </Button>
  );
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <p className="text-sm text-soft">HTTPS addresses that lead to {instance.name}.</p>
        {add}
      </div>
      <QueryView query={query}>
        {({ items }) => (
          <RoutesTable
            routes={items}
            slug={slug}
            empty={
              <EmptyState icon={<Globe />} title="No routes">
                Start something on a port inside, then give it an address here.
              </EmptyState>
            }
          />
        )}
      </QueryView>
      {adding ? (
        <RouteForm
          instance={instance}
          onClose={() => setAdding(false)}
          onDone={() => {
            void queryClient.invalidateQueries({ queryKey: ['routesList'] });
            void queryClient.invalidateQueries({ queryKey: ['routesListProject'] });
          }}
        />
      ) : null}
    </>
  );
}
