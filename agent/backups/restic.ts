/**
 * Runs restic as a child process: argument list, no shell, the password in the environment of the child only. It streams
 * from disk to disk, so nothing of a backup passes through the agent, and it dies with the agent, even by kill -9.
 */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { BerthError } from '#domain/errors.ts';

/** Restic beside machines that people work on. */
const NICENESS = 10;
const LINE_LENGTH_MAX = 1024 * 1024;
const TAIL_LINES = 40;
const TAIL_LINE_LENGTH_MAX = 500;
const KILL_AFTER_MS = 5_000;

/** Where restic finds a repository and what opens it; for S3 or SFTP further variables. */
export type ResticTarget = { url: string; environment: Record<string, string>; password: string };

export type ResticOptions = {
  cwd?: string;
  signal: AbortSignal;
  /** One message of `--json`. */
  onMessage?: (message: Record<string, unknown>) => void;
  /** Folder for its temporary files. */
  temporary: string;
};

/** The program dies with this process, even by kill -9. */
export function withUs(argv: readonly string[]): [program: string, args: string[]] {
  return ['setpriv', ['--pdeathsig', 'KILL', ...argv]];
}

/** Ends when restic does. Errors: what went wrong in words, or the reason of the abort. */
export function restic(target: ResticTarget, args: readonly string[], options: ResticOptions): Promise<string[]> {
  const { signal } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const [program, argv] = withUs(['restic', '--json', '--no-cache', '--repo', target.url, ...args]);
    const child = spawn(program, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: {
        PATH: process.env['PATH'],
        TMPDIR: options.temporary,
        // It holds the index in memory: small steps of its collector keep it small.
        GOGC: '20',
        RESTIC_PROGRESS_FPS: '1',
        RESTIC_PASSWORD: target.password,
        ...target.environment,
      },
    });
    try {
      if (child.pid !== undefined) setPriority(child.pid, NICENESS);
    } catch {
      // It ended already: only politeness is lost.
    }
    const output: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = line.length > LINE_LENGTH_MAX ? null : parsed(line);
      if (isMessage(message) && options.onMessage !== undefined) options.onMessage(message);
      else if (output.push(line) > TAIL_LINES) output.shift();
    });
    const complaints: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (complaints.push(line.slice(0, TAIL_LINE_LENGTH_MAX)) > TAIL_LINES) complaints.shift();
    });
    let hardKill: NodeJS.Timeout | undefined;
    const abort = (): void => {
      // An interrupt lets it take its lock away.
      child.kill('SIGINT');
      hardKill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    };
    signal.addEventListener('abort', abort, { once: true });
    const settle = (): void => {
      signal.removeEventListener('abort', abort);
      clearTimeout(hardKill);
    };
    child.once('error', (cause) => {
      settle();
      reject(
        new BerthError('unsupported', 'Backups need the program restic on the host. ./berth up installs it.', {
          cause,
        }),
      );
    });
    child.once('close', (code) => {
      settle();
      if (signal.aborted) reject(signal.reason);
      else if (code === 0) resolve(output);
      else reject(complaint([...output.slice(-TAIL_LINES), ...complaints], target));
    });
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function isMessage(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && 'message_type' in value;
}

const DAMAGED =
  /ciphertext verification failed|invalid data returned|hash (?:does not match|mismatch)|not found in (?:index|repository)|wrong password|no key found|config (?:or key|file) .*(?:damaged|cannot)|unable to open config|Load\(<|unexpected EOF|truncated|is damaged|repository contains errors|does not exist|pack.*(?:missing|not found|size)|no such file or directory/i;
const NO_ROOM = /no space left on device/i;
const DISK_FULL = /disk quota exceeded/i;

/** What restic said, in words for people. Its own lines are the detail. */
function complaint(lines: readonly string[], { url }: ResticTarget): BerthError {
  const text = lines.map((line) => line.replaceAll(url, 'the repository'));
  const detail = text.join('\n');
  const telling = text.find((line) => DAMAGED.test(line));
  if (text.some((line) => /setpriv: .*restic.*(?:No such file|not found)/i.test(line))) {
    return new BerthError('unsupported', 'Backups need the program restic on the host. ./berth up installs it.');
  }
  if (text.some((line) => DISK_FULL.test(line))) {
    return new BerthError('state_conflict', 'The disk is too small for what the backup holds.', { detail });
  }
  if (text.some((line) => NO_ROOM.test(line))) return noRoom(detail);
  if (telling !== undefined) return damaged(telling, detail);
  return new BerthError('upstream_failed', 'Restic could not do it.', { detail });
}

export function damaged(what: string, detail?: string): BerthError {
  const message = `These backups are damaged: ${what.trim().slice(0, 300)}`;
  return new BerthError('conflict', message, detail === undefined ? {} : { detail });
}

export function noRoom(detail?: string): BerthError {
  const message = 'There is not enough room on the host for backups.';
  return new BerthError('conflict', message, detail === undefined ? {} : { detail });
}
