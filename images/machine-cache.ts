import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '#domain/errors.ts';

/**
 * What builds on one machine share, whichever installation asked: downloaded packages, npm's cache, the newest result of
 * each recipe. Only root can write there, so a result found in it is as good as one just built.
 */
export const machineCacheFolder = '/var/cache/berth/images';

const lockPollMs = 500;

/** Makes the folder; refuses one that somebody other than this user could have filled. */
export function openCache(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new BerthError('unavailable', `${folder} is not a folder that only this user can write to.`);
  }
  return folder;
}

export function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    copyFileSync(from, to);
  }
}

/** Copies a folder of plain files (as hard links where possible) and shows it under its name only when complete. */
export function cloneFolder(from: string, to: string): void {
  const unfinished = `${to}.${process.pid}.part`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true, mode: 0o755 });
  for (const name of readdirSync(from)) linkOrCopy(join(from, name), join(unfinished, name));
  rmSync(to, { recursive: true, force: true });
  renameSync(unfinished, to);
}

/** Removes the folders of `parent` that start with `prefix`, but `keep`. */
export function keepOnly(parent: string, prefix: string, keep: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    if (name.startsWith(prefix) && name !== keep) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/** When a process started, in clock ticks since boot: with the pid it names one process for ever. Null: no such process. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function holderLives(path: string): boolean {
  try {
    const [pid, start] = readFileSync(path, 'utf8').trim().split(' ');
    return pid !== undefined && start !== undefined && startOf(Number(pid)) === start;
  } catch {
    return false;
  }
}

/**
 * Takes a lock between processes; waits while a living process (this one included) holds it and calls `onWait` twice
 * a second. A lock left by a process that died is taken over. Returns the release function.
 */
export async function lock(path: string, onWait: () => void, signal?: AbortSignal): Promise<() => void> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      writeFileSync(path, `${process.pid} ${startOf(process.pid)}\n`, { flag: 'wx', mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (!holderLives(path)) {
      rmSync(path, { force: true });
      continue;
    }
    onWait();
    await sleep(lockPollMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}
