/**
 * The source of exactly what runs here, for everybody who uses it: section 13 of the licence (docs/adr/0001-licence.md).
 * Files that git knows, as they are on disk; what else lies in the checkout is nobody's business.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, run } from './run.ts';

/** The documentation's page "Source" links to it. */
export const SOURCE_ARCHIVE = 'berth-source.tar.gz';
const STAMP = '.source-archive';

/**
 * Makes the archive in `folder` when a file changed since; true when it was made. Errors: what tar says. Without git or
 * outside of a clone there is no archive.
 */
export async function archiveSource(checkout: string, folder: string): Promise<boolean> {
  const git = await run(['git', '-c', `safe.directory=${checkout}`, 'ls-files', '-z'], { cwd: checkout });
  if (git.code !== 0 || !existsSync(folder)) return false;
  const files = git.stdout.split('\0').filter((file) => file !== '' && existsSync(join(checkout, file)));
  const hash = createHash('sha256');
  for (const file of files) {
    const { mtimeMs, size } = statSync(join(checkout, file));
    hash.update(`${file}\0${mtimeMs}\0${size}\0`);
  }
  const digest = hash.digest('hex');
  const stamp = join(folder, STAMP);
  const archive = join(folder, SOURCE_ARCHIVE);
  if (existsSync(archive) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return false;
  const part = `${archive}.${process.pid}`;
  try {
    await must(['tar', '--create', '--gzip', `--file=${part}`, '--owner=0', '--group=0', '--null', '--files-from=-'], {
      cwd: checkout,
      input: files.join('\0'),
    });
    renameSync(part, archive);
    writeFileSync(stamp, digest);
    return true;
  } finally {
    rmSync(part, { force: true });
  }
}
