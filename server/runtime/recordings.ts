/**
 * The files of SSH recordings. The folder belongs to the server; the gateway may make files in it and see none. What is in
 * them came through a terminal: it is never believed, only handed on.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isId, type SshRecordingId, type SshSessionId } from '#domain/ids.ts';
import { readCastLine, sessionOfCast } from '#domain/ssh-recordings.ts';

const SUFFIX = '.cast';
/** Enough to hold the last whole line: the gateway writes at most 32 KiB of output a line, longer as JSON. */
const TAIL_BYTES = 512 * 1024;
const HEADER_BYTES_MAX = 8 * 1024;

export type RecordingFile = { id: SshRecordingId; bytes: number; startedAt: Date; changedAt: Date };

export class RecordingFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(id: SshRecordingId): string {
    // An id is a typed name: it leads nowhere else.
    if (!isId('srd', id)) throw new Error('not the id of a recording');
    return join(this.#folder, `${id}${SUFFIX}`);
  }

  /** Null when there is no such file (any more). */
  async look(id: SshRecordingId): Promise<RecordingFile | null> {
    const found = await lstat(this.#path(id)).catch(() => null);
    return found === null || !found.isFile()
      ? null
      : { id, bytes: found.size, startedAt: found.birthtime, changedAt: found.mtime };
  }

  /** The first `bytes` of it: one that is still written ends where it was when somebody looked. */
  async read(id: SshRecordingId): Promise<{ bytes: number; content: Readable } | null> {
    const handle = await this.#open(id);
    if (handle === null) return null;
    const { size } = await handle.stat();
    if (size > 0) return { bytes: size, content: handle.createReadStream({ start: 0, end: size - 1 }) };
    await handle.close();
    return { bytes: 0, content: Readable.from([]) };
  }

  /** How long the recording runs: the time of its last whole line. */
  async milliseconds(id: SshRecordingId): Promise<number> {
    const handle = await this.#open(id);
    if (handle === null) return 0;
    try {
      const { size } = await handle.stat();
      const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
      await handle.read(tail, 0, tail.length, size - tail.length);
      const lines = tail.toString('utf8').split('\n');
      for (const line of lines.reverse()) {
        const event = readCastLine(line);
        if (event !== null) return Math.round(event[0] * 1000);
      }
      return 0;
    } finally {
      await handle.close();
    }
  }

  /** The connection that its header names; null when it names none. */
  async session(id: SshRecordingId): Promise<SshSessionId | null> {
    const handle = await this.#open(id);
    if (handle === null) return null;
    try {
      const head = Buffer.alloc(HEADER_BYTES_MAX);
      const { bytesRead } = await handle.read(head, 0, head.length, 0);
      return sessionOfCast(head.toString('utf8', 0, bytesRead).split('\n')[0] ?? '');
    } finally {
      await handle.close();
    }
  }

  #open(id: SshRecordingId): Promise<FileHandle | null> {
    return open(this.#path(id), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => null);
  }

  /** Gone is gone. */
  async remove(id: SshRecordingId): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** All that are there, in no order; empty when the folder is not. */
  async ids(): Promise<SshRecordingId[]> {
    const names = await readdir(this.#folder).catch(() => []);
    return names.flatMap((name) => {
      const id = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : '';
      return isId('srd', id) ? [id] : [];
    });
  }
}
