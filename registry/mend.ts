/**
 * What docker-registry leaves half-written when it or the machine dies, and never looks at again: taken away while it does
 * not run, so that it comes anew. A list of ends of life that is cut off would keep it from starting for ever; a manifest
 * or a link that is cut off would keep its garbage collection from ever freeing anything.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDigest, type StorageLayout } from './layout.ts';

/** Folders below each other: a name of 20 parts and what docker-registry puts below it. */
const DEPTH_MAX = 30;
/** Longer ones are no links. */
const LINK_BYTES_MAX = 1_000;
/** Larger ones are no manifests. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

/** Answers how many things were taken away. */
export async function mend(layout: StorageLayout): Promise<number> {
  let taken = 0;
  const take = async (path: string): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    taken++;
  };
  // Nothing ends by time here: the list is not needed.
  await rm(layout.schedule, { force: true });
  const walk = async (folder: string, depth: number): Promise<void> => {
    if (depth > DEPTH_MAX) return;
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const path = join(folder, entry.name);
      if (entry.name === '_uploads') await take(path);
      else if (entry.isDirectory()) await walk(path, depth + 1);
      else if (entry.name === 'link' && !(await isWhole(path, layout))) await take(dirname(path));
    }
  };
  await walk(layout.repositories, 0);
  return taken;

  /** A link says a digest; what a revision links to is a manifest and has that digest. */
  async function isWhole(path: string, { blob }: StorageLayout): Promise<boolean> {
    const text = await small(path, LINK_BYTES_MAX);
    if (text === null || !isDigest(text.toString().trim())) return false;
    if (!path.includes('/_manifests/revisions/')) return true;
    const digest = text.toString().trim();
    const manifest = await small(blob(digest), MANIFEST_BYTES_MAX);
    if (manifest !== null && `sha256:${createHash('sha256').update(manifest).digest('hex')}` === digest) return true;
    await take(dirname(blob(digest)));
    return false;
  }
}

async function small(path: string, bytesMax: number): Promise<Buffer | null> {
  try {
    return (await stat(path)).size > bytesMax ? null : await readFile(path);
  } catch {
    return null;
  }
}
