import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '#domain/errors.ts';
import { run } from './run.ts';

/** Mount points below a folder, outer ones first, out of the text of `/proc/self/mountinfo`. */
export function mountsBelow(folder: string, mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8))),
    )
    .filter((point) => point.startsWith(`${folder}/`));
}

const mountsNow = (folder: string) => mountsBelow(folder, readFileSync('/proc/self/mountinfo', 'utf8'));

/**
 * Removes a build folder. What is mounted below it is let go of first; when something stays mounted nothing is removed,
 * for it would be this machine's /dev or /sys that is emptied. Throws BerthError `internal` then.
 */
export async function removeFolder(folder: string): Promise<void> {
  for (const point of mountsNow(folder).reverse()) await run('umount', ['--lazy', point]).catch(() => {});
  const left = mountsNow(folder);
  if (left.length > 0) {
    throw new BerthError('internal', 'A build folder is still in use and was left where it is.', {
      detail: left.join(', '),
    });
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Removes what builds of processes that died have left in a work directory. */
export async function removeAbandoned(workDir: string): Promise<void> {
  for (const name of readdirSync(workDir)) {
    const owner = /^build-(\d+)-\w+$/.exec(name)?.[1];
    if (owner && !existsSync(`/proc/${owner}`)) await removeFolder(join(workDir, name));
  }
}
