import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import {
  Download,
  FileArchive,
  File as FileIcon,
  Folder,
  FolderPlus,
  FolderUp,
  Trash2,
  Upload as UploadIcon,
} from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { toast } from 'sonner';
import type { FileItem } from '#contract/files.ts';
import { archiveNamesProblem } from '#domain/file-archives.ts';
import { FILE_EDITED_BYTES_MAX, joinPath, nameOf, parentOf } from '#domain/files.ts';
import { toApiError } from '../../../api/client.ts';
import { apiQuery, queryClient } from '../../../api/queries.ts';
import { NotPossible } from '../../../components/not-possible.tsx';
import { useMedia } from '../../../lib/media.ts';
import { whyNot } from '../../../lib/why-not.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { cx } from '../../../ui/cx.ts';
import { ErrorPanel } from '../../../ui/error-panel.tsx';
import { Menu } from '../../../ui/menu.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { SkeletonRows } from '../../../ui/skeleton.tsx';
import { Switch } from '../../../ui/switch.tsx';
import { useInstance } from '../context.ts';
import { ArchiveRuns, PackDialog, UnpackDialog } from './archives.tsx';
import { ModeDialog, NameDialog, RemoveDialog } from './change-dialogs.tsx';
import { EditDialog } from './edit-dialog.tsx';
import { type Asked, archiveUrl, downloadUrl, FilesTable } from './files-table.tsx';
import { FolderTree } from './folder-tree.tsx';
import { PathBar } from './path-bar.tsx';
import { UploadList } from './upload-list.tsx';
import { useUploads } from './use-uploads.ts';

const HOME = '/home/berth';

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
  const [over, setOver] = useState(false);
  const [started, setStarted] = useState<readonly string[]>([]);
  const wide = useMedia('(min-width: 64rem)');

  if (possible !== true) return <NotPossible instance={instance} title="No files to show" reason={possible} />;
  const listing = query.data;
  const blocked = listing === undefined ? undefined : whyNot(listing.can.write);
  const mayWrite = listing?.can.write === true;
  const noPacking = listing === undefined ? undefined : whyNot(listing.can.pack);
  const refresh = () => {
    setSelected(new Set());
    void queryClient.invalidateQueries({ queryKey: ['filesList'] });
  };
  const addressOf = (to: string) => `?path=${encodeURIComponent(to)}${search.hidden === true ? '&hidden=true' : ''}`;
  const go = (to: string) => {
    setSelected(new Set());
    void navigate({ search: (before) => ({ ...before, path: to }) });
  };
  const openEntry = (entry: FileItem) => {
    const { type, sizeBytes } = entry.leadsTo ?? entry;
    if (type === 'folder') go(joinPath(path, entry.name));
    else if (type === 'link') toast.error(`${entry.name} leads nowhere: ${entry.target ?? ''} is not there.`);
    else if (type === 'file' && sizeBytes <= FILE_EDITED_BYTES_MAX) {
      setAsked({ what: 'edit', name: entry.name, sizeBytes, link: entry.type === 'link' });
    } else if (type === 'file') window.location.assign(downloadUrl(instance.id, path, entry));
    else toast.error(`${entry.name} is neither a file nor a folder.`);
  };
  const all = listing?.items ?? [];
  const shown = search.hidden === true ? all : all.filter((entry) => !entry.name.startsWith('.'));
  const hiddenCount = all.length - shown.length;
  const chosen = shown.filter((entry) => selected.has(entry.name));
  const chosenNames = chosen.map(({ name }) => name);
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
      <ArchiveRuns instance={instance} started={started} onDone={refresh} />
      <UploadList uploads={uploads.uploads} onAgain={uploads.again} onStop={uploads.stop} onClear={uploads.clear} />
      {chosen.length === 0 ? null : (
        <div className="mb-2 flex flex-wrap items-center gap-2 rounded-md bg-accent-soft px-3 py-1.5 text-sm">
          <span className="flex-1">{chosen.length} chosen</span>
          <Button size="sm" onClick={() => setSelected(new Set())}>
            None
          </Button>
          <Button
            size="sm"
            icon={<Download />}
            blocked={archiveNamesProblem(chosenNames) ?? undefined}
            onClick={() => window.location.assign(archiveUrl(instance.id, path, chosenNames))}
          >
            Download
          </Button>
          <Button
            size="sm"
            icon={<FileArchive />}
            blocked={noPacking ?? archiveNamesProblem(chosenNames) ?? undefined}
            onClick={() => setAsked({ what: 'pack', entries: chosen })}
          >
            Pack…
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
      <div className="flex items-start gap-4">
        {wide ? <FolderTree instance={instance.id} path={path} hidden={search.hidden === true} to={addressOf} /> : null}
        <div className="min-w-0 flex-1">
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
              <FilesTable
                instance={instance.id}
                folder={path}
                rows={shown}
                mayWrite={mayWrite}
                blocked={blocked}
                noPacking={noPacking}
                stale={query.isPlaceholderData}
                selected={selected}
                onSelect={setSelected}
                onOpen={openEntry}
                onAsk={setAsked}
              />
            </>
          )}
        </div>
      </div>
      {asked?.what === 'folder' || asked?.what === 'file' || asked?.what === 'rename' ? (
        <NameDialog
          {...dialog}
          what={asked.what}
          entry={asked.what === 'rename' ? asked.entry : undefined}
          onNewFile={(name) => setAsked({ what: 'edit', name, sizeBytes: null, link: false })}
        />
      ) : null}
      {asked?.what === 'pack' ? (
        <PackDialog {...dialog} entries={asked.entries} onStarted={(id) => setStarted((before) => [id, ...before])} />
      ) : null}
      {asked?.what === 'unpack' ? (
        <UnpackDialog {...dialog} entry={asked.entry} onStarted={(id) => setStarted((before) => [id, ...before])} />
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
