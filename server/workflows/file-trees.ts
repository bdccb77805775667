/** Folders of a guest with everything in them, over the engine's own file server: also while the guest does not run. */
import { BerthError } from '#domain/errors.ts';
import { type FileEntry, type FileType, joinPath } from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { GuestFiles } from '#drivers/interface.ts';
import type { Services } from './services.ts';

export type { GuestFiles } from '#drivers/interface.ts';

/** Entries of one folder that are removed together: neither all in memory nor one after the other. */
const REMOVED_AT_ONCE = 64;

export async function withGuestFiles<T>(
  { driver }: Pick<Services, 'driver'>,
  instance: InstanceId,
  work: (files: GuestFiles) => Promise<T>,
): Promise<T> {
  const files = await driver.files(instance);
  try {
    return await work(files);
  } finally {
    files.close();
  }
}

const isMissing = (error: unknown): boolean => error instanceof BerthError && error.code === 'not_found';

/** The entry itself; null when there is nothing. */
export async function lookAt(files: GuestFiles, path: string): Promise<FileEntry | null> {
  return files.look(path).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
}

/** Removes it with everything in it; links are removed, not followed. Nothing happens when it is not there. */
export async function removeTree(files: GuestFiles, path: string): Promise<void> {
  const entry = await lookAt(files, path);
  if (entry?.type === 'folder') await empty(files, path);
  if (entry !== null) await removeOne(files, path, entry.type);
}

async function empty(files: GuestFiles, folder: string): Promise<void> {
  for (;;) {
    const { entries } = await files.list(folder, REMOVED_AT_ONCE);
    if (entries.length === 0) return;
    const folders = entries.filter(({ type }) => type === 'folder');
    for (const { name } of folders) await empty(files, joinPath(folder, name));
    await Promise.all(entries.map(({ name, type }) => removeOne(files, joinPath(folder, name), type)));
  }
}

async function removeOne(files: GuestFiles, path: string, type: FileType): Promise<void> {
  await files.remove({ path, type }).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}
