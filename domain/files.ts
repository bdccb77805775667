/** Paths and figures of the file browser: one spelling per file, decided here and nowhere else. */
import { BerthError } from './errors.ts';

/** Linux' own bounds, in bytes. */
export const FILE_PATH_BYTES_MAX = 4095;
export const FILE_NAME_BYTES_MAX = 255;
/** Entries of one folder that are shown. */
export const FILES_LISTED_MAX = 5_000;
/** A file that is edited as text. */
export const FILE_EDITED_BYTES_MAX = 2 * 1024 ** 2;
/** A file is sent in parts, so that a slow line or a restart loses one part only. */
export const FILE_PART_BYTES_MAX = 16 * 1024 ** 2;
export const FILE_BYTES_MAX = 64 * 1024 ** 3;
/** What one call removes of a folder. */
export const FILES_REMOVED_MAX = 50_000;
/** Read, write, run. The engine's file server drops set-id and sticky bits: those are shown and not set. */
export const FILE_MODE_MAX = 0o777;
export const FILE_MODE_NEW = 0o644;
export const FOLDER_MODE_NEW = 0o755;

export const fileTypes = ['file', 'folder', 'link', 'other'] as const;
export type FileType = (typeof fileTypes)[number];

export type FileEntry = {
  name: string;
  /** Of the entry itself: a link is a link. */
  type: FileType;
  sizeBytes: number;
  /** Permission bits, set-id and sticky bits with them. */
  mode: number;
  uid: number;
  gid: number;
  modifiedAt: string;
  /** Where a link leads, as it is written in it; null for everything else. */
  target: string | null;
  /** What it leads to in the end; null for what is no link, and for one that leads nowhere. */
  leadsTo: { type: FileType; sizeBytes: number } | null;
};

const bytes = (text: string) => new TextEncoder().encode(text).length;

/**
 * Why `path` is no path of a file; null when it is one. Absolute, no empty, `.` or `..` part, no control character: what
 * would be read differently by two programs is refused, not repaired.
 */
export function filePathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'A path begins with /.';
  if (bytes(path) > FILE_PATH_BYTES_MAX) return `A path has at most ${FILE_PATH_BYTES_MAX} bytes.`;
  if (path === '/') return null;
  for (const part of path.slice(1).split('/')) {
    const problem = fileNameProblem(part);
    if (problem !== null) return problem;
  }
  return null;
}

/** Why `name` is no name of a file in a folder; null when it is one. */
export function fileNameProblem(name: string): string | null {
  if (name === '') return 'A name is missing: two slashes in a row, or one at the end.';
  if (name === '.' || name === '..') return `"${name}" is no name.`;
  if (name.includes('/')) return 'A name has no slash.';
  if (bytes(name) > FILE_NAME_BYTES_MAX) return `A name has at most ${FILE_NAME_BYTES_MAX} bytes.`;
  if (/\p{Cc}/u.test(name) || !name.isWellFormed()) return 'A name has no control characters.';
  return null;
}

/** Errors: invalid_input. */
export function checkFilePath(path: string, field = 'path'): void {
  const problem = filePathProblem(path);
  if (problem !== null) throw new BerthError('invalid_input', problem, { fields: [{ field, message: problem }] });
}

export function parentOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut <= 0 ? '/' : path.slice(0, cut);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

/** `rwxr-xr-x`, with the set-id and sticky bits as `ls` writes them. */
export function modeText(mode: number): string {
  const bit = (at: number, letter: string) => ((mode & at) === 0 ? '-' : letter);
  const run = (at: number, special: number, letter: string) => {
    const runs = (mode & at) !== 0;
    if ((mode & special) === 0) return runs ? 'x' : '-';
    return runs ? letter : letter.toUpperCase();
  };
  return [
    bit(0o400, 'r') + bit(0o200, 'w') + run(0o100, 0o4000, 's'),
    bit(0o040, 'r') + bit(0o020, 'w') + run(0o010, 0o2000, 's'),
    bit(0o004, 'r') + bit(0o002, 'w') + run(0o001, 0o1000, 't'),
  ].join('');
}

/** What tells whether a file is still the one that was read. */
export function fileVersion(entry: Pick<FileEntry, 'sizeBytes' | 'modifiedAt'>): string {
  return `${Date.parse(entry.modifiedAt) / 1000}-${entry.sizeBytes}`;
}
