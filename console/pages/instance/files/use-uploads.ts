/** Uploads of one page: in parts, one after the other, with progress; a lost part is sent again. */
import { useRef, useState } from 'react';
import { FILE_PART_BYTES_MAX, joinPath } from '#domain/files.ts';
import { call, toApiError } from '../../../api/client.ts';
import { queryClient } from '../../../api/queries.ts';
import { randomToken } from '../../../lib/random.ts';

export type Upload = {
  key: string;
  name: string;
  folder: string;
  bytes: number;
  sent: number;
  /** `there`: a file of this name is there already, and the person has to say what shall happen. */
  state: 'waiting' | 'sending' | 'there' | 'done' | 'failed' | 'stopped';
  error: string | null;
};
type Job = { upload: Upload; file: File; replace: boolean };

/** Small at first, so that there is progress to see on slow lines; then as large as the line carries in a few seconds. */
const PART_BYTES_FIRST = 1024 ** 2;
const PART_SECONDS = 4;
const ATTEMPTS_MAX = 5;
const NAME_LENGTH = 16;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export function useUploads(instance: string) {
  const [uploads, setUploads] = useState<readonly Upload[]>([]);
  const queue = useRef<Job[]>([]);
  const busy = useRef(false);
  const stopped = useRef(new Set<string>());
  const jobs = useRef(new Map<string, Job>());

  function show(key: string, changes: Partial<Upload>): void {
    setUploads((before) => before.map((each) => (each.key === key ? { ...each, ...changes } : each)));
  }

  async function sendAll(): Promise<void> {
    if (busy.current) return;
    busy.current = true;
    for (let job = queue.current.shift(); job !== undefined; job = queue.current.shift()) {
      const { key } = job.upload;
      if (stopped.current.has(key)) continue;
      show(key, { state: 'sending', error: null });
      try {
        await send(instance, job, {
          sent: (bytes) => show(key, { sent: bytes }),
          stopped: () => stopped.current.has(key),
        });
        show(key, { state: stopped.current.has(key) ? 'stopped' : 'done', sent: job.upload.bytes });
      } catch (thrown) {
        const error = toApiError(thrown);
        const there = error.code === 'conflict' && !job.replace && error.message.startsWith('There is a file');
        show(key, { state: there ? 'there' : 'failed', error: error.message });
      }
      void queryClient.invalidateQueries({ queryKey: ['filesList'] });
    }
    busy.current = false;
  }

  function enqueue(job: Job): void {
    jobs.current.set(job.upload.key, job);
    stopped.current.delete(job.upload.key);
    queue.current.push(job);
    show(job.upload.key, { state: 'waiting', sent: 0, error: null });
    void sendAll();
  }

  return {
    uploads,
    add(folder: string, files: Iterable<File>): void {
      for (const file of files) {
        const upload: Upload = {
          key: randomToken(12),
          name: file.name,
          folder,
          bytes: file.size,
          sent: 0,
          state: 'waiting',
          error: null,
        };
        setUploads((before) => [...before, upload]);
        enqueue({ upload, file, replace: false });
      }
    },
    /** Once more; `replace` takes the place of what is there. */
    again(key: string, replace: boolean): void {
      const job = jobs.current.get(key);
      if (job !== undefined) enqueue({ ...job, replace });
    },
    stop(key: string): void {
      stopped.current.add(key);
      show(key, { state: 'stopped' });
    },
    clear(): void {
      setUploads((before) => before.filter((each) => each.state === 'waiting' || each.state === 'sending'));
    },
  };
}

type Progress = { sent(bytes: number): void; stopped(): boolean };

async function send(instance: string, { upload, file, replace }: Job, progress: Progress): Promise<void> {
  const name = randomToken(NAME_LENGTH)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '0');
  let size = PART_BYTES_FIRST;
  for (let offset = 0; ; ) {
    const piece = new Uint8Array(await file.slice(offset, offset + size).arrayBuffer());
    const last = offset + piece.length >= file.size;
    const begun = performance.now();
    await sendPart(
      {
        params: { instance },
        query: {
          path: joinPath(upload.folder, upload.name),
          upload: name,
          offset,
          last: last ? 'true' : 'false',
          replace: replace ? 'true' : 'false',
        },
        body: piece,
      },
      progress,
    );
    offset += piece.length;
    progress.sent(offset);
    if (last || progress.stopped()) return;
    const seconds = (performance.now() - begun) / 1000;
    size = Math.round(
      Math.min(FILE_PART_BYTES_MAX, Math.max(PART_BYTES_FIRST, (piece.length / seconds) * PART_SECONDS)),
    );
  }
}

/** Nothing is lost by sending a part twice; but the last one may have been the end of the file already. */
async function sendPart(input: Parameters<typeof call<'filesWrite'>>[1], progress: Progress): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await call('filesWrite', input);
      return;
    } catch (thrown) {
      const error = toApiError(thrown);
      const waits = error.code === 'rate_limited';
      const away = ['network', 'unavailable', 'timeout'].includes(error.code) && input.query.last === 'false';
      if (progress.stopped()) return;
      if (!waits && (!away || attempt >= ATTEMPTS_MAX)) throw error;
      await pause((error.retryAfterSeconds ?? attempt) * 1000);
    }
  }
}
