/** What a crashed PostgreSQL leaves behind. Apart from the rest, because the supervisor needs this and no database client. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { executable, isRunning, workingDirectory } from './proctable.ts';

export const POSTGRES_SOCKET_NAME = '.s.PGSQL.5432';

/** What to do about the lock file in a data folder before a start. */
export type LockState = 'none' | 'running' | 'stale';

/**
 * Looks at postmaster.pid: 'running' only when the process table says that this pid is a living postgres on this very
 * folder. Anything else (gone, zombie, another program after pid reuse) is 'stale'.
 */
export function lockState(dataDir: string): { state: LockState; pid: number | null } {
  let text: string;
  try {
    text = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8');
  } catch {
    return { state: 'none', pid: null };
  }
  const pid = Number(text.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return { state: 'stale', pid: null };
  const mine = isRunning(pid) && basename(executable(pid) ?? '') === 'postgres' && workingDirectory(pid) === dataDir;
  return { state: mine ? 'running' : 'stale', pid };
}

/** Removes the lock files of a server that is certainly dead. Returns true when something was removed. */
export function clearStaleLock(dataDir: string, socketDir: string): boolean {
  if (lockState(dataDir).state === 'running') return false;
  let removed = false;
  const left = ['', '.lock'].map((end) => join(socketDir, POSTGRES_SOCKET_NAME + end));
  for (const file of [join(dataDir, 'postmaster.pid'), ...left]) {
    if (!existsSync(file)) continue;
    rmSync(file, { force: true });
    removed = true;
  }
  return removed;
}
