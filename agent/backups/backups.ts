/**
 * Backup verbs. Nobody but this process touches the repositories of this host, one at a time each; so a lock that is found
 * in one, or half a pack, is what somebody who was killed has left, and is tidied away before anything else is done.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { AgentInput } from '#contract/agent.ts';
import type { AgentGuestObservation, AgentResult } from '#contract/agent-results.ts';
import {
  BACKUP_FREE_BYTES_MIN,
  BACKUP_PROBLEM_LENGTH_MAX,
  BACKUP_SECONDS_MAX,
  BACKUPS_AT_ONCE_MAX,
} from '#domain/backups.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { BackupId, BackupRepositoryId } from '#domain/ids.ts';
import type { Engine } from '../engine.ts';
import type { Guests } from '../guests.ts';
import type { KeyedLocks } from '../locks.ts';
import type { VerbContext } from '../verbs.ts';
import { LocalRepositories } from './local.ts';
import { damaged, noRoom, type ResticTarget, restic, withUs } from './restic.ts';
import { Slots } from './slots.ts';

/** How often room and growth are looked at while a backup is made. */
const WATCH_MS = 2_000;
const EMPTY_SECONDS_MAX = 900;
const ROOT_MODE = 0o755;

type Ref = Pick<AgentInput<'verifyRepository'>, 'repository' | 'place' | 'password'>;
type Work = { target: ResticTarget; signal: AbortSignal; tell(percent: number, line: string): void };
type Snapshot = { id: string; tags?: string[] };

const run = promisify(execFile);
const backupTag = (backup: BackupId): string => `backup:${backup}`;
const isOf = ({ tags }: Snapshot, backup: BackupId): boolean => tags?.includes(backupTag(backup)) ?? false;

export class Backups {
  readonly #engine: Engine;
  readonly #guests: Guests;
  readonly #locks: KeyedLocks;
  readonly #local: LocalRepositories;
  readonly #slots = new Slots(BACKUPS_AT_ONCE_MAX);
  readonly #swept: Promise<void>;

  /** `guestLocks`: the ones that all verbs about guests share. */
  constructor(engine: Engine, guests: Guests, guestLocks: KeyedLocks, dir: string, onError: (error: unknown) => void) {
    this.#engine = engine;
    this.#guests = guests;
    this.#locks = guestLocks;
    this.#local = new LocalRepositories(dir);
    this.#swept = this.#local
      .sweep()
      .then(() => engine.thawAll())
      .then(() => undefined, onError);
  }

  backup(input: AgentInput<'backupGuest'>, context: VerbContext): Promise<AgentResult<'backupGuest'>> {
    const { repository, instance, backup } = input;
    return this.#work(input, context, async (work) => {
      const state = await this.#local.state(repository);
      if (state === 'broken') throw damaged('its configuration is missing.');
      let present: Snapshot | undefined;
      let parent: Snapshot | undefined;
      if (state === 'there') {
        await this.#ready(repository, work);
        const all = await this.#snapshots(work);
        present = all.find((each) => isOf(each, backup));
        // All backups of one repository are of one guest: the newest is what most is like.
        parent = all.at(-1);
        if (present !== undefined) {
          await this.#thaw(instance, backup);
          return { ...(await this.#content(work, present.id)), storedBytes: await this.#local.bytes(repository) };
        }
      }
      const free = await this.#local.freeBytes();
      // What it will take nobody knows before; while it is copied the room is watched.
      if (free < BACKUP_FREE_BYTES_MIN) throw noRoom(`${free} bytes are free, ${BACKUP_FREE_BYTES_MIN} are needed`);
      if (state === 'none') {
        await this.#local.remove(repository);
        await restic(work.target, ['init'], this.#options(work));
      }
      work.tell(0, 'Taking a snapshot to copy from');
      const path = await this.#locks.run(instance, () => this.#engine.freezeDisk(instance, backup));
      try {
        const content = await this.#copy(work, path, input, parent);
        return { ...content, storedBytes: await this.#local.bytes(repository) };
      } finally {
        await this.#thaw(instance, backup);
      }
    });
  }

  restore(input: AgentInput<'restoreBackup'>, context: VerbContext): Promise<null> {
    return this.#work(input, context, (work) =>
      this.#guests.refill(input.instance, () => this.#fill(work, input, input.instance)),
    );
  }

  recover(input: AgentInput<'recoverGuest'>, context: VerbContext): Promise<AgentGuestObservation> {
    return this.#work(input, context, (work) =>
      this.#guests.recover(input.spec, () => this.#fill(work, input, input.spec.instance)),
    );
  }

  delete(input: AgentInput<'deleteBackup'>, context: VerbContext): Promise<{ storedBytes: number }> {
    const { repository, instance, backup } = input;
    return this.#work(input, context, async (work) => {
      if (instance !== null) await this.#thaw(instance, backup);
      const state = await this.#local.state(repository);
      if (state === 'broken') throw damaged('its configuration is missing.');
      if (state === 'none') {
        await this.#local.remove(repository);
        return { storedBytes: 0 };
      }
      await this.#ready(repository, work, false);
      work.tell(0, 'Looking what only this backup needs');
      const found = await this.#find(work, backup);
      if (found !== null) await restic(work.target, ['forget', found.id], this.#options(work));
      await restic(work.target, ['prune'], this.#options(work));
      return { storedBytes: await this.#local.bytes(repository) };
    });
  }

  has(input: AgentInput<'hasBackup'>, context: VerbContext): Promise<boolean> {
    const { repository, backup } = input;
    return this.#work(input, context, async (work) => {
      const state = await this.#local.state(repository);
      if (state === 'broken') throw damaged('its configuration is missing.');
      return state === 'there' && (await this.#find(work, backup)) !== null;
    });
  }

  removeRepository(input: Ref, context: VerbContext): Promise<null> {
    return this.#work(input, context, async () => {
      await this.#local.remove(input.repository);
      return null;
    });
  }

  verify(input: Ref, context: VerbContext): Promise<{ problem: string | null; storedBytes: number }> {
    const { repository } = input;
    return this.#work(input, context, async (work) => {
      const state = await this.#local.state(repository);
      if (state !== 'there') {
        const problem = state === 'none' ? 'It is no longer there.' : 'Its configuration is missing.';
        return { problem, storedBytes: await this.#local.bytes(repository) };
      }
      await restic(work.target, ['unlock', '--remove-all'], this.#options(work)).catch(() => undefined);
      work.tell(0, 'Reading everything');
      let problem: string | null = null;
      try {
        await restic(work.target, ['check', '--read-data'], this.#options(work));
      } catch (error) {
        if (work.signal.aborted || !(error instanceof BerthError) || error.code === 'unsupported') throw error;
        problem = (error.detail ?? error.message).slice(0, BACKUP_PROBLEM_LENGTH_MAX);
      }
      return { problem, storedBytes: await this.#local.bytes(repository) };
    });
  }

  async repositories(): Promise<AgentResult<'repositories'>> {
    const found = await this.#local.list();
    return Promise.all(
      found.map(async (repository) => ({ repository, storedBytes: await this.#local.bytes(repository) })),
    );
  }

  /** In turn with whatever else works on the repository, bounded in number and time, given up when the caller is gone. */
  async #work<T>(ref: Ref, context: VerbContext, body: (work: Work) => Promise<T>): Promise<T> {
    await this.#swept;
    const tell: Work['tell'] = (percent, line) => context.onProgress({ phase: 'backup', percent, line });
    return this.#locks.run(ref.repository, () =>
      this.#slots.run(
        () => tell(0, 'Waiting for other work on backups'),
        () => {
          const limit = AbortSignal.timeout(BACKUP_SECONDS_MAX * 1000);
          const signal = AbortSignal.any([context.signal, limit]);
          signal.throwIfAborted();
          const target = { url: this.#local.path(ref.repository), environment: {}, password: ref.password };
          return body({ target, signal, tell });
        },
      ),
    );
  }

  #options(work: Work) {
    return { signal: work.signal, temporary: this.#local.temporary };
  }

  /** Tidies up behind somebody who was killed. `prune`: what nobody refers to is removed, so that it does not count. */
  async #ready(repository: BackupRepositoryId, work: Work, prune = true): Promise<void> {
    if (!(await this.#local.wasInterrupted(repository))) return;
    await restic(work.target, ['unlock', '--remove-all'], this.#options(work));
    await this.#local.tidy(repository);
    if (!prune) return;
    work.tell(0, 'Tidying up after work that broke off');
    await restic(work.target, ['prune'], this.#options(work));
  }

  #thaw(instance: AgentInput<'backupGuest'>['instance'], backup: BackupId): Promise<void> {
    return this.#locks.run(instance, () => this.#engine.thawDisk(instance, backup));
  }

  /** Oldest first. */
  async #snapshots(work: Work): Promise<Snapshot[]> {
    const lines = await restic(work.target, ['snapshots'], this.#options(work));
    const list = lines.find((line) => line.startsWith('['));
    return list === undefined ? [] : (JSON.parse(list) as Snapshot[]);
  }

  async #find(work: Work, backup: BackupId): Promise<Snapshot | null> {
    return (await this.#snapshots(work)).find((each) => isOf(each, backup)) ?? null;
  }

  async #copy(
    work: Work,
    path: string,
    { repository, backup, bytesMax }: AgentInput<'backupGuest'>,
    parent: Snapshot | undefined,
  ) {
    const before = await this.#local.bytes(repository);
    const stop = new AbortController();
    const watch = setInterval(() => {
      void Promise.all([this.#local.bytes(repository), this.#local.freeBytes()]).then(([bytes, free]) => {
        if (bytes - before > bytesMax)
          stop.abort(new BerthError('quota_exceeded', 'It has grown beyond what was reserved for it. Try again.'));
        else if (free < BACKUP_FREE_BYTES_MIN / 2) stop.abort(noRoom());
      });
    }, WATCH_MS);
    const content = { dataBytes: 0, files: 0 };
    try {
      const like = parent === undefined ? ['--force'] : ['--parent', parent.id];
      // From inside the folder: the paths in the backup are those in the guest.
      await restic(work.target, ['backup', '--host', 'berth', '--tag', backupTag(backup), ...like, '.'], {
        ...this.#options({ ...work, signal: AbortSignal.any([work.signal, stop.signal]) }),
        cwd: path,
        onMessage: (message) => {
          if (message['message_type'] === 'status') work.tell(percentOf(message), doneOf(message));
          if (message['message_type'] !== 'summary') return;
          content.dataBytes = Number(message['total_bytes_processed'] ?? 0);
          content.files = Number(message['total_files_processed'] ?? 0);
        },
      });
    } finally {
      clearInterval(watch);
    }
    return content;
  }

  /** What a backup that was made before holds. */
  async #content(work: Work, id: string): Promise<{ dataBytes: number; files: number }> {
    const lines = await restic(work.target, ['stats', '--mode', 'restore-size', id], this.#options(work));
    const line = lines.find((each) => each.startsWith('{')) ?? '{}';
    const stats = JSON.parse(line) as { total_size?: number; total_file_count?: number };
    return { dataBytes: stats.total_size ?? 0, files: stats.total_file_count ?? 0 };
  }

  /** Writes a backup to the disk of a stopped guest, in place of everything that is on it. The caller has locked the guest. */
  async #fill(
    work: Work,
    { repository, backup }: AgentInput<'restoreBackup'> | AgentInput<'recoverGuest'>,
    instance: AgentInput<'restoreBackup'>['instance'],
  ): Promise<void> {
    const state = await this.#local.state(repository);
    if (state === 'broken') throw damaged('its configuration is missing.');
    if (state === 'none') throw damaged('they are no longer there.');
    await this.#ready(repository, work, false);
    // Found before anything is removed.
    const found = await this.#find(work, backup);
    if (found === null) throw notFound('backup in its repository');
    const path = await this.#engine.openDisk(instance);
    work.tell(0, 'Clearing the disk');
    await mkdir(path, { recursive: true });
    const [program, args] = withUs(['find', path, '-mindepth', '1', '-delete']);
    await run(program, args, { timeout: EMPTY_SECONDS_MAX * 1000, signal: work.signal });
    work.tell(0, 'Putting the files back');
    await restic(work.target, ['restore', found.id, '--target', path], {
      ...this.#options(work),
      onMessage: (message) => {
        if (message['message_type'] === 'status') work.tell(percentOf(message), doneOf(message));
      },
    });
    await chmod(path, ROOT_MODE);
  }
}

const PERCENT_MAX = 100;
const MIB = 1024 * 1024;

function percentOf(message: Record<string, unknown>): number {
  return Math.min(PERCENT_MAX, Math.floor(Number(message['percent_done'] ?? 0) * PERCENT_MAX));
}

function doneOf(message: Record<string, unknown>): string {
  const mib = (key: string): string => String(Math.round(Number(message[key] ?? 0) / MIB));
  return `${mib('bytes_done' in message ? 'bytes_done' : 'bytes_restored')} of ${mib('total_bytes')} MiB`;
}
