/**
 * One process at a time: a file that only one can create. Whoever finds that its maker is gone (or much too slow) takes it
 * over, which again only one can do at a time.
 */
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from './errors.ts';

const POLL_MS = 40;
/** Longer than any request takes. */
const STALE_MS = 120_000;
const WAIT_MS_MAX = 150_000;

/** Runs `work` while this process alone holds `path`. Errors: those of `work`; CliError when others hold it too long. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!(await create(path))) {
    if (Date.now() > deadline) {
      throw new CliError('timeout', `Another berth holds ${path}.`, { hint: 'Remove the file when none is running.' });
    }
    if (await isStale(path)) await takeAway(path);
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > STALE_MS) return true;
    const pid = Number(await readFile(path, 'utf8'));
    // Empty for the moment between creating and writing.
    return Number.isInteger(pid) && pid > 0 && !isAlive(pid);
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Looks again under a lock of its own: between looking and removing somebody else may have been here. */
async function takeAway(path: string): Promise<void> {
  const guard = `${path}.stale`;
  if (!(await create(guard))) {
    const age = await stat(guard).catch(() => null);
    if (age !== null && Date.now() - age.mtimeMs > STALE_MS) await rm(guard, { force: true });
    return;
  }
  try {
    if (await isStale(path)) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}
