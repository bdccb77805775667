import { mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { linkOrCopy } from './machine-cache.ts';

/** More than two recipes' worth; the least recently used packages go first. */
export const maxCacheBytes = 3 * 1024 ** 3;

const debsIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.deb'));

/**
 * Puts every cached package before apt's nose. apt checks each against the signed index and fetches what does not match,
 * so a damaged cache costs time and nothing else.
 */
export function fillFromCache(cache: string, archives: string): number {
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  mkdirSync(archives, { recursive: true, mode: 0o755 });
  const debs = debsIn(cache);
  for (const name of debs) linkOrCopy(join(cache, name), join(archives, name));
  return debs.length;
}

/**
 * Keeps the packages that a build downloaded, marks those it used (file names in `used`), then shrinks the cache to
 * `maxBytes`. Returns how many were new.
 */
export function keepInCache(
  cache: string,
  archives: string,
  used: ReadonlySet<string>,
  maxBytes = maxCacheBytes,
): number {
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  const known = new Set(debsIn(cache));
  const now = new Date();
  let added = 0;
  for (const name of debsIn(archives)) {
    if (known.has(name)) {
      if (used.has(name)) utimesSync(join(cache, name), now, now);
    } else {
      linkOrCopy(join(archives, name), join(cache, name));
      added += 1;
    }
  }
  const files = debsIn(cache).map((name) => ({ name, ...sizeAndTime(join(cache, name)) }));
  files.sort((a, b) => b.time - a.time);
  let sum = 0;
  for (const file of files) {
    sum += file.size;
    if (sum > maxBytes) rmSync(join(cache, file.name), { force: true });
  }
  return added;
}

function sizeAndTime(path: string): { size: number; time: number } {
  const { size, mtimeMs } = statSync(path);
  return { size, time: mtimeMs };
}
