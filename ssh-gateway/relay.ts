/** Bytes between two channels, both ways, with back-pressure; each direction ends by itself. */
import type { Readable, Transform, Writable } from 'node:stream';
import type { Channel, ServerChannel } from 'ssh2';

type Half = Pick<Channel, 'close'> & { eof?(): void; end(): void };

/** Resolves when what was written so far has gone into the connection, or `channel`, whose stream it is, is closed. */
function drained(stream: Writable, channel: Writable = stream): Promise<void> {
  return new Promise((resolve) => {
    if (channel.destroyed || !channel.writable) return resolve();
    channel.once('close', resolve);
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

/** `tap` makes what output passes through on its way, for output and errors. `cut`: it ends here, and says so itself. */
export type Tapped = { tap: () => Transform; cut: AbortSignal };

/**
 * A shell, command or subsystem: the exit goes to the client when all output has, unless it was cut: then `up` is
 * closed, and the end of `down` is left to whoever cut.
 */
export function relaySession(down: ServerChannel, up: Channel, tapped: Tapped | null = null): void {
  const isCut = (): boolean => tapped?.cut.aborted === true;
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
    through(up, down, tapped?.tap() ?? null),
    through(up.stderr as unknown as Readable, down.stderr as unknown as Writable, tapped?.tap() ?? null),
  ]);
  for (const stream of [down, up]) stream.on('error', () => {});
  up.on('close', () => {
    void passed
      .then(() => Promise.all([drained(down), drained(down.stderr as unknown as Writable, down)]))
      .then(() => {
        // What ended meanwhile did not end well: its last words are still on their way.
        if (isCut()) return;
        if (exit !== null && 'code' in exit) down.exit(exit.code);
        else if (exit !== null) down.exit(exit.signal, exit.core, exit.message);
        down.end();
      });
  });
  down.on('close', () => up.destroy());
  if (isCut()) up.destroy();
  else tapped?.cut.addEventListener('abort', () => up.destroy(), { once: true });
}
