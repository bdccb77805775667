/** One `up` per data folder at a time. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, processInfo } from './proctable.ts';

/** Runs `work` alone. Error when another `up` works in this folder; a lock whose owner died is taken over. */
export async function alone<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  const file = join(dataDir, 'up.lock');
  take(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const descriptor = openSync(file, 'wx', 0o600);
      writeSync(descriptor, `${process.pid} ${processInfo(process.pid)?.startTime ?? 0}\n`);
      closeSync(descriptor);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const [pid, startTime] = readFileSync(file, 'utf8').split(' ').map(Number);
    if (pid !== undefined && isRunning(pid, startTime))
      throw new Error(`another berth command works in this folder (pid ${pid})`);
    rmSync(file, { force: true });
  }
  throw new Error(`${file} cannot be taken`);
}
