import { Link } from '@tanstack/react-router';
import { Ellipsis, Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Forward } from '#contract/forwards.ts';
import { call } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { DataTable } from '../table/data-table.tsx';
import { Badge, type Tone } from '../ui/badge.tsx';
import { IconButton } from '../ui/button.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { ConfirmDialog } from '../ui/dialog.tsx';
import { Menu } from '../ui/menu.tsx';
import { ForwardForm } from './forward-form.tsx';

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
            text: (row) => `${row.address} ${row.protocol} ${row.instanceName} ${row.port} ${row.description}`,
            cell: (row) => (
              <span className="flex min-w-0 items-center gap-1">
                <span className="mono truncate font-medium">{row.address}</span>
                <CopyButton text={row.address} label={`Copy ${row.address}`} />
                <Badge className="uppercase">{row.protocol}</Badge>
              </span>
            ),
          },
          {
            id: 'target',
            header: 'Leads to',
            cell: (row) => (
              <span className="whitespace-nowrap text-soft">
                {withInstance ? (
                  <Link
                    to="/p/$project/instances/$instance/routes"
                    params={{ project: slug, instance: row.instanceName }}
                    className="text-text hover:text-accent"
                  >
                    {row.instanceName}
                  </Link>
                ) : null}
                {withInstance ? ' · ' : ''}port {row.port}
              </span>
            ),
          },
          {
            id: 'state',
            header: 'State',
            cell: (row) => {
              const { tone, text } = states[row.state];
              return (
                <span className="flex flex-col items-start gap-0.5">
                  <Badge tone={tone}>{text}</Badge>
                  {row.problem === null ? null : (
                    <span className="min-w-48 max-w-64 text-soft text-xs">{row.problem}</span>
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
          {
            id: 'actions',
            header: 'Actions',
            quietHeader: true,
            align: 'right',
            width: 'w-12',
            cell: (row) => (
              <Menu
                label={`Actions of ${row.protocol.toUpperCase()} ${row.address}`}
                entries={[
                  {
                    key: 'edit',
                    label: 'Change…',
                    icon: <Pencil />,
                    blocked: row.can.update === true ? undefined : row.can.update,
                    onSelect: () => setEditing(row),
                  },
                  {
                    key: 'delete',
                    label: 'Close…',
                    icon: <Trash2 />,
                    danger: true,
                    blocked: row.can.delete === true ? undefined : row.can.delete,
                    onSelect: () => setClosing(row),
                  },
                ]}
                trigger={
                  <IconButton label={`Actions of ${row.protocol.toUpperCase()} ${row.address}`} size="sm" quiet>
                    <Ellipsis />
                  </IconButton>
                }
              />
            ),
          },
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
