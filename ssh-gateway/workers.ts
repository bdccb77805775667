/**
 * Several processes for SSH: the listener hands each connection to the one that has the fewest, and hears how far it has
 * come, so that bounds hold over all. A worker that dies takes its own connections along and no others; another takes its
 * place, and the server is told of the ends that it could not tell itself.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { type Counted, Reports } from './reports.ts';
import type { GatewayLog, Progress } from './sessions.ts';

/** From the listener to a worker: a connection (the socket comes along), one that has to go, the end. */
export type ToWorker = { take: number } | { drop: number } | { stop: true };
/** From a worker. `living`: everybody who is in, every few seconds and after each change. */
export type FromWorker = { ready: true } | { connection: number; progress: Progress } | { living: Counted[] };

export type WorkerStart = () => ChildProcess;

const AGAIN_MS_MIN = 100;
const AGAIN_MS_MAX = 5_000;
/** Who lived for so long begins anew with short waits. */
const SETTLED_MS = 10_000;
const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 3_000;

type Worker = {
  process: ChildProcess;
  isReady: boolean;
  begunAt: number;
  connections: Map<number, (progress: Progress) => void>;
  living: Counted[];
};

/** Starts this program once more as a worker. */
export function workerOf(main: string, config: string): WorkerStart {
  return () => fork(main, ['--config', config, '--worker'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

export class Workers {
  readonly #start: WorkerStart;
  readonly #log: GatewayLog;
  readonly #reports: Reports;
  readonly #workers: (Worker | null)[];
  #number = 0;
  #isStopping = false;

  private constructor(options: { start: WorkerStart; log: GatewayLog; reportSocket: string; count: number }) {
    this.#start = options.start;
    this.#log = options.log;
    this.#reports = new Reports(options.reportSocket, options.log, () => []);
    this.#workers = Array.from({ length: options.count }, () => null);
  }

  /** Resolves when the first of them is ready. Errors: none came up. */
  static async start(options: {
    start: WorkerStart;
    log: GatewayLog;
    reportSocket: string;
    count: number;
  }): Promise<Workers> {
    const made = new Workers(options);
    for (let place = 0; place < options.count; place++) made.#begin(place, AGAIN_MS_MIN);
    const until = Date.now() + READY_MS_MAX;
    while (!made.#workers.some((worker) => worker?.isReady === true)) {
      if (Date.now() > until) throw new Error('no worker of the SSH gateway comes up');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return made;
  }

  sessions(): number {
    return this.#workers.reduce((sum, worker) => sum + (worker?.living.length ?? 0), 0);
  }

  workers(): number {
    return this.#workers.filter((worker) => worker?.isReady === true).length;
  }

  take(socket: Socket, tell: (progress: Progress) => void): { destroy(): unknown } {
    const number = ++this.#number;
    const [worker] = this.#workers
      .filter((each): each is Worker => each?.isReady === true && each.process.connected)
      .sort((one, other) => one.connections.size - other.connections.size);
    if (worker === undefined) {
      socket.destroy();
      tell('over');
      return socket;
    }
    worker.connections.set(number, tell);
    socket.on('error', () => {});
    worker.process.send({ take: number } satisfies ToWorker, socket, { keepOpen: false }, (error) => {
      if (error === null) return;
      socket.destroy();
      this.#over(worker, number);
    });
    return { destroy: () => send(worker.process, { drop: number }) };
  }

  #over(worker: Worker, number: number): void {
    const tell = worker.connections.get(number);
    worker.connections.delete(number);
    tell?.('over');
  }

  #begin(place: number, waitMs: number): void {
    if (this.#isStopping) return;
    const process_ = this.#start();
    const worker: Worker = {
      process: process_,
      isReady: false,
      begunAt: Date.now(),
      connections: new Map(),
      living: [],
    };
    this.#workers[place] = worker;
    process_.on('message', (message: FromWorker) => {
      if ('ready' in message) worker.isReady = true;
      else if ('living' in message) worker.living = message.living;
      else if (message.progress === 'over') this.#over(worker, message.connection);
      else worker.connections.get(message.connection)?.(message.progress);
    });
    process_.on('error', () => {});
    process_.once('exit', (code, signal) => {
      if (this.#workers[place] === worker) this.#workers[place] = null;
      for (const number of [...worker.connections.keys()]) this.#over(worker, number);
      if (this.#isStopping) return;
      this.#log.warn({ code, signal, sessions: worker.living.length }, 'a worker of the SSH gateway ended');
      for (const { session, bytesIn, bytesOut } of worker.living) {
        const reason = 'The process of the SSH gateway that carried it ended.';
        const body = { session, reason, bytesIn, bytesOut, endedAt: new Date().toISOString() };
        this.#reports.tell({ call: 'end', body });
      }
      const next = Date.now() - worker.begunAt > SETTLED_MS ? AGAIN_MS_MIN : Math.min(waitMs * 2, AGAIN_MS_MAX);
      setTimeout(() => this.#begin(place, next), next).unref();
    });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const all = this.#workers.filter((worker) => worker !== null);
    const gone = all.map(
      ({ process: each }) =>
        new Promise<void>((resolve) => {
          if (each.exitCode !== null || each.signalCode !== null) return resolve();
          each.once('exit', () => resolve());
          send(each, { stop: true });
        }),
    );
    await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, STOP_MS_MAX).unref())]);
    for (const { process: each } of all) each.kill('SIGKILL');
    await this.#reports.stop();
  }
}

/** One that is gone needs no word. */
function send(process_: ChildProcess, message: ToWorker): void {
  if (process_.connected) process_.send(message, () => {});
}
