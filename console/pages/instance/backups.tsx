import { useQuery } from '@tanstack/react-query';
import { DatabaseBackup } from 'lucide-react';
import { requestAction } from '../../actions/request.ts';
import { apiQuery } from '../../api/queries.ts';
import { BackupsTable } from '../../components/backups-table.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes } from '../../lib/format.ts';
import { projectSlug } from '../../lib/scope.ts';
import { whyNot } from '../../lib/why-not.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { useInstance } from './context.ts';

export function BackupsTab() {
  const instance = useInstance();
  const slug = projectSlug(useSession(), useProject());
  const query = useQuery(apiQuery('backupsList', { params: { instance: instance.id } }));
  const make = (
    <Button
      tone="primary"
      icon={<DatabaseBackup />}
      blocked={whyNot(instance.can.backup)}
      onClick={() => requestAction('backup', [instance])}
    >
      Back up
    </Button>
  );
  return (
    <QueryView query={query}>
      {({ items }) => {
        const repositories = new Map(items.map(({ repository }) => [repository.id, repository.storedBytes]));
        const stored = [...repositories.values()].reduce((sum, bytes) => sum + bytes, 0);
        return (
          <>
            {items.length === 0 ? null : (
              <div className="mb-3 flex items-center justify-between gap-3">
                <p className="text-sm text-soft">
                  Encrypted copies outside of the engine. Together they take {formatBytes(stored)}.
                </p>
                {make}
              </div>
            )}
            <BackupsTable
              backups={items}
              slug={slug}
              empty={
                <EmptyState icon={<DatabaseBackup />} title="No backups" action={make}>
                  A backup stays when the instance is removed, or its disk is lost. Snapshots do not.
                </EmptyState>
              }
            />
          </>
        );
      }}
    </QueryView>
  );
}
