/** Child processes of the host commands: argument lists only, output bounded, never a shell. */
import { spawn } from 'node:child_process';

export const RUN_OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const RUN_TIMEOUT_MS = 600_000;

export type RunResult = { code: number; stdout: string; stderr: string };
export type RunOptions = {
  timeoutMs?: number;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
  input?: string | Buffer;
  /** Called for each line of either stream, for live progress. */
  onLine?: (line: string) => void;
};

/**
 * Runs a program to its end. Never throws for a bad exit code; a program that cannot be started gives code 127, one
 * that ran out of time 124.
 */
export function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const [program, ...args] = argv;
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const lines = lineSplitter(options.onLine);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs ?? RUN_TIMEOUT_MS);
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (stdout.length < RUN_OUTPUT_BYTES_MAX) stdout += chunk;
      lines(chunk);
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      if (stderr.length < RUN_OUTPUT_BYTES_MAX) stderr += chunk;
      lines(chunk);
    });
    if (options.input !== undefined) {
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input);
    }
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, stdout, stderr: `${stderr}${error.message}` });
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const reason = timedOut ? `\nstopped after ${(options.timeoutMs ?? RUN_TIMEOUT_MS) / 1000} s` : '';
      resolve({ code: timedOut ? 124 : (code ?? (signal === null ? 1 : 128)), stdout, stderr: stderr + reason });
    });
  });
}

/** Like `run`, but a bad exit code is an Error with the last lines of what the program said. */
export async function must(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code === 0) return result.stdout;
  // apt says on stdout why it said no on stderr.
  const last = (text: string, lines: number) => text.trim().split('\n').slice(-lines).join('\n');
  const said = [last(result.stdout, 12), last(result.stderr, 12)].filter((text) => text !== '').join('\n');
  throw new Error(`${argv.slice(0, 6).join(' ')} failed (exit ${result.code})${said === '' ? '' : `:\n${said}`}`);
}

function lineSplitter(onLine: ((line: string) => void) | undefined): (chunk: string) => void {
  if (onLine === undefined) return () => {};
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split(/[\r\n]+/);
    rest = (parts.pop() ?? '').slice(-4096);
    for (const part of parts) if (part.trim() !== '') onLine(part);
  };
}
