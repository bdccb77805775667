import { Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Forward } from '#contract/forwards.ts';
import { call } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { whyNot } from '../lib/why-not.ts';
import { actionsColumn } from '../table/columns.tsx';
import { DataTable } from '../table/data-table.tsx';
import { Badge, type Tone } from '../ui/badge.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { ConfirmDialog } from '../ui/dialog.tsx';
import { ActionsMenu } from '../ui/menu.tsx';
import { ForwardForm } from './forward-form.tsx';
import { leadsToColumn } from './leads-to.tsx';

export function refreshForwards(): void {
  for (const name of ['forwardsList', 'forwardsListProject', 'quotaGet']) {
    void queryClient.invalidateQueries({ queryKey: [name] });
  }
}

const states: Record<Forward['state'], { tone: Tone; text: string }> = {
  pending: { tone: 'busy', text: 'Opening' },
  active: { tone: 'ok', text: 'Open' },
  taken: { tone: 'bad', text: 'Port taken' },
  outside: { tone: 'bad', text: 'Not in the pool' },
  absent: { tone: 'warn', text: 'Waiting' },
};

/** Ports of the host that lead to instances; with the instance's name where forwards of several are shown. */
export function ForwardsTable({
  forwards,
  slug,
  withInstance = false,
  filter,
  empty,
}: {
  forwards: readonly Forward[];
  slug: string;
  withInstance?: boolean;
  filter?: string;
  empty: React.ReactNode;
}) {
  const [editing, setEditing] = useState<Forward | null>(null);
  const [closing, setClosing] = useState<Forward | null>(null);
  return (
    <>
      <DataTable<Forward>
        label="Port forwards"
        rows={forwards}
        rowId={(row) => row.id}
        rowName={(row) => `${row.protocol.toUpperCase()} ${row.address}`}
        filter={filter ?? ''}
        empty={empty}
        columns={[
          {
            id: 'address',
            header: 'Address',
            fills: true,
            text: (row) => `${row.address} ${row.protocol} ${row.instanceName} ${row.port} ${row.description}`,
            cell: (row) => (
              <span className="flex min-w-0 items-center gap-1 max-sm:flex-wrap">
                <span className="mono font-medium max-sm:min-w-24 max-sm:break-all sm:truncate">{row.address}</span>
                <CopyButton text={row.address} label={`Copy ${row.address}`} />
                <Badge className="uppercase">{row.protocol}</Badge>
              </span>
            ),
          },
          leadsToColumn(slug, withInstance, (row) => `port ${row.port}`),
          {
            id: 'state',
            header: 'State',
            cell: (row) => {
              const { tone, text } = states[row.state];
              return (
                <span className="flex flex-col items-start gap-0.5">
                  <Badge tone={tone}>{text}</Badge>
                  {row.problem === null ? null : (
                    <span className="min-w-30 max-w-64 sm:min-w-48 text-soft text-xs">{row.problem}</span>
                  )}
                </span>
              );
            },
          },
          {
            id: 'description',
            header: 'For',
            from: 'md',
            cell: (row) => <span className="text-soft">{row.description}</span>,
          },
          actionsColumn(
            (row) => (
              <ActionsMenu
                of={`${row.protocol.toUpperCase()} ${row.address}`}
                entries={[
                  {
                    key: 'edit',
                    label: 'Change…',
                    icon: <Pencil />,
                    blocked: whyNot(row.can.update),
                    onSelect: () => setEditing(row),
                  },
                  {
                    key: 'delete',
                    label: 'Close…',
                    icon: <Trash2 />,
                    danger: true,
                    blocked: whyNot(row.can.delete),
                    onSelect: () => setClosing(row),
                  },
                ]}
              />
            ),
            { narrow: true },
          ),
        ]}
      />
      {editing === null ? null : (
        <ForwardForm
          instance={{ id: editing.instance, name: editing.instanceName }}
          forward={editing}
          onClose={() => setEditing(null)}
          onDone={refreshForwards}
        />
      )}
      {closing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setClosing(null)}
          onConfirm={async () => {
            await call('forwardsDelete', { params: { forward: closing.id } });
            refreshForwards();
            toast.message(`${closing.address} is closed`);
          }}
          title={`Close ${closing.address}?`}
          body="New connections are refused at once, and the port becomes free for others. The instance goes on."
          confirmLabel="Close"
        />
      )}
    </>
  );
}
