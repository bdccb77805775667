import {
  Download,
  FileArchive,
  File as FileIcon,
  FileSymlink,
  Folder,
  KeyRound,
  PackageOpen,
  Pencil,
  SquarePen,
  Trash2,
} from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { FileItem } from '#contract/files.ts';
import { archiveFormat } from '#domain/file-archives.ts';
import { FILE_EDITED_BYTES_MAX, joinPath, modeText } from '#domain/files.ts';
import { buildRequest } from '../../../api/client.ts';
import { copyText } from '../../../lib/clipboard.ts';
import { formatBytes } from '../../../lib/format.ts';
import { actionsColumn } from '../../../table/columns.tsx';
import { DataTable } from '../../../table/data-table.tsx';
import { cx } from '../../../ui/cx.ts';
import { EmptyState } from '../../../ui/empty-state.tsx';
import { ActionsMenu } from '../../../ui/menu.tsx';
import { TimeAgo } from '../../../ui/time.tsx';

/** What is asked before something is done to entries. */
export type Asked =
  | { what: 'folder' | 'file' }
  | { what: 'rename' | 'mode'; entry: FileItem }
  | { what: 'remove' | 'pack'; entries: readonly FileItem[] }
  | { what: 'unpack'; entry: FileItem }
  | { what: 'edit'; name: string; sizeBytes: number | null; link: boolean };

function EntryIcon({ entry }: { entry: FileItem }) {
  const Icon = entry.type === 'folder' ? Folder : entry.type === 'link' ? FileSymlink : FileIcon;
  return <Icon className={cx('size-4 shrink-0', entry.type === 'folder' ? 'text-accent' : 'text-faint')} aria-hidden />;
}

/** A file comes as it is, a folder or a link to one as an archive. */
const isFetched = (entry: FileItem) => entry.type === 'folder' || (entry.leadsTo ?? entry).type === 'file';

export function downloadUrl(instance: string, folder: string, entry: FileItem): string {
  if (entry.type === 'folder') return archiveUrl(instance, folder, [entry.name]);
  return buildRequest('filesRead', { params: { instance }, query: { path: joinPath(folder, entry.name) } }).url;
}

export function archiveUrl(instance: string, folder: string, names: readonly string[]): string {
  return buildRequest('filesArchive', { params: { instance }, query: { folder, names: names.join('/') } }).url;
}

export function FilesTable({
  instance,
  folder,
  rows,
  mayWrite,
  blocked,
  noPacking,
  stale,
  selected,
  onSelect,
  onOpen,
  onAsk,
}: {
  instance: string;
  folder: string;
  rows: readonly FileItem[];
  mayWrite: boolean;
  /** Reason why nothing may be changed. */
  blocked: string | undefined;
  /** Reason why nothing is packed or unpacked inside. */
  noPacking: string | undefined;
  stale: boolean;
  selected: ReadonlySet<string>;
  onSelect: (names: ReadonlySet<string>) => void;
  onOpen: (entry: FileItem) => void;
  onAsk: (asked: Asked) => void;
}) {
  const [sort, setSort] = useState<string | undefined>('name');
  return (
    <DataTable<FileItem>
      label="Files"
      rows={rows}
      rowId={(row) => row.name}
      rowName={(row) => row.name}
      onOpen={onOpen}
      sort={sort}
      onSort={setSort}
      selected={selected}
      onSelect={onSelect}
      stale={stale}
      rowHeight={41}
      empty={
        <EmptyState icon={<Folder />} title="The folder is empty">
          {mayWrite ? 'Drop files here, or make something new.' : 'There is nothing in it.'}
        </EmptyState>
      }
      columns={[
        {
          id: 'name',
          header: 'Name',
          // What is left beside the others, so that long names are cut instead of pushing them off a phone.
          width: 'w-full max-w-0',
          sort: (row) => `${row.type === 'folder' ? '0' : '1'}${row.name.toLowerCase()}`,
          cell: (row) => (
            <span className="flex min-w-0 items-center gap-2">
              <EntryIcon entry={row} />
              <span className="truncate">{row.name}</span>
              {row.target === null ? null : (
                <span className="shrink-99 truncate text-faint text-xs max-sm:hidden">to {row.target}</span>
              )}
            </span>
          ),
        },
        {
          id: 'size',
          header: 'Size',
          align: 'right',
          sort: (row) => row.sizeBytes,
          cell: (row) => (
            <span className="tabular whitespace-nowrap text-soft">
              {row.type === 'file' ? formatBytes(row.sizeBytes) : ''}
            </span>
          ),
        },
        {
          id: 'mode',
          header: 'Permissions',
          from: 'lg',
          cell: (row) => <span className="mono text-soft text-xs">{modeText(row.mode)}</span>,
        },
        {
          id: 'owner',
          header: 'Owner',
          from: 'xl',
          cell: (row) => (
            <span className="tabular text-soft text-xs">
              {row.uid}:{row.gid}
            </span>
          ),
        },
        {
          id: 'changed',
          header: 'Changed',
          from: 'sm',
          sort: (row) => row.modifiedAt,
          cell: (row) => <TimeAgo at={row.modifiedAt} className="whitespace-nowrap text-soft" />,
        },
        actionsColumn((row) => (
          <ActionsMenu
            of={row.name}
            entries={[
              {
                key: 'edit',
                label: mayWrite ? 'Edit' : 'Show',
                icon: <SquarePen />,
                blocked:
                  row.type !== 'file'
                    ? 'Only files are edited.'
                    : row.sizeBytes > FILE_EDITED_BYTES_MAX
                      ? `Larger than ${formatBytes(FILE_EDITED_BYTES_MAX)}.`
                      : undefined,
                onSelect: () => onAsk({ what: 'edit', name: row.name, sizeBytes: row.sizeBytes, link: false }),
              },
              {
                key: 'download',
                label: row.type === 'folder' ? 'Download as .tar.gz' : 'Download',
                icon: <Download />,
                blocked: isFetched(row) ? undefined : 'Only files and folders are downloaded.',
                onSelect: () => window.location.assign(downloadUrl(instance, folder, row)),
              },
              {
                key: 'pack',
                label: 'Pack…',
                icon: <FileArchive />,
                blocked: noPacking,
                onSelect: () => onAsk({ what: 'pack', entries: [row] }),
              },
              ...(row.type === 'folder' || archiveFormat(row.name) === null
                ? []
                : [
                    {
                      key: 'unpack',
                      label: 'Unpack…',
                      icon: <PackageOpen />,
                      blocked: noPacking,
                      onSelect: () => onAsk({ what: 'unpack', entry: row } as const),
                    },
                  ]),
              {
                key: 'copy',
                label: 'Copy the path',
                onSelect: () =>
                  void copyText(joinPath(folder, row.name)).then((done) => {
                    if (done) toast.success('The path is copied');
                  }),
              },
              { kind: 'separator', key: 'line' },
              {
                key: 'rename',
                label: 'Rename…',
                icon: <Pencil />,
                blocked,
                onSelect: () => onAsk({ what: 'rename', entry: row }),
              },
              {
                key: 'mode',
                label: 'Permissions…',
                icon: <KeyRound />,
                blocked: row.type === 'link' ? 'A link has none of its own.' : blocked,
                onSelect: () => onAsk({ what: 'mode', entry: row }),
              },
              {
                key: 'remove',
                label: 'Remove…',
                icon: <Trash2 />,
                danger: true,
                blocked,
                onSelect: () => onAsk({ what: 'remove', entries: [row] }),
              },
            ]}
          />
        )),
      ]}
    />
  );
}
