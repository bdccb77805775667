/** Streams in memory, so that tests run whole command lines and read what they print. Used by tests only. */
import { PassThrough, Writable } from 'node:stream';
import type { Environment } from './config.ts';
import { main } from './main.ts';
import type { TerminalReadable, TerminalWritable } from './runtime.ts';

class Memory extends Writable {
  text = '';
  isTTY = false;
  columns = 100;
  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

export type Ran = { code: number; out: string; err: string };

/** Runs `berth ...argv` with nothing of the real environment. */
export async function runCli(
  argv: readonly string[],
  options: { env?: Environment; stdin?: string; tty?: boolean; now?: number } = {},
): Promise<Ran> {
  const stdout = new Memory();
  const stderr = new Memory();
  stdout.isTTY = options.tty === true;
  stderr.isTTY = options.tty === true;
  const stdin = new PassThrough();
  stdin.end(options.stdin ?? '');
  const code = await main(argv, {
    stdout: stdout as TerminalWritable,
    stderr: stderr as TerminalWritable,
    stdin: stdin as TerminalReadable,
    env: options.env ?? { HOME: '/nonexistent' },
    now: () => options.now ?? Date.parse('2026-11-21T12:00:00Z'),
    signal: new AbortController().signal,
  });
  return { code, out: stdout.text, err: stderr.text };
}
