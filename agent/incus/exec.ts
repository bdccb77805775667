/** Processes inside guests over Incus' exec WebSockets: one-shot commands, terminals and followed commands. */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import { BerthError } from '#domain/errors.ts';
import type { ExecOptions, ExecResult, GuestProcess } from '../engine.ts';
import type { IncusClient } from './client.ts';
import { segment } from './client.ts';

/** Longest a terminal or a followed log lives without being asked again. */
export const SESSION_SECONDS_MAX = 24 * 3600;
const CONNECT_SECONDS_MAX = 15;
/** How long what a process said may still be on its way to us after its end. */
const DRAIN_MS_MAX = 5_000;

type Target = { name: string; project: string };
type Session = { operation: string; sockets: Record<string, WebSocket>; finished: Promise<number> };

/** What a shell answers for what is not there or cannot be run; the engine makes errors of these codes. */
function codeOf(error: unknown): number {
  if (error instanceof BerthError && /command not found/i.test(error.detail ?? '')) return 127;
  if (error instanceof BerthError && /command not executable/i.test(error.detail ?? '')) return 126;
  throw error;
}

/** What says that a stream is at its end, so long that nothing else says it. */
const END_BYTES = 16;
/** How long a command has to end after it was told to. */
const KILL_MS = 1_000;

/**
 * Runs a command and stays until its output was read (its input ends then). The engine looks for output once a second
 * and takes a stream for finished when it saw nothing and the process has ended meanwhile: what was said in between,
 * by a command that took a second, is lost. So the process may not end before everything has arrived.
 */
export const STAYING = [
  'trap \'kill -9 "$command" 2>/dev/null\' TERM',
  'end=$1',
  'shift',
  '"$@" </dev/null & command=$!',
  'wait "$command"',
  'code=$?',
  'printf %s "$end"',
  'printf %s "$end" >&2',
  'read -r _',
  'exit "$code"',
].join('\n');

/**
 * Runs a fixed command and collects its output. Errors: timeout, too_large, state_conflict when the guest is down,
 * upstream_failed when not all that it said arrived (it may have done its work).
 */
export async function execCollect(
  client: IncusClient,
  target: Target,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const end = randomBytes(END_BYTES).toString('hex');
  const session = await open(client, target, ['sh', '-c', STAYING, 'sh', end, ...argv], options, null);
  const outputs = { '1': new Output(end), '2': new Output(end) };
  let failure: BerthError | null = null;
  let killing: NodeJS.Timeout | undefined;
  const release = (): void => session.sockets['0']?.send('');
  const kill = (error: BerthError): void => {
    if (failure !== null) return;
    failure = error;
    signal(session, 15);
    release();
    killing = setTimeout(() => closeAll(session), KILL_MS);
  };
  const timer = setTimeout(
    () => kill(new BerthError('timeout', 'The command inside the guest took too long.', { detail: argv.join(' ') })),
    options.timeoutMs,
  );
  const collect = async (fd: '1' | '2'): Promise<void> => {
    await onBytes(session.sockets[fd], (bytes) => {
      if (failure !== null) return;
      outputs[fd].add(bytes);
      if (outputs['1'].size + outputs['2'].size > options.bytesMax)
        kill(new BerthError('too_large', 'The command inside the guest said too much.'));
      else if (outputs['1'].whole && outputs['2'].whole) release();
    });
  };
  try {
    const [code] = await Promise.all([session.finished.catch(codeOf), collect('1'), collect('2')]);
    if (failure !== null) throw failure;
    if (!outputs['1'].whole || !outputs['2'].whole) {
      throw new BerthError('upstream_failed', 'What the command inside the guest said did not arrive.', {
        detail: `${argv.join(' ')} ended with ${code}`,
      });
    }
    return { code, stdout: outputs['1'].text, stderr: outputs['2'].text };
  } catch (error) {
    throw failure ?? error;
  } finally {
    clearTimeout(timer);
    clearTimeout(killing);
    closeAll(session);
  }
}

/** What one stream said until it said that it is at its end. */
class Output {
  readonly #end: Buffer;
  readonly #bytes: Buffer[] = [];
  /** It may be the beginning of the end. */
  #tail = Buffer.alloc(0);
  whole = false;
  size = 0;

  constructor(end: string) {
    this.#end = Buffer.from(end);
  }

  add(bytes: Buffer): void {
    if (this.whole) return;
    const news = Buffer.concat([this.#tail, bytes]);
    const at = news.indexOf(this.#end);
    this.whole = at !== -1;
    const known = this.whole ? at : Math.max(0, news.length - this.#end.length);
    this.#bytes.push(news.subarray(0, known));
    this.#tail = news.subarray(known);
    this.size += known;
  }

  get text(): string {
    return Buffer.concat(this.#bytes).toString('utf8');
  }
}

/** Starts a process that is used while it runs: a PTY when `size` is given. */
export async function execSession(
  client: IncusClient,
  target: Target,
  argv: readonly string[],
  options: { uid: number; gid: number; cwd?: string; environment?: Record<string, string> },
  size: { cols: number; rows: number } | null,
): Promise<GuestProcess> {
  const session = await open(client, target, argv, options, size);
  const outputs = size === null ? (['1', '2'] as const) : (['0'] as const);
  let closed = false;
  const { promise: heard, resolve: hear } = Promise.withResolvers<unknown>();
  if (size === null) session.sockets['0']?.send('');
  return {
    onOutput(listener) {
      const all = outputs.map((fd) => onBytes(session.sockets[fd], (bytes) => listener(bytes, fd === '2' ? 2 : 1)));
      void Promise.all(all).then(hear);
    },
    write(bytes) {
      const socket = session.sockets['0'];
      if (size !== null && socket?.readyState === socket?.OPEN) socket?.send(bytes);
    },
    resize(cols, rows) {
      control(session, { command: 'window-resize', args: { width: String(cols), height: String(rows) } });
    },
    pause() {
      for (const fd of outputs) session.sockets[fd]?.pause();
    },
    resume() {
      for (const fd of outputs) session.sockets[fd]?.resume();
    },
    close() {
      if (closed) return;
      closed = true;
      // A shell ignores SIGTERM and may hold jobs: hang up as a vanished terminal would, then make sure.
      signal(session, 1);
      signal(session, 9);
      setTimeout(() => closeAll(session), 200).unref();
    },
    exited: session.finished.finally(async () => {
      await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, DRAIN_MS_MAX).unref())]);
      closeAll(session);
    }),
  };
}

async function open(
  client: IncusClient,
  target: Target,
  argv: readonly string[],
  options: { uid?: number; gid?: number; cwd?: string; environment?: Record<string, string> },
  size: { cols: number; rows: number } | null,
): Promise<Session> {
  const started = await client.start('POST', `/1.0/instances/${segment(target.name)}/exec`, {
    query: { project: target.project },
    body: {
      command: argv,
      'wait-for-websocket': true,
      interactive: size !== null,
      environment: { LANG: 'C.UTF-8', ...options.environment },
      user: options.uid ?? 0,
      group: options.gid ?? 0,
      cwd: options.cwd ?? '/',
      ...(size === null ? {} : { width: size.cols, height: size.rows }),
    },
  });
  const secrets = (started.metadata.metadata?.['fds'] ?? {}) as Record<string, string>;
  const path = `${started.operation.split('?')[0]}/websocket`;
  const sockets: Record<string, WebSocket> = {};
  const connect = (fd: string): Promise<void> => {
    const socket = client.websocket(path, { secret: secrets[fd] ?? '' }, { autoPong: false });
    sockets[fd] = socket;
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new BerthError('timeout', 'The engine did not open the session.')),
        CONNECT_SECONDS_MAX * 1000,
      );
      socket.once('open', () => {
        clearTimeout(timer);
        // Frames may come before the caller listens: keep them in the socket until then. Not sooner than now: a socket
        // that is still connecting cannot be paused.
        if (fd !== 'control') socket.pause();
        resolve();
      });
      socket.on('error', (error) => {
        clearTimeout(timer);
        reject(
          new BerthError('upstream_failed', 'The guest did not start the command.', {
            cause: error,
            detail: String(error),
          }),
        );
      });
    });
  };
  const finished = client
    .wait(started.operation, SESSION_SECONDS_MAX)
    .then((done) => Number(done.metadata?.['return'] ?? -1));
  const session: Session = { operation: started.operation, sockets, finished };
  finished.catch(() => undefined);
  try {
    // Without a terminal the engine starts the command as soon as it has the streams, control or not, and the last one
    // opens when all others are here: who comes after a quick command has ended finds nothing there.
    const last = size === null ? '0' : null;
    await Promise.all(['control', '0', ...(size === null ? ['1', '2'] : [])].filter((fd) => fd !== last).map(connect));
    if (last !== null) await connect(last);
  } catch (error) {
    closeAll(session);
    // The operation knows better why (guest not running, command not there).
    await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
    throw error;
  }
  return session;
}

/** Answers true when the stream came to its end, false when it was cut off. */
function onBytes(socket: WebSocket | undefined, listener: (bytes: Buffer) => void): Promise<boolean> {
  if (socket === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    socket.on('message', (data, isBinary) => {
      if (isBinary) return listener(data as Buffer);
      // An empty text frame marks the end of the stream; the engine waits for our end of it too.
      socket.close();
      return resolve(true);
    });
    socket.on('close', () => resolve(false));
    socket.resume();
  });
}

function control(session: Session, message: unknown): void {
  const socket = session.sockets['control'];
  if (socket !== undefined && socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

function signal(session: Session, number: number): void {
  control(session, { command: 'signal', signal: number });
}

function closeAll(session: Session): void {
  for (const socket of Object.values(session.sockets)) {
    socket.resume();
    socket.on('error', () => undefined);
    if (socket.readyState === socket.CONNECTING) socket.terminate();
    else socket.close();
  }
}
