/** Repositories of backups in folders of this host: `<dir>/<id of the repository>`, readable by root only. */
import { existsSync, mkdirSync } from 'node:fs';
import { lstat, readdir, rename, rm, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackupRepositoryId, isId } from '#domain/ids.ts';

/** What an interrupted write leaves behind. */
const HALF_WRITTEN = /-tmp-\d+$/;
const LEAVING = '.leaving-';

export class LocalRepositories {
  readonly #dir: string;
  /** Temporary files of the programs that work on repositories: on the same disk, so that room is counted once. */
  readonly temporary: string;

  constructor(dir: string) {
    this.#dir = dir;
    this.temporary = join(dir, 'tmp');
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    mkdirSync(this.temporary, { recursive: true, mode: 0o700 });
  }

  path(repository: BackupRepositoryId): string {
    return join(this.#dir, repository);
  }

  /** `none`: no folder, or one whose making broke off before anything was in it. `broken`: there is something, unopenable. */
  async state(repository: BackupRepositoryId): Promise<'none' | 'there' | 'broken'> {
    const path = this.path(repository);
    if (existsSync(join(path, 'config'))) return 'there';
    if (!existsSync(path)) return 'none';
    const snapshots = await readdir(join(path, 'snapshots')).catch(() => []);
    return snapshots.length === 0 && (await this.bytes(repository)) < MADE_BYTES_MAX ? 'none' : 'broken';
  }

  /** Whether somebody who worked on it broke off. */
  async wasInterrupted(repository: BackupRepositoryId): Promise<boolean> {
    return (await readdir(join(this.path(repository), 'locks')).catch(() => [])).length > 0;
  }

  /** What its files take. */
  async bytes(repository: BackupRepositoryId): Promise<number> {
    let sum = 0;
    for await (const file of files(this.path(repository))) sum += (await sizeOf(file)) ?? 0;
    return sum;
  }

  /** Removes what an interrupted write left. The caller is the only one at work on it. */
  async tidy(repository: BackupRepositoryId): Promise<void> {
    for await (const file of files(this.path(repository))) {
      if (HALF_WRITTEN.test(file)) await unlink(file).catch(() => undefined);
    }
  }

  async remove(repository: BackupRepositoryId): Promise<void> {
    const path = this.path(repository);
    if (!existsSync(path)) return;
    // Out of sight at once: a half removed one would look like a damaged one.
    const leaving = join(this.#dir, `${LEAVING}${repository}`);
    await rm(leaving, { recursive: true, force: true });
    await rename(path, leaving);
    await rm(leaving, { recursive: true, force: true });
  }

  /** For a start: what was being removed, and temporary files, when the agent ended. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.#dir)) {
      if (name.startsWith(LEAVING)) await rm(join(this.#dir, name), { recursive: true, force: true });
    }
    for (const name of await readdir(this.temporary)) {
      await rm(join(this.temporary, name), { recursive: true, force: true });
    }
  }

  async list(): Promise<BackupRepositoryId[]> {
    return (await readdir(this.#dir)).filter((name): name is BackupRepositoryId => isId('vlt', name));
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#dir);
    return bavail * bsize;
  }
}

/** A repository that was only just made has its key and nothing else. */
const MADE_BYTES_MAX = 16 * 1024;

async function* files(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) yield path;
  }
}

/** Null: it went while we looked. */
async function sizeOf(file: string): Promise<number | null> {
  return lstat(file).then(
    ({ size }) => size,
    () => null,
  );
}
