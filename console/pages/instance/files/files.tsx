import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import {
  Download,
  File as FileIcon,
  FileSymlink,
  Folder,
  FolderPlus,
  FolderUp,
  KeyRound,
  Pencil,
  SquarePen,
  Trash2,
  Upload as UploadIcon,
} from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { toast } from 'sonner';
import type { FileItem } from '#contract/files.ts';
import { FILE_EDITED_BYTES_MAX, joinPath, modeText, nameOf, parentOf } from '#domain/files.ts';
import { buildRequest, toApiError } from '../../../api/client.ts';
import { apiQuery, queryClient } from '../../../api/queries.ts';
import { NotPossible } from '../../../components/not-possible.tsx';
import { copyText } from '../../../lib/clipboard.ts';
import { formatBytes } from '../../../lib/format.ts';
import { whyNot } from '../../../lib/why-not.ts';
import { actionsColumn } from '../../../table/columns.tsx';
import { DataTable } from '../../../table/data-table.tsx';
import { Button, IconButton } from '../../../ui/button.tsx';
import { cx } from '../../../ui/cx.ts';
import { EmptyState } from '../../../ui/empty-state.tsx';
import { ErrorPanel } from '../../../ui/error-panel.tsx';
import { ActionsMenu, Menu } from '../../../ui/menu.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { SkeletonRows } from '../../../ui/skeleton.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { TimeAgo } from '../../../ui/time.tsx';
import { useInstance } from '../context.ts';
import { ModeDialog, NameDialog, RemoveDialog } from './change-dialogs.tsx';
import { EditDialog } from './edit-dialog.tsx';
import { UploadList } from './upload-list.tsx';
import { useUploads } from './use-uploads.ts';

const HOME = '/home/berth';

type Asked =
  | { what: 'folder' | 'file' }
  | { what: 'rename' | 'mode'; entry: FileItem }
  | { what: 'remove'; entries: readonly FileItem[] }
  | { what: 'edit'; name: string; sizeBytes: number | null; link: boolean };

function EntryIcon({ entry }: { entry: FileItem }) {
  const Icon = entry.type === 'folder' ? Folder : entry.type === 'link' ? FileSymlink : FileIcon;
  return <Icon className={cx('size-4 shrink-0', entry.type === 'folder' ? 'text-accent' : 'text-faint')} aria-hidden />;
}

/** The way from the root to here; every part is a link. */
function PathBar({ path, to }: { path: string; to: (path: string) => string }) {
  const parts = path === '/' ? [] : path.slice(1).split('/');
  return (
    <nav aria-label="Folder" className="mono flex min-w-0 flex-wrap items-center text-sm">
      <Link
        to={to('/')}
        className="inline-flex min-h-6 min-w-6 items-center justify-center rounded px-1 text-accent hover:underline"
      >
        /
      </Link>
      {parts.map((part, index) => {
        const at = `/${parts.slice(0, index + 1).join('/')}`;
        const last = index === parts.length - 1;
        return (
          <span key={at} className="flex min-w-0 items-center">
            {index === 0 ? null : <span className="text-faint">/</span>}
            {last ? (
              <span aria-current="location" className="break-all px-1 font-medium">
                {part}
              </span>
            ) : (
              <Link
                to={to(at)}
                className="inline-flex min-h-6 min-w-6 items-center break-all rounded px-1 text-accent hover:underline"
              >
                {part}
              </Link>
            )}
          </span>
        );
      })}
    </nav>
  );
}

export function FilesTab() {
  const instance = useInstance();
  const search = useSearch({ from: '/shell/p/$project/instances/$instance/files' });
  const navigate = useNavigate({ from: '/p/$project/instances/$instance/files' });
  const path = search.path ?? HOME;
  const possible = instance.can.files;
  const query = useQuery({
    ...apiQuery('filesList', { params: { instance: instance.id }, query: { path } }),
    enabled: possible === true,
    placeholderData: keepPreviousData,
    retry: false,
  });
  const uploads = useUploads(instance.id);
  const picker = useRef<HTMLInputElement>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [sort, setSort] = useState<string | undefined>('name');
  const [over, setOver] = useState(false);

  if (possible !== true) return <NotPossible instance={instance} title="No files to show" reason={possible} />;
  const listing = query.data;
  const blocked = listing === undefined ? undefined : whyNot(listing.can.write);
  const mayWrite = listing?.can.write === true;
  const refresh = () => {
    setSelected(new Set());
    void queryClient.invalidateQueries({ queryKey: ['filesList'] });
  };
  const addressOf = (to: string) => `?path=${encodeURIComponent(to)}${search.hidden === true ? '&hidden=true' : ''}`;
  const go = (to: string) => {
    setSelected(new Set());
    void navigate({ search: (before) => ({ ...before, path: to }) });
  };
  const downloadUrl = (entry: FileItem) =>
    buildRequest('filesRead', { params: { instance: instance.id }, query: { path: joinPath(path, entry.name) } }).url;
  const openEntry = (entry: FileItem) => {
    const { type, sizeBytes } = entry.leadsTo ?? entry;
    if (type === 'folder') go(joinPath(path, entry.name));
    else if (type === 'link') toast.error(`${entry.name} leads nowhere: ${entry.target ?? ''} is not there.`);
    else if (type === 'file' && sizeBytes <= FILE_EDITED_BYTES_MAX) {
      setAsked({ what: 'edit', name: entry.name, sizeBytes, link: entry.type === 'link' });
    } else if (type === 'file') window.location.assign(downloadUrl(entry));
    else toast.error(`${entry.name} is neither a file nor a folder.`);
  };
  const all = listing?.items ?? [];
  const shown = search.hidden === true ? all : all.filter((entry) => !entry.name.startsWith('.'));
  const hiddenCount = all.length - shown.length;
  const chosen = shown.filter((entry) => selected.has(entry.name));
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (mayWrite) uploads.add(path, event.dataTransfer.files);
  };
  const dialog = { instance: instance.id, folder: path, onClose: () => setAsked(null), onDone: refresh };
  const error = query.error === null ? null : toApiError(query.error);

  return (
    <section
      aria-label={`Files of ${instance.name}`}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={drop}
      className={cx('rounded-lg', over && 'outline-2 outline-accent outline-offset-4 outline-dashed')}
    >
      <div className="mb-3 flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="flex min-w-0 flex-1 items-center gap-1 max-sm:basis-full">
          {path === '/' ? null : (
            <IconButton label="One folder up" size="sm" onClick={() => go(parentOf(path))}>
              <FolderUp />
            </IconButton>
          )}
          <PathBar path={path} to={addressOf} />
        </div>
        <Switch
          checked={search.hidden === true}
          onChange={(on) =>
            void navigate({ search: (before) => ({ ...before, hidden: on ? true : undefined }), replace: true })
          }
          label={hiddenCount > 0 ? `Hidden files (${hiddenCount})` : 'Hidden files'}
        />
        <Menu
          label="New"
          trigger={<Button icon={<FolderPlus />}>New</Button>}
          entries={[
            {
              key: 'folder',
              label: 'Folder…',
              icon: <Folder />,
              blocked,
              onSelect: () => setAsked({ what: 'folder' }),
            },
            {
              key: 'file',
              label: 'Text file…',
              icon: <FileIcon />,
              blocked,
              onSelect: () => setAsked({ what: 'file' }),
            },
          ]}
        />
        <Button tone="primary" icon={<UploadIcon />} blocked={blocked} onClick={() => picker.current?.click()}>
          Upload
        </Button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label="Files to upload"
          onChange={(event) => {
            if (event.target.files !== null) uploads.add(path, event.target.files);
            event.target.value = '';
          }}
        />
      </div>
      <UploadList uploads={uploads.uploads} onAgain={uploads.again} onStop={uploads.stop} onClear={uploads.clear} />
      {chosen.length === 0 ? null : (
        <div className="mb-2 flex items-center gap-3 rounded-md bg-accent-soft px-3 py-1.5 text-sm">
          <span className="flex-1">{chosen.length} chosen</span>
          <Button size="sm" onClick={() => setSelected(new Set())}>
            None
          </Button>
          <Button
            size="sm"
            tone="danger"
            icon={<Trash2 />}
            blocked={blocked}
            onClick={() => setAsked({ what: 'remove', entries: chosen })}
          >
            Remove…
          </Button>
        </div>
      )}
      {error !== null ? (
        <ErrorPanel
          title={error.code === 'not_found' ? `${nameOf(path) || '/'} is no folder` : error.title}
          detail={error.code === 'not_found' ? 'It is not there any more, or it is a file.' : error.message}
          requestId={error.requestId}
          onRetry={() => go(error.code === 'not_found' ? parentOf(path) : path)}
        />
      ) : listing === undefined ? (
        <SkeletonRows rows={8} />
      ) : (
        <>
          {listing.complete ? null : (
            <Notice tone="warn" title="There is more in this folder than is listed.">
              Use the terminal to see all of it.
            </Notice>
          )}
          <DataTable<FileItem>
            label="Files"
            rows={shown}
            rowId={(row) => row.name}
            rowName={(row) => row.name}
            onOpen={openEntry}
            sort={sort}
            onSort={setSort}
            selected={selected}
            onSelect={setSelected}
            stale={query.isPlaceholderData}
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
                sort: (row) => `${row.type === 'folder' ? '0' : '1'}${row.name.toLowerCase()}`,
                cell: (row) => (
                  <span className="flex min-w-0 items-center gap-2">
                    <EntryIcon entry={row} />
                    <span className="truncate">{row.name}</span>
                    {row.target === null ? null : <span className="truncate text-faint text-xs">to {row.target}</span>}
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
                      onSelect: () => setAsked({ what: 'edit', name: row.name, sizeBytes: row.sizeBytes, link: false }),
                    },
                    {
                      key: 'download',
                      label: 'Download',
                      icon: <Download />,
                      blocked: (row.leadsTo ?? row).type === 'file' ? undefined : 'Only files are downloaded.',
                      onSelect: () => window.location.assign(downloadUrl(row)),
                    },
                    {
                      key: 'copy',
                      label: 'Copy the path',
                      onSelect: () =>
                        void copyText(joinPath(path, row.name)).then((done) => {
                          if (done) toast.success('The path is copied');
                        }),
                    },
                    { kind: 'separator', key: 'line' },
                    {
                      key: 'rename',
                      label: 'Rename…',
                      icon: <Pencil />,
                      blocked,
                      onSelect: () => setAsked({ what: 'rename', entry: row }),
                    },
                    {
                      key: 'mode',
                      label: 'Permissions…',
                      icon: <KeyRound />,
                      blocked: row.type === 'link' ? 'A link has none of its own.' : blocked,
                      onSelect: () => setAsked({ what: 'mode', entry: row }),
                    },
                    {
                      key: 'remove',
                      label: 'Remove…',
                      icon: <Trash2 />,
                      danger: true,
                      blocked,
                      onSelect: () => setAsked({ what: 'remove', entries: [row] }),
                    },
                  ]}
                />
              )),
            ]}
          />
        </>
      )}
      {asked?.what === 'folder' || asked?.what === 'file' || asked?.what === 'rename' ? (
        <NameDialog
          {...dialog}
          what={asked.what}
          entry={asked.what === 'rename' ? asked.entry : undefined}
          onNewFile={(name) => setAsked({ what: 'edit', name, sizeBytes: null, link: false })}
        />
      ) : null}
      {asked?.what === 'mode' ? <ModeDialog {...dialog} entry={asked.entry} /> : null}
      {asked?.what === 'remove' ? <RemoveDialog {...dialog} entries={asked.entries} /> : null}
      {asked?.what === 'edit' ? (
        <EditDialog
          instance={instance.id}
          folder={path}
          name={asked.name}
          sizeBytes={asked.sizeBytes}
          // Saving would put a file in the place of the link.
          mayWrite={mayWrite && !asked.link}
          onClose={() => setAsked(null)}
        />
      ) : null}
    </section>
  );
}
