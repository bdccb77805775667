/** Backups, and what is done with them; of one instance, or of all in a project with their names. */
import { Link } from '@tanstack/react-router';
import { CopyPlus, History, ShieldCheck, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Backup } from '#contract/backups.ts';
import { RecoverForm, refreshBackups } from '../actions/backup-forms.tsx';
import { absorbAccepted } from '../actions/host.tsx';
import { call, newIdempotencyKey } from '../api/client.ts';
import { formatBytes, formatMoment } from '../lib/format.ts';
import { whyNot } from '../lib/why-not.ts';
import { actionsColumn } from '../table/columns.tsx';
import { DataTable } from '../table/data-table.tsx';
import { Badge, type Tone } from '../ui/badge.tsx';
import { ConfirmDialog } from '../ui/dialog.tsx';
import { ActionsMenu } from '../ui/menu.tsx';
import { TimeAgo } from '../ui/time.tsx';

type Asked = { what: 'restore' | 'recover' | 'verify' | 'delete'; backup: Backup };

function stateOf(backup: Backup): { tone: Tone; text: string; moving?: boolean } {
  if (backup.state === 'creating') return { tone: 'busy', text: 'Being made', moving: true };
  if (backup.state === 'deleting') return { tone: 'busy', text: 'Being deleted', moving: true };
  if (backup.repository.state === 'damaged') return { tone: 'bad', text: 'Damaged' };
  // What was made after the last look has not been looked at.
  const { state, checkedAt } = backup.repository;
  const seen = state === 'sound' && (checkedAt ?? '') >= (backup.finishedAt ?? backup.createdAt);
  return seen ? { tone: 'ok', text: 'Verified' } : { tone: 'idle', text: 'Ready' };
}

const nameOf = (backup: Backup) =>
  `the backup of ${backup.instanceName}, ${formatMoment(Date.parse(backup.createdAt))}`;

export function BackupsTable({
  backups,
  slug,
  withInstance = false,
  filter,
  empty,
}: {
  backups: readonly Backup[];
  slug: string;
  withInstance?: boolean;
  filter?: string;
  empty: React.ReactNode;
}) {
  const [asked, setAsked] = useState<Asked | null>(null);
  return (
    <>
      <DataTable<Backup>
        label="Backups"
        rows={backups}
        rowId={(row) => row.id}
        rowName={nameOf}
        filter={filter ?? ''}
        empty={empty}
        columns={[
          {
            id: 'made',
            header: 'Made',
            fills: true,
            text: (row) => `${row.instanceName} ${row.note} ${row.createdBy}`,
            cell: (row) => (
              <span className="flex min-w-0 flex-col">
                <TimeAgo at={row.createdAt} className="whitespace-nowrap font-medium" />
                {row.note === '' ? null : <span className="text-soft text-xs">{row.note}</span>}
              </span>
            ),
          },
          ...(withInstance
            ? [
                {
                  id: 'instance',
                  header: 'Instance',
                  beneath: true,
                  cell: (row: Backup) =>
                    row.instance === null ? (
                      <span className="text-soft">{row.instanceName} (gone)</span>
                    ) : (
                      <Link
                        to="/p/$project/instances/$instance/backups"
                        params={{ project: slug, instance: row.instanceName }}
                        className="hover:text-accent"
                      >
                        {row.instanceName}
                      </Link>
                    ),
                },
              ]
            : []),
          {
            id: 'state',
            header: 'State',
            cell: (row) => {
              const { tone, text, moving } = stateOf(row);
              return (
                <span className="flex flex-col items-start gap-0.5">
                  <Badge dot tone={tone} moving={moving === true}>
                    {text}
                  </Badge>
                  {row.repository.problem === null ? null : (
                    <span
                      className="line-clamp-2 min-w-30 max-w-72 sm:min-w-48 text-soft text-xs"
                      title={row.repository.problem}
                    >
                      {row.repository.problem}
                    </span>
                  )}
                </span>
              );
            },
          },
          {
            id: 'holds',
            header: 'Holds',
            align: 'right',
            from: 'md',
            cell: (row) => (
              <span className="whitespace-nowrap text-soft">
                {row.dataBytes === null ? '' : formatBytes(row.dataBytes)}
              </span>
            ),
          },
          {
            id: 'added',
            header: 'Added',
            align: 'right',
            from: 'sm',
            cell: (row) => (
              <span className="whitespace-nowrap text-soft">
                {row.addedBytes === null ? '' : formatBytes(row.addedBytes)}
              </span>
            ),
          },
          { id: 'by', header: 'By', from: 'lg', cell: (row) => <span className="text-soft">{row.createdBy}</span> },
          actionsColumn(
            (row) => (
              <ActionsMenu
                of={nameOf(row)}
                entries={[
                  {
                    key: 'recover',
                    label: 'Restore as a new instance…',
                    icon: <CopyPlus />,
                    blocked: whyNot(row.can.recover),
                    onSelect: () => setAsked({ what: 'recover', backup: row }),
                  },
                  {
                    key: 'restore',
                    label: 'Restore in place…',
                    icon: <History />,
                    blocked: whyNot(row.can.restore),
                    onSelect: () => setAsked({ what: 'restore', backup: row }),
                  },
                  {
                    key: 'verify',
                    label: 'Verify…',
                    icon: <ShieldCheck />,
                    blocked: whyNot(row.can.verify),
                    onSelect: () => setAsked({ what: 'verify', backup: row }),
                  },
                  { kind: 'separator', key: 'line' },
                  {
                    key: 'delete',
                    label: 'Delete…',
                    icon: <Trash2 />,
                    danger: true,
                    blocked: whyNot(row.can.delete),
                    onSelect: () => setAsked({ what: 'delete', backup: row }),
                  },
                ]}
              />
            ),
            { narrow: true },
          ),
        ]}
      />
      {asked?.what === 'recover' ? (
        <RecoverForm backup={asked.backup} slug={slug} onClose={() => setAsked(null)} />
      ) : null}
      {asked === null || asked.what === 'recover' ? null : (
        <AskedDialog what={asked.what} backup={asked.backup} onClose={() => setAsked(null)} />
      )}
    </>
  );
}

function AskedDialog({
  what,
  backup,
  onClose,
}: {
  what: 'restore' | 'verify' | 'delete';
  backup: Backup;
  onClose: () => void;
}) {
  const { instanceName: name } = backup;
  const made = formatMoment(Date.parse(backup.createdAt));
  async function run() {
    const params = { backup: backup.id };
    const once = { idempotencyKey: newIdempotencyKey() };
    const accepted =
      what === 'restore'
        ? await call('backupsRestore', { params, body: { confirmName: name } }, once)
        : await call(what === 'verify' ? 'backupsVerify' : 'backupsDelete', { params }, once);
    absorbAccepted(accepted);
    toast.message(accepted.operation.title);
    refreshBackups();
  }
  const words = {
    restore: {
      title: `Put ${name} back to ${made}?`,
      confirmLabel: 'Restore in place',
      body: (
        <p>
          Everything on its disk is replaced by what it held <strong>{made}</strong>: what was written since is no
          longer there. It is shut down on the way. A snapshot of how it is now is taken first and stays, so you can
          roll back to it.
        </p>
      ),
    },
    verify: {
      title: `Verify the backups of ${name}?`,
      confirmLabel: 'Verify',
      body: (
        <p>
          All its backups are read and checked, {formatBytes(backup.repository.storedBytes)} in all. That takes a while;
          nothing is changed.
        </p>
      ),
    },
    delete: {
      title: `Delete the backup of ${name}?`,
      confirmLabel: 'Delete the backup',
      body: (
        <p>
          What {name} held <strong>{made}</strong> cannot be brought back any more
          {backup.instance === null ? ': the instance itself is gone' : ''}. Its other backups stay whole.
        </p>
      ),
    },
  }[what];
  return (
    <ConfirmDialog
      danger={what !== 'verify'}
      onClose={onClose}
      onConfirm={run}
      title={words.title}
      confirmLabel={words.confirmLabel}
      typeName={what === 'restore' ? name : undefined}
      body={words.body}
    />
  );
}
