/**
 * One recording of one shell with a terminal: a file that only grows, a line for each piece of output and each new size of
 * the window. Input never comes here. What the person sees is in the file first; when it cannot be written (the disk is
 * full, a bound is reached, the folder is gone) the shell ends. Killed in between, the file can be replayed up to its last
 * whole line.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { makeId, type SshRecordingId, type SshSessionId } from '#domain/ids.ts';
import {
  castHeader,
  castLine,
  SSH_RECORDING_BYTES_MAX,
  SSH_RECORDING_HOURS_MAX,
  SSH_RECORDINGS_FREE_BYTES_MIN,
} from '#domain/ssh-recordings.ts';
import type { Reports } from './reports.ts';

/** How much is written between two looks at the disk. */
const LOOK_EVERY_BYTES = 4 * 1024 ** 2;
const TITLE_LENGTH_MAX = 200;

export type RecordingLimits = { bytes: number; hours: number; freeBytes: number };
const recordingLimits: RecordingLimits = {
  bytes: SSH_RECORDING_BYTES_MAX,
  hours: SSH_RECORDING_HOURS_MAX,
  freeBytes: SSH_RECORDINGS_FREE_BYTES_MIN,
};

export type Recorder = {
  folder: string;
  reports: Pick<Reports, 'tell'>;
  now(): Date;
  limits?: RecordingLimits;
};

/** The shell cannot go on; the message is for the person. */
export class NotRecorded extends Error {}

const NO_ROOM = 'This session has to be recorded, and there is no room left for the recording. Tell an administrator.';
const NOT_WRITABLE = 'This session has to be recorded, and the recording cannot be written. Tell an administrator.';

function wordsFor(error: unknown): NotRecorded {
  if (error instanceof NotRecorded) return error;
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return new NotRecorded(code === 'ENOSPC' || code === 'EDQUOT' ? NO_ROOM : NOT_WRITABLE);
}

export class Recording {
  readonly #o: Recorder;
  readonly id: SshRecordingId;
  readonly #file: FileHandle;
  readonly #limits: RecordingLimits;
  readonly #begun = performance.now();
  readonly #hash = createHash('sha256');
  readonly #onFailure: (words: string) => void;
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #looked = 0;
  #over = false;
  #turn: Promise<void> = Promise.resolve();

  private constructor(recorder: Recorder, id: SshRecordingId, file: FileHandle, onFailure: (words: string) => void) {
    this.#o = recorder;
    this.id = id;
    this.#file = file;
    this.#limits = recorder.limits ?? recordingLimits;
    this.#onFailure = onFailure;
    const { hours } = this.#limits;
    const words = `This session was recorded for ${hours} hours, the longest there is. Connect again.`;
    this.#timer = setTimeout(() => this.#fail(words), hours * 3_600_000).unref();
  }

  /** `onFailure` is called at most once: the shell has to end. Errors: NotRecorded. */
  static async begin(
    recorder: Recorder,
    of: { session: SshSessionId; width: number; height: number; term: string; title: string },
    onFailure: (words: string) => void,
  ): Promise<Recording> {
    const startedAt = recorder.now();
    const id = makeId('srd', startedAt.getTime(), randomBytes);
    let file: FileHandle | null = null;
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
      file = await open(join(recorder.folder, `${id}.cast`), flags, 0o644);
      // Whatever the umask is: the server reads it as one of "the others"; nobody else gets into the folder.
      await file.chmod(0o644);
      const recording = new Recording(recorder, id, file, onFailure);
      await recording.#look();
      const title = of.title.slice(0, TITLE_LENGTH_MAX);
      await recording.#write(castHeader({ ...of, title, startedAt }));
      const body = { recording: id, session: of.session, startedAt: startedAt.toISOString() };
      recorder.reports.tell({ call: 'record', body });
      return recording;
    } catch (error) {
      await file?.close().catch(() => {});
      throw wordsFor(error);
    }
  }

  /** Passes on what it has recorded, in order. Broken characters at the border of two pieces become whole again. */
  tap(): Transform {
    const decoder = new StringDecoder('utf8');
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const text = decoder.write(chunk);
        this.#line('o', text).then(
          () => done(null, chunk),
          () => done(null),
        );
      },
      flush: (done) => {
        void this.#line('o', decoder.end()).then(
          () => done(),
          () => done(),
        );
      },
    });
  }

  resize(columns: number, rows: number): void {
    this.#line('r', `${columns}x${rows}`).catch(() => {});
  }

  /** Closes the file and tells of it. More calls do nothing. */
  end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    const milliseconds = Math.round(performance.now() - this.#begun);
    const endedAt = this.#o.now().toISOString();
    void this.#turn.finally(async () => {
      await this.#file.close().catch(() => {});
      const sha256 = this.#hash.digest('hex');
      this.#o.reports.tell({
        call: 'recorded',
        body: { recording: this.id, reason: reason.slice(0, 200), bytes: this.#bytes, milliseconds, sha256, endedAt },
      });
    });
  }

  /** Errors: it is over. */
  #line(kind: 'o' | 'r', data: string): Promise<void> {
    if (this.#over) return Promise.reject(new NotRecorded('It is over.'));
    if (data === '') return Promise.resolve();
    const text = castLine(performance.now() - this.#begun, kind, data);
    const written = this.#turn.then(() => this.#write(text));
    this.#turn = written.catch((error: unknown) => this.#fail(wordsFor(error).message));
    return written;
  }

  async #write(text: string): Promise<void> {
    const bytes = Buffer.from(text, 'utf8');
    if (this.#bytes + bytes.length > this.#limits.bytes) {
      const mib = Math.round(this.#limits.bytes / 1024 ** 2);
      throw new NotRecorded(`The recording of this session has reached ${mib} MiB, the most there is. Connect again.`);
    }
    if (this.#bytes - this.#looked >= LOOK_EVERY_BYTES) await this.#look();
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at);
      this.#hash.update(bytes.subarray(at, at + bytesWritten));
      this.#bytes += bytesWritten;
      at += bytesWritten;
    }
  }

  async #look(): Promise<void> {
    this.#looked = this.#bytes;
    const { bavail, bsize } = await statfs(this.#o.folder);
    if (bavail * bsize < this.#limits.freeBytes) throw new NotRecorded(NO_ROOM);
  }

  #fail(words: string): void {
    if (this.#over) return;
    this.end(words);
    this.#onFailure(words);
  }
}
