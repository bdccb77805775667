import { useQuery } from '@tanstack/react-query';
import { Activity } from 'lucide-react';
import { apiQuery } from '../../api/queries.ts';
import { ActivityList } from '../../components/activity-list.tsx';
import { OperationsTable } from '../../components/operations-table.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { projectSlug } from '../../lib/scope.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { Card } from '../../ui/card.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { useInstance } from './context.ts';

export function ActivityTab() {
  const instance = useInstance();
  const slug = projectSlug(useSession(), useProject());
  const query = useQuery(
    apiQuery('operationsList', { params: { project: instance.project }, query: { instance: instance.id, limit: 50 } }),
  );
  return (
    <div className="flex flex-col gap-5">
      <QueryView query={query}>
        {({ items }) => (
          <OperationsTable operations={items} empty={<EmptyState icon={<Activity />} title="No operations yet" />} />
        )}
      </QueryView>
      <Card title="Changes" flush>
        <ActivityList project={instance.project} slug={slug} instance={instance.id} limit={50} />
      </Card>
    </div>
  );
}
