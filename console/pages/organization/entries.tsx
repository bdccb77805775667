import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { toast } from 'sonner';
import { call, type OutputOf, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Button } from '../../ui/button.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { TimeAgo } from '../../ui/time.tsx';

type Entry = OutputOf<'entriesList'>['items'][number];

/** When administrators of the installation were in here, why, and until when. */
export function EntriesPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const params = { organization: organizationId };
  const entries = useQuery(apiQuery('entriesList', { params }));
  async function end(entry: Entry) {
    try {
      await call('entriesEnd', { params: { ...params, entry: entry.id } });
      toast.success('Ended: they are out');
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'entriesList' });
  }
  return (
    <>
      <PageHeader
        title="Entries"
        description="Administrators of the installation see nothing in here unless they enter: with a reason, as an operator, for a time. You may end it."
      />
      <QueryView query={entries}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-soft">Nobody has entered.</p>
          ) : (
            <DataTable<Entry>
              label="Entries"
              rows={items}
              rowId={(row) => row.id}
              rowName={(row) => row.user.name}
              columns={[
                {
                  id: 'who',
                  header: 'Who',
                  cell: (row) => (
                    <div className="min-w-0">
                      <p className="font-medium">{row.user.name}</p>
                      <p className="truncate text-faint text-xs">{row.user.email}</p>
                    </div>
                  ),
                },
                { id: 'why', header: 'Why', cell: (row) => row.reason },
                { id: 'began', header: 'Began', from: 'sm', cell: (row) => <TimeAgo at={row.createdAt} /> },
                { id: 'ends', header: 'Ends', cell: (row) => <TimeAgo at={row.endedAt ?? row.expiresAt} /> },
                actionsColumn((row) =>
                  row.can.end === true ? (
                    <Button size="sm" onClick={() => void end(row)}>
                      End now
                    </Button>
                  ) : null,
                ),
              ]}
            />
          )
        }
      </QueryView>
    </>
  );
}
