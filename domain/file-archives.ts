/** Archives of files: which there are, what one holds at the most, and what the programs that make them say. */
import { FILE_BYTES_MAX, fileNameProblem } from './files.ts';

/** Entries of one folder that are chosen for one archive, and the bytes of their names together. */
export const ARCHIVE_NAMES_MAX = 100;
export const ARCHIVE_NAMES_BYTES_MAX = 6_000;
/** What a downloaded archive holds at the most; it breaks off there. */
export const ARCHIVE_ENTRIES_MAX = 500_000;
export const ARCHIVE_BYTES_MAX = FILE_BYTES_MAX;
/** Archives that are downloaded at once, of one person and of all: each compresses as it goes. */
export const ARCHIVE_DOWNLOADS_PER_PERSON_MAX = 3;
export const ARCHIVE_DOWNLOADS_MAX = 12;
/** Archives that are packed or unpacked inside one instance at once. */
export const ARCHIVE_RUNS_PER_INSTANCE_MAX = 3;
/** Entries at the top of an archive that is unpacked into a folder that is there. */
export const ARCHIVE_TOP_ENTRIES_MAX = 5_000;
/** Names that a refusal lists. */
const CLASHES_NAMED_MAX = 5;

const suffixes = {
  'tar.gz': ['.tar.gz', '.tgz'],
  'tar.xz': ['.tar.xz', '.txz'],
  tar: ['.tar'],
  zip: ['.zip'],
} as const;
export type ArchiveFormat = keyof typeof suffixes;
export const archiveFormats = Object.keys(suffixes) as ArchiveFormat[];
/** How what is packed here is called. */
export const PACKED_SUFFIX = '.tar.gz';

function suffixOf(name: string): [ArchiveFormat, string] | null {
  const lower = name.toLowerCase();
  for (const format of archiveFormats) {
    const suffix = suffixes[format].find((each) => lower.endsWith(each));
    if (suffix !== undefined && name.length > suffix.length) return [format, suffix];
  }
  return null;
}

/** What a file of this name is, by its name alone; null for what cannot be unpacked. */
export function archiveFormat(name: string): ArchiveFormat | null {
  return suffixOf(name)?.[0] ?? null;
}

/** `site.tar.gz` -> `site` */
export function archiveStem(name: string): string {
  return name.slice(0, name.length - (suffixOf(name)?.[1].length ?? 0));
}

/** How an archive of these entries of the folder `folder` is called. */
export function archiveName(folder: string, names: readonly string[]): string {
  const [first] = names;
  const stem = names.length === 1 && first !== undefined ? first : folder.slice(folder.lastIndexOf('/') + 1);
  return `${stem === '' ? 'files' : stem}${PACKED_SUFFIX}`;
}

/** Why these are no names of entries of one folder; null when they are. */
export function archiveNamesProblem(names: readonly string[]): string | null {
  if (names.length === 0) return 'Choose something.';
  if (names.length > ARCHIVE_NAMES_MAX) return `At most ${ARCHIVE_NAMES_MAX} at once: take the folder they are in.`;
  if (new TextEncoder().encode(names.join('/')).length > ARCHIVE_NAMES_BYTES_MAX) {
    return 'These names are too long together: take the folder they are in.';
  }
  if (new Set(names).size !== names.length) return 'A name is there twice.';
  for (const name of names) {
    const problem = fileNameProblem(name);
    if (problem !== null) return problem;
  }
  return null;
}

/** What tar is told to say now and then, with the number of records of its own size. */
export const PROGRESS_WORD = 'berth-records';
const RECORD_BYTES = 10_240;

/** How many bytes went through, out of what tar said last; null when it said nothing of that yet. */
export function archivedBytes(lines: readonly string[]): number | null {
  const said = lines.findLast((line) => line.includes(PROGRESS_WORD));
  const records = /(\d+)\s*$/.exec(said ?? '');
  return records === null ? null : Number(records[1]) * RECORD_BYTES;
}

/** What is already there, in words: a few of the names, and how many more. */
export function clashText(names: readonly string[]): string {
  const named = names.slice(0, CLASHES_NAMED_MAX).map((name) => `"${name}"`);
  const more = names.length - named.length;
  return `Already there: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}. Nothing was changed.`;
}
