import { useQuery } from '@tanstack/react-query';
import { Camera, CopyPlus, Trash2, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { CloneForm } from '../../actions/forms.tsx';
import { absorbAccepted } from '../../actions/host.tsx';
import { requestAction } from '../../actions/request.ts';
import type { OutputOf } from '../../api/client.ts';
import { call, newIdempotencyKey } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { formatMoment } from '../../lib/format.ts';
import { actionsColumn, timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { ListHead } from '../../table/list-head.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { useInstance } from './context.ts';

type Snapshot = OutputOf<'snapshotsList'>['items'][number];

export function SnapshotsTab() {
  const instance = useInstance();
  const query = useQuery(apiQuery('snapshotsList', { params: { instance: instance.id } }));
  const [asked, setAsked] = useState<{ what: 'rollback' | 'delete' | 'clone'; snapshot: Snapshot } | null>(null);
  /** Rolls back to it or deletes it. */
  async function end(what: 'rollback' | 'delete', snapshot: Snapshot) {
    const accepted = await call(
      what === 'rollback' ? 'snapshotsRollback' : 'snapshotsDelete',
      { params: { instance: instance.id, snapshot: snapshot.id } },
      { idempotencyKey: newIdempotencyKey() },
    );
    absorbAccepted(accepted);
    void queryClient.invalidateQueries({ queryKey: ['snapshotsList'] });
    toast.message(accepted.operation.title);
  }
  const reason = (verb: 'snapshot' | 'rollback' | 'clone') =>
    instance.can[verb] === true ? undefined : String(instance.can[verb]);

  const take = (
    <Button
      tone="primary"
      icon={<Camera />}
      blocked={reason('snapshot')}
      onClick={() => requestAction('snapshot', [instance])}
    >
      Take a snapshot
    </Button>
  );
  return (
    <>
      <QueryView query={query}>
        {({ items }) => (
          <>
            {items.length === 0 ? null : (
              <ListHead action={take}>Pictures of the disk to go back to, or to clone from.</ListHead>
            )}
            <DataTable<Snapshot>
              label="Snapshots"
              rows={items}
              rowId={(row) => row.id}
              rowName={(row) => row.name}
              empty={
                <EmptyState icon={<Camera />} title="No snapshots" action={take}>
                  Take one before an upgrade: rolling back takes seconds.
                </EmptyState>
              }
              columns={[
                { id: 'name', header: 'Name', cell: (row) => <span className="font-medium">{row.name}</span> },
                {
                  id: 'state',
                  header: 'State',
                  cell: (row) => (
                    <Badge
                      dot
                      moving={row.state === 'creating' || row.state === 'deleting'}
                      tone={row.state === 'ready' ? 'ok' : row.state === 'failed' ? 'bad' : 'busy'}
                    >
                      {
                        { ready: 'Ready', creating: 'Being taken', deleting: 'Being deleted', failed: 'Failed' }[
                          row.state
                        ]
                      }
                    </Badge>
                  ),
                },
                timeColumn('at', 'Taken', (row) => row.createdAt),
                {
                  id: 'by',
                  header: 'By',
                  from: 'md',
                  cell: (row) => <span className="text-soft">{row.createdBy}</span>,
                },
                actionsColumn((row) => (
                  <span className="inline-flex items-center gap-1">
                    <Button
                      size="sm"
                      icon={<Undo2 />}
                      blocked={row.state === 'ready' ? reason('rollback') : 'It is not ready.'}
                      onClick={() => setAsked({ what: 'rollback', snapshot: row })}
                    >
                      Roll back
                    </Button>
                    <ActionsMenu
                      of={row.name}
                      entries={[
                        {
                          key: 'clone',
                          label: 'Clone to a new instance…',
                          icon: <CopyPlus />,
                          blocked: reason('clone'),
                          onSelect: () => setAsked({ what: 'clone', snapshot: row }),
                        },
                        { kind: 'separator', key: 'line' },
                        {
                          key: 'delete',
                          label: 'Delete…',
                          icon: <Trash2 />,
                          danger: true,
                          blocked: reason('snapshot'),
                          onSelect: () => setAsked({ what: 'delete', snapshot: row }),
                        },
                      ]}
                    />
                  </span>
                )),
              ]}
            />
          </>
        )}
      </QueryView>
      {asked?.what === 'clone' ? (
        <CloneForm instance={instance} snapshot={asked.snapshot} onClose={() => setAsked(null)} />
      ) : null}
      {asked === null || asked.what === 'clone' ? null : (
        <ConfirmDialog
          onClose={() => setAsked(null)}
          onConfirm={() => end(asked.what === 'rollback' ? 'rollback' : 'delete', asked.snapshot)}
          danger
          title={
            asked.what === 'rollback'
              ? `Roll ${instance.name} back to “${asked.snapshot.name}”?`
              : `Delete the snapshot “${asked.snapshot.name}”?`
          }
          confirmLabel={asked.what === 'rollback' ? 'Roll back' : 'Delete the snapshot'}
          typeName={asked.what === 'rollback' ? instance.name : undefined}
          body={
            asked.what === 'rollback' ? (
              <p>
                Everything that changed on its disk since{' '}
                <strong>{formatMoment(Date.parse(asked.snapshot.createdAt))}</strong> is lost for good. It restarts on
                the way. Take a snapshot first if you may want to come back.
              </p>
            ) : (
              <p>The instance itself is not touched. This snapshot cannot be brought back.</p>
            )
          }
        />
      )}
    </>
  );
}
