import { useQuery } from '@tanstack/react-query';
import { DatabaseBackup } from 'lucide-react';
import { useState } from 'react';
import { apiQuery } from '../../api/queries.ts';
import { BackupsTable } from '../../components/backups-table.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { QuotaBars } from '../../components/quota-summary.tsx';
import { projectSlug } from '../../lib/scope.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { FilterInput } from '../../table/filter-input.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

export function ProjectBackupsPage() {
  const project = useProject();
  const slug = projectSlug(useSession(), project);
  const query = useQuery(apiQuery('backupsListProject', { params: { project: project.id }, query: { limit: 200 } }));
  const quota = useQuery(apiQuery('quotaGet', { params: { project: project.id } }));
  const [filter, setFilter] = useState('');
  return (
    <>
      <PageHeader
        title="Backups"
        description="Of every instance of this project, those that are gone included, until somebody deletes them."
      />
      {quota.data === undefined ? null : (
        <div className="mb-5 flex max-w-xl flex-col gap-3.5">
          <QuotaBars used={quota.data.used} limit={quota.data.limit} only={['backups', 'backupBytes']} />
        </div>
      )}
      {(query.data?.items.length ?? 0) > 0 ? (
        <div className="mb-3">
          <FilterInput
            label="Filter backups"
            placeholder="Instance, note, person…"
            value={filter}
            onChange={setFilter}
          />
        </div>
      ) : null}
      <QueryView query={query}>
        {({ items }) => (
          <BackupsTable
            withInstance
            backups={items}
            slug={slug}
            filter={filter}
            empty={
              <EmptyState icon={<DatabaseBackup />} title="No backups yet">
                They are made on an instance's Backups tab, or with <code>berth backups create</code>.
              </EmptyState>
            }
          />
        )}
      </QueryView>
    </>
  );
}
