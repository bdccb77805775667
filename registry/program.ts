/** docker-registry itself: its configuration, its life, and its garbage collection. It listens on a socket of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { layoutOf } from './layout.ts';
import { mend } from './mend.ts';

const AGAIN_MS_MIN = 300;
const AGAIN_MS_MAX = 15_000;
/** A program that ran this long has not failed at its start. */
const STEADY_MS = 30_000;
const SWEEP_MS_MAX = 120_000;
const SAID_LENGTH_MAX = 300;

export type ProgramParts = {
  program: string;
  dataDir: string;
  upstream: { url: string; username: string; secret: string };
  log(message: string): void;
};

export class Program {
  readonly #parts: ProgramParts;
  readonly #config: string;
  readonly #pidFile: string;
  readonly socket: string;
  readonly root: string;
  #child: ChildProcess | null = null;
  #stopping = false;
  #againMs = AGAIN_MS_MIN;
  #said = '';
  up = false;
  problem: string | null = null;

  constructor(parts: ProgramParts) {
    this.#parts = parts;
    this.root = join(parts.dataDir, 'images');
    this.socket = join(parts.dataDir, 'registry.sock');
    this.#config = join(parts.dataDir, 'config.yml');
    this.#pidFile = join(parts.dataDir, 'registry.pid');
  }

  start(): void {
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    this.#endLeftOver();
    writeFileSync(this.#config, this.#configuration(), { mode: 0o600 });
    void this.#mendAndRun();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.up = false;
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await ended;
    clearTimeout(timer);
    rmSync(this.#pidFile, { force: true });
  }

  /** Removes the bytes that no manifest needs any more. Errors: what the program said. */
  async sweep(): Promise<void> {
    const child = spawn(this.#parts.program, ['garbage-collect', this.#config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-SAID_LENGTH_MAX);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), SWEEP_MS_MAX);
    const code = await new Promise<number | null>((resolve) => {
      child.once('error', () => resolve(-1));
      child.once('close', resolve);
    });
    clearTimeout(timer);
    if (code !== 0) throw new Error(`docker-registry could not clean up: ${said.trim()}`);
  }

  /** Nobody else writes there now: the last one has ended. */
  async #mendAndRun(): Promise<void> {
    try {
      const taken = await mend(layoutOf(this.root));
      if (taken > 0) this.#parts.log(`took away ${taken} half-written things`);
    } catch (error) {
      this.#parts.log(`what was left half-written could not be taken away: ${String(error)}`);
    }
    if (!this.#stopping) this.#run();
  }

  #run(): void {
    rmSync(this.socket, { force: true });
    const startedAt = Date.now();
    this.#said = '';
    const child = spawn(this.#parts.program, ['serve', this.#config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', TZ: 'UTC', OTEL_TRACES_EXPORTER: 'none' },
    });
    this.#child = child;
    if (child.pid !== undefined) writeFileSync(this.#pidFile, String(child.pid), { mode: 0o600 });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#said = `${this.#said}${chunk.toString()}`.slice(-SAID_LENGTH_MAX);
    });
    const ended = (why: string): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.up = false;
      if (this.#stopping) return;
      if (Date.now() - startedAt > STEADY_MS) this.#againMs = AGAIN_MS_MIN;
      this.problem = `docker-registry ended (${why}) and is started again. ${this.#said.trim()}`.trim();
      this.#parts.log(this.problem);
      setTimeout(() => {
        if (!this.#stopping) void this.#mendAndRun();
      }, this.#againMs);
      this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS_MAX);
    };
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(signal ?? `code ${code}`));
    void this.#waitUp(child);
  }

  /** However long a busy machine takes: while it lives it may still come up. */
  async #waitUp(child: ChildProcess): Promise<void> {
    while (this.#child === child) {
      if (await answers(this.socket)) {
        if (this.#child !== child) return;
        this.up = true;
        this.problem = null;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** One that outlived whoever started it would write beside the new one. */
  #endLeftOver(): void {
    try {
      const pid = Number(readFileSync(this.#pidFile, 'utf8'));
      if (!Number.isInteger(pid) || pid < 2) return;
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(this.#config)) return;
      process.kill(pid, 'SIGKILL');
    } catch {
      // There is none.
    }
  }

  #configuration(): string {
    const { upstream } = this.#parts;
    const text = JSON.stringify;
    // Without its own memory of blobs: what is unlinked beside it is gone at once. Nothing can be deleted through it.
    return [
      'version: 0.1',
      'log:',
      '  level: error',
      '  accesslog: { disabled: true }',
      'storage:',
      `  filesystem: { rootdirectory: ${text(this.root)} }`,
      '  delete: { enabled: false }',
      '  maintenance:',
      '    uploadpurging: { enabled: true, age: 2h, interval: 1h, dryrun: false }',
      'http:',
      '  net: unix',
      `  addr: ${text(this.socket)}`,
      `  secret: ${text(randomBytes(24).toString('hex'))}`,
      'proxy:',
      `  remoteurl: ${text(upstream.url)}`,
      `  username: ${text(upstream.username)}`,
      `  password: ${text(upstream.secret)}`,
      '',
    ].join('\n');
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
