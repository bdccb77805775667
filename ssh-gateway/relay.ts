/** Bytes between two channels, both ways, with back-pressure; each direction ends by itself. */
import type { Readable, Transform, Writable } from 'node:stream';
import type { Channel, ServerChannel } from 'ssh2';

type Half = Pick<Channel, 'close'> & { eof?(): void; end(): void };

/** Resolves when what was written so far has gone into the connection. */
function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writable) return resolve();
    stream.once('close', resolve);
    stream.write('', () => resolve());
  });
}

function pump(from: Readable, to: Writable): Promise<void> {
  from.pipe(to, { end: false });
  return new Promise((resolve) => {
    from.once('end', resolve);
    from.once('close', resolve);
  });
}

/** A forwarded connection: half-closed ends stay half-closed, as TCP allows. */
export function relayForward(down: Channel, up: Channel): void {
  const finish = async (from: Channel, to: Channel): Promise<void> => {
    await pump(from, to);
    await drained(to);
    (to as Half).eof?.();
  };
  for (const channel of [down, up]) channel.on('error', () => channel.destroy());
  void Promise.all([finish(up, down), finish(down, up)]).then(() => {
    down.end();
    up.end();
  });
  down.on('close', () => up.destroy());
  up.on('close', () => {
    void drained(down).then(() => down.end());
  });
}

export type Exit = { code: number } | { signal: string; core: boolean; message: string };

/** Resolves when nothing more comes out of it. */
function ended(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.readableEnded || stream.destroyed) return resolve();
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
}

/** Between the server and the client: what passes has been recorded. */
function through(from: Readable, to: Writable, tap: Transform | null): Promise<void> {
  if (tap === null) {
    from.pipe(to, { end: false });
    return Promise.resolve();
  }
  from.pipe(tap).pipe(to, { end: false });
  from.once('close', () => tap.end());
  return ended(tap);
}

/**
 * A shell, command or subsystem: the exit goes to the client when all output has. `tap` makes what output passes through
 * on its way, for output and errors.
 */
export function relaySession(down: ServerChannel, up: Channel, tap: (() => Transform) | null = null): void {
  let exit: Exit | null = null;
  up.on('exit', (code: number | null, signal?: string, core?: boolean | string, message?: string) => {
    exit =
      code === null
        ? {
            signal: (signal ?? 'TERM').replace(/^SIG/, ''),
            core: core === true || core === 'CORE',
            message: message ?? '',
          }
        : { code };
  });
  down.pipe(up);
  const passed = Promise.all([
    through(up, down, tap?.() ?? null),
    through(up.stderr as unknown as Readable, down.stderr as unknown as Writable, tap?.() ?? null),
  ]);
  for (const stream of [down, up]) stream.on('error', () => {});
  up.on('close', () => {
    void passed
      .then(() => drained(down))
      .then(() => {
        if (exit !== null && 'code' in exit) down.exit(exit.code);
        else if (exit !== null) down.exit(exit.signal, exit.core, exit.message);
        down.end();
      });
  });
  down.on('close', () => up.destroy());
}
