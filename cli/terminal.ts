/**
 * The person's terminal joined to one inside an instance, over edge's WebSocket. Bytes pass untouched in raw mode.
 * As with ssh, `~.` at the beginning of a line leaves; the terminal inside lives on for a while and can be rejoined.
 */
import { edgePath, terminalServerMessage } from '#contract/edge.ts';
import { CliError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { closeError, openSocket } from './socket.ts';

/** Finds `~.` after a line break in what is typed. `~~` sends one `~`. */
export class EscapeFilter {
  #state: 'line-start' | 'tilde' | 'inside' = 'line-start';

  /** The bytes to send, and whether the person wants to leave. */
  push(input: Buffer): { bytes: Buffer; leave: boolean } {
    const out: number[] = [];
    for (const byte of input) {
      if (this.#state === 'tilde') {
        if (byte === 0x2e) return { bytes: Buffer.from(out), leave: true };
        if (byte !== 0x7e) out.push(0x7e);
        out.push(byte);
        this.#state = byte === 0x0d || byte === 0x0a ? 'line-start' : 'inside';
        continue;
      }
      if (this.#state === 'line-start' && byte === 0x7e) {
        this.#state = 'tilde';
        continue;
      }
      out.push(byte);
      this.#state = byte === 0x0d || byte === 0x0a ? 'line-start' : 'inside';
    }
    return { bytes: Buffer.from(out), leave: false };
  }
}

function size(berth: Runtime): { cols: number; rows: number } {
  return {
    cols: Math.min(500, Math.max(20, berth.io.stdout.columns || 80)),
    rows: Math.min(200, Math.max(5, berth.io.stdout.rows || 24)),
  };
}

export type TerminalEnd = { how: 'exit'; code: number } | { how: 'left' };

/** Joins the terminals until the shell inside ends or the person leaves. Errors: CliError. */
export async function joinTerminal(
  berth: Runtime,
  target: { instance: string; session: string; user: 'berth' | 'root' },
): Promise<TerminalEnd> {
  const { stdin, stdout } = berth.io;
  const { cols, rows } = size(berth);
  const query = new URLSearchParams({
    session: target.session,
    user: target.user,
    cols: String(cols),
    rows: String(rows),
  });
  const socket = await openSocket(berth, `${edgePath('terminal', target.instance)}?${query}`);
  const filter = new EscapeFilter();
  const raw = stdin.isTTY === true && stdin.setRawMode !== undefined;
  const onResize = (): void => socket.send(JSON.stringify({ type: 'resize', ...size(berth) }));
  let end: TerminalEnd | null = null;
  const onData = (chunk: Buffer | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const typed = raw ? filter.push(bytes) : { bytes, leave: false };
    if (typed.bytes.length > 0) socket.send(typed.bytes, { binary: true });
    if (typed.leave) {
      end = { how: 'left' };
      socket.close(1000);
    }
  };
  // A pipe that ends means "no more input": the shell gets Ctrl-D.
  const onEnd = (): void => socket.send(Buffer.from([4]), { binary: true });
  try {
    return await new Promise<TerminalEnd>((resolve, reject) => {
      socket.on('message', (data, binary) => {
        if (binary) {
          stdout.write(data as Buffer);
          return;
        }
        const message = terminalServerMessage.safeParse(parseJson(String(data)));
        if (!message.success) return;
        if (message.data.type === 'exit') end = { how: 'exit', code: message.data.code };
        if (message.data.type === 'error') {
          reject(new CliError('failure', message.data.message, { code: 'upstream_failed' }));
        }
      });
      socket.on('error', () => undefined);
      socket.on('close', (code, reason) => {
        if (end !== null) resolve(end);
        else reject(closeError(code, String(reason)));
      });
      if (raw) stdin.setRawMode?.(true);
      stdin.on('data', onData);
      stdin.on('end', onEnd);
      stdin.resume();
      stdout.on('resize', onResize);
    });
  } finally {
    if (raw) stdin.setRawMode?.(false);
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.pause();
    stdout.off('resize', onResize);
    socket.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
