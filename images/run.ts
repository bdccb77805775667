import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { BerthError } from '#domain/errors.ts';

/** How long a child may take to end by itself after SIGTERM. */
const killAfterMs = 10_000;
/** How many of the last lines go into the error of a command that failed. */
const tailLines = 30;
const maxLineLength = 2_000;
const niceness = 10;

export type RunOptions = {
  signal?: AbortSignal | undefined;
  onLine?: ((line: string) => void) | undefined;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
};

/**
 * Runs a program with an argument vector (no shell), reports its output line by line, resolves with the exit of 0. The
 * child leads its own process group, so that an abort ends what it started as well. Throws BerthError `internal` with the
 * last lines as detail, or the abort reason.
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const { signal, onLine } = options;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      cwd: options.cwd,
      env: options.env ?? process.env,
    });
    try {
      // Building can take minutes beside machines that people work on.
      if (child.pid) setPriority(child.pid, niceness);
    } catch {
      // It ended already, or this user may not: only politeness is lost.
    }
    const tail: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (raw) => {
        const line = raw.slice(0, maxLineLength);
        tail.push(line);
        if (tail.length > tailLines) tail.shift();
        onLine?.(line);
      });
    }
    let hardKill: NodeJS.Timeout | undefined;
    const killGroup = (name: NodeJS.Signals) => {
      try {
        if (child.pid) process.kill(-child.pid, name);
      } catch {
        // It ended already.
      }
    };
    const abort = () => {
      killGroup('SIGTERM');
      hardKill = setTimeout(() => killGroup('SIGKILL'), killAfterMs);
    };
    signal?.addEventListener('abort', abort, { once: true });
    const settle = () => {
      signal?.removeEventListener('abort', abort);
      clearTimeout(hardKill);
    };
    child.once('error', (cause) => {
      settle();
      reject(new BerthError('internal', `${program} could not be started. Is it installed?`, { cause }));
    });
    child.once('close', (code, killedBy) => {
      settle();
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve();
      else {
        const how = killedBy ? `was ended by ${killedBy}` : `ended with exit code ${code}`;
        reject(new BerthError('internal', `${program} ${how}.`, { detail: tail.join('\n') }));
      }
    });
  });
}

/**
 * Wraps an argument vector so that nothing outlives its builder: own mounts (proc, dev and sys of this machine, mounted
 * into a half-built root, vanish with them) and own processes, all killed when this process dies, even by kill -9.
 */
export function confined(argv: readonly string[]): [program: string, args: string[]] {
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  return ['setpriv', ['--pdeathsig', 'KILL', 'unshare', ...namespaces, ...argv]];
}

/** Like `run`, and returns standard output and standard error together as text. */
export async function runForText(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const lines: string[] = [];
  await run(program, args, { ...options, onLine: (line) => lines.push(line) });
  return lines.join('\n');
}
