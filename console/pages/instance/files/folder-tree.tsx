import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ChevronRight, Folder, FolderOpen } from 'lucide-react';
import { useState } from 'react';
import { joinPath, nameOf } from '#domain/files.ts';
import { apiQuery } from '../../../api/queries.ts';
import { cx } from '../../../ui/cx.ts';

type Shared = {
  instance: string;
  /** The folder that is shown beside the tree. */
  path: string;
  hidden: boolean;
  to: (path: string) => string;
  isOpen: (path: string) => boolean;
  onToggle: (path: string) => void;
};

const isAbove = (folder: string, path: string) => folder === '/' || path === folder || path.startsWith(`${folder}/`);

/** Folders to go to, each listed when it is opened. Those on the way to `path` are open until they are shut by hand. */
export function FolderTree(props: Pick<Shared, 'instance' | 'path' | 'hidden' | 'to'>) {
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const isOpen = (folder: string) => toggled.get(folder) ?? isAbove(folder, props.path);
  const onToggle = (folder: string) => setToggled((before) => new Map(before).set(folder, !isOpen(folder)));
  return (
    <nav aria-label="Folders" className="card max-h-[70vh] w-56 shrink-0 overflow-auto p-1.5 text-sm">
      <ul>
        <Branch {...props} isOpen={isOpen} onToggle={onToggle} folder="/" depth={0} />
      </ul>
    </nav>
  );
}

function Branch({ folder, depth, ...shared }: Shared & { folder: string; depth: number }) {
  const { path, to, isOpen, onToggle } = shared;
  const open = isOpen(folder);
  const here = folder === path;
  const name = nameOf(folder) || '/';
  const Icon = open ? FolderOpen : Folder;
  return (
    <li>
      <div
        className={cx('flex items-center rounded-md hover:bg-hover', here && 'bg-accent-soft')}
        style={{ paddingInlineStart: depth * 12 }}
      >
        <button
          type="button"
          aria-expanded={open}
          aria-label={`Folders in ${name}`}
          onClick={() => onToggle(folder)}
          className="inline-flex size-6 shrink-0 items-center justify-center rounded text-faint hover:text-text"
        >
          <ChevronRight className={cx('size-3.5 transition-transform', open && 'rotate-90')} aria-hidden />
        </button>
        <Link
          to={to(folder)}
          aria-current={here ? 'location' : undefined}
          title={folder}
          className={cx('flex min-h-7 min-w-0 flex-1 items-center gap-1.5 rounded pe-1', here && 'font-medium')}
        >
          <Icon className="size-4 shrink-0 text-accent" aria-hidden />
          <span className="truncate">{name}</span>
        </Link>
      </div>
      {open ? <Below {...shared} folder={folder} depth={depth + 1} /> : null}
    </li>
  );
}

/** Links are left out: they may lead in a circle. */
function Below({ folder, depth, ...shared }: Shared & { folder: string; depth: number }) {
  const query = useQuery({
    ...apiQuery('filesList', { params: { instance: shared.instance }, query: { path: folder } }),
    retry: false,
  });
  const inset = { paddingInlineStart: depth * 12 + 26 };
  if (query.error !== null)
    return (
      <p className="py-1 text-faint text-xs" style={inset}>
        Cannot be read
      </p>
    );
  const folders = (query.data?.items ?? [])
    .filter((entry) => entry.type === 'folder' && (shared.hidden || !entry.name.startsWith('.')))
    .sort((one, other) => one.name.localeCompare(other.name));
  return (
    <ul aria-busy={query.isPending}>
      {folders.map(({ name }) => (
        <Branch key={name} {...shared} folder={joinPath(folder, name)} depth={depth} />
      ))}
    </ul>
  );
}
