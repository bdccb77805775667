/** A fingerprint of source folders: by content, so that a fresh clone of the same version counts as the same. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SKIPPED = /(^\.|^node_modules$|^dist$|\.test\.tsx?$|\.itest\.ts$|\.e2e\.ts$|\.md$)/;
const cache = new Map<string, string>();

/** Hex digest over every source file of `folders` below `root`, with the lock file of the packages. */
export function codeHash(root: string, folders: readonly string[]): string {
  const key = `${root}\0${folders.join('\0')}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for (const file of ['package.json', 'package-lock.json']) add(hash, join(root, file), file);
  for (const folder of folders) walk(hash, join(root, folder), folder);
  const digest = hash.digest('hex');
  cache.set(key, digest);
  return digest;
}

function walk(hash: ReturnType<typeof createHash>, dir: string, name: string): void {
  if (!existsSync(dir)) return;
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (SKIPPED.test(entry.name)) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) walk(hash, path, `${name}/${entry.name}`);
    else if (entry.isFile()) add(hash, path, `${name}/${entry.name}`);
  }
}

function add(hash: ReturnType<typeof createHash>, path: string, name: string): void {
  if (!existsSync(path)) return;
  hash.update(name).update('\0').update(readFileSync(path)).update('\0');
}
