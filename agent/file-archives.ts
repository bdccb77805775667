/**
 * Packing and unpacking files inside a guest, as the commands that do it. They run with the rights of one account and no
 * way to more, whatever stands in an archive: names that lead out of the folder are refused or cut, links are made last.
 */
import { PROGRESS_WORD } from '#domain/file-archives.ts';
import type { GuestTask } from '#domain/guest-runs.ts';

/** About 50 MB, in records. */
const PROGRESS_RECORDS = 5_000;

const asOwner = ({ uid, gid }: { uid: number; gid: number }) => [
  ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', '--'],
];

/** A name with a colon is a file too, and not a machine; a name with a backslash is taken as it is. */
const tar = [
  'tar',
  '--force-local',
  `--checkpoint=${PROGRESS_RECORDS}`,
  `--checkpoint-action=echo=${PROGRESS_WORD} %u`,
];

const unpackers = { 'tar.gz': '--gzip', 'tar.xz': '--xz' } as const;

export function archiveCommand(task: Extract<GuestTask, { type: 'pack' | 'unpack' }>): string[] {
  if (task.type === 'pack') {
    const how = ['--create', '--gzip', '--no-unquote', `--file=${task.to}`, `--directory=${task.folder}`];
    return [...asOwner(task), ...tar, ...how, '--', ...task.names];
  }
  if (task.format === 'zip') return [...asOwner(task), 'unzip', '-q', '-d', task.to, literally(task.path)];
  const how = [
    '--extract',
    '--no-same-owner',
    '--no-same-permissions',
    `--file=${task.path}`,
    `--directory=${task.to}`,
  ];
  return [...asOwner(task), ...tar, ...how, ...(task.format === 'tar' ? [] : [unpackers[task.format]])];
}

/** unzip reads the last part of a path as a pattern: what is special there stands in brackets. */
function literally(path: string): string {
  const cut = path.lastIndexOf('/') + 1;
  return (
    path.slice(0, cut) + path.slice(cut).replace(/[[*?\\]/g, (letter) => (letter === '\\' ? '[\\\\]' : `[${letter}]`))
  );
}
