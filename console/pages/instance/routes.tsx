import { useQuery } from '@tanstack/react-query';
import { EthernetPort, Globe, Plus } from 'lucide-react';
import { useState } from 'react';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { ForwardForm } from '../../components/forward-form.tsx';
import { ForwardsTable, refreshForwards } from '../../components/forwards-table.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { RouteForm } from '../../components/route-form.tsx';
import { RoutesTable } from '../../components/routes-table.tsx';
import { projectSlug } from '../../lib/scope.ts';
import { whyNot } from '../../lib/why-not.ts';
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
    <Button tone="primary" icon={<Plus />} blocked={whyNot(instance.can.route)} onClick={() => setAdding(true)}>
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
      <InstanceForwards />
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

function InstanceForwards() {
  const instance = useInstance();
  const slug = projectSlug(useSession(), useProject());
  const query = useQuery(apiQuery('forwardsList', { params: { instance: instance.id } }));
  const [adding, setAdding] = useState(false);
  return (
    <section aria-labelledby="forwards-title" className="mt-8">
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <div>
          <h2 id="forwards-title" className="font-semibold">
            Port forwards
          </h2>
          <p className="text-sm text-soft">TCP and UDP ports of the host that lead to {instance.name}.</p>
        </div>
        <Button icon={<Plus />} blocked={whyNot(instance.can.forward)} onClick={() => setAdding(true)}>
          Forward a port
        </Button>
      </div>
      <QueryView query={query}>
        {({ items }) => (
          <ForwardsTable
            forwards={items}
            slug={slug}
            empty={
              <EmptyState icon={<EthernetPort />} title="No port forwards">
                For what does not speak HTTP: a port of the host leads straight to a port inside.
              </EmptyState>
            }
          />
        )}
      </QueryView>
      {adding ? <ForwardForm instance={instance} onClose={() => setAdding(false)} onDone={refreshForwards} /> : null}
    </section>
  );
}
