/**
 * The built-in supervisor for machines without systemd: starts the processes, starts those again that end (with
 * back-off), takes over what a killed supervisor left running, and keeps the logs bounded. Children write to their log
 * files themselves, so nothing breaks when the supervisor dies.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nextBackoff } from './backoff.ts';
import { writeFileAtomic } from './files.ts';
import { probe } from './health.ts';
import { clearStaleLock, lockState } from './postgres-lock.ts';
import type { ProcessSpec, ProcessState, ProcessStatus } from './process-spec.ts';
import { commandLine, isRunning, processInfo, signalProcess, waitForEnd } from './proctable.ts';
import { rotate } from './rotate.ts';
import { run } from './run.ts';

const POLL_MS = 200;
const SHARED_POLL_MS = 2000;
/** A machine daemon that we started may take this long until it answers. */
const SHARED_START_MS = 60_000;
const ROTATE_EVERY_MS = 5000;

type PidRecord = { pid: number; startTime: number; argv0: string; fingerprint: string; startedAt: number };

type Managed = {
  spec: ProcessSpec;
  state: ProcessState;
  pid: number | null;
  startTime: number;
  startedAt: number | null;
  runningFingerprint: string;
  adopted: boolean;
  restarts: number;
  backoffMs: number;
  nextStartAt: number;
  lastExit: string | null;
  child: ChildProcess | null;
  lastProbeAt: number;
  busy: boolean;
};

export type SupervisorOptions = {
  pidDir: string;
  /** One line about what happened, for the supervisor's own log. */
  log: (message: string, fields?: Record<string, unknown>) => void;
};

export class Supervisor {
  readonly #managed = new Map<string, Managed>();
  readonly #options: SupervisorOptions;
  #timer: NodeJS.Timeout | null = null;
  #lastRotate = 0;
  #stopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    mkdirSync(options.pidDir, { recursive: true, mode: 0o700 });
  }

  /**
   * Makes the running processes those of `specs`: adopts, starts what is missing, restarts what changed, stops what is
   * no longer listed. With `only`, just these are looked at and nothing is stopped: `up` starts in stages.
   */
  async apply(all: readonly ProcessSpec[], only?: readonly string[]): Promise<void> {
    const specs = only === undefined ? all : all.filter((spec) => only.includes(spec.name));
    const wanted = new Set(all.map((spec) => spec.name));
    for (const managed of [...this.#managed.values()]) {
      if (only !== undefined || wanted.has(managed.spec.name)) continue;
      await this.#stopOne(managed);
      this.#managed.delete(managed.spec.name);
    }
    for (const spec of specs) {
      const managed = this.#managed.get(spec.name) ?? this.#manage(spec);
      managed.spec = spec;
      if (spec.shared) {
        // Looked at now and not at the next poll: `up` waits for the engine.
        managed.lastProbeAt = 0;
        continue;
      }
      if (managed.pid !== null && managed.runningFingerprint !== spec.fingerprint) {
        this.#options.log('changed: restarting', { name: spec.name });
        await this.#stopOne(managed);
      }
      if (managed.pid === null) {
        managed.backoffMs = 0;
        await this.#start(managed);
      }
    }
    this.#timer ??= setInterval(() => this.#tick(), POLL_MS);
  }

  async restart(name: string): Promise<boolean> {
    const managed = this.#managed.get(name);
    if (managed === undefined || managed.spec.shared) return false;
    await this.#stopOne(managed);
    managed.backoffMs = 0;
    await this.#start(managed);
    return true;
  }

  /** Stops everything but the machine's own daemons, last started first. */
  async stopAll(): Promise<void> {
    this.leave();
    for (const managed of [...this.#managed.values()].reverse()) {
      if (!managed.spec.shared) await this.#stopOne(managed);
    }
  }

  /** Stops watching and leaves every process running, for a successor to adopt. */
  leave(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  status(): ProcessStatus[] {
    const now = Date.now();
    return [...this.#managed.values()].map((managed) => ({
      name: managed.spec.name,
      state: managed.state,
      pid: managed.pid,
      startedAt: managed.startedAt,
      restarts: managed.restarts,
      adopted: managed.adopted,
      lastExit: managed.lastExit,
      nextStartInMs: managed.state === 'waiting' ? Math.max(0, managed.nextStartAt - now) : null,
      fingerprint: managed.runningFingerprint,
    }));
  }

  #manage(spec: ProcessSpec): Managed {
    const managed: Managed = {
      spec,
      state: spec.shared ? 'machine' : 'stopped',
      pid: null,
      startTime: 0,
      startedAt: null,
      runningFingerprint: '',
      adopted: false,
      restarts: 0,
      backoffMs: 0,
      nextStartAt: 0,
      lastExit: null,
      child: null,
      lastProbeAt: 0,
      busy: false,
    };
    this.#managed.set(spec.name, managed);
    if (!spec.shared) this.#adopt(managed);
    return managed;
  }

  /** Takes over the process in the pid file when pid, start time and program all still fit. */
  #adopt(managed: Managed): void {
    const record = readRecord(this.#pidFile(managed.spec.name)) ?? orphanedPostgres(managed.spec);
    if (record === null || !isRunning(record.pid, record.startTime)) return;
    const argv = commandLine(record.pid);
    if (argv[0] !== record.argv0 && !argv.includes(record.argv0)) return;
    managed.pid = record.pid;
    managed.startTime = record.startTime;
    managed.startedAt = record.startedAt;
    managed.runningFingerprint = record.fingerprint;
    managed.adopted = true;
    managed.state = 'running';
    this.#options.log('adopted', { name: managed.spec.name, pid: record.pid });
  }

  async #start(managed: Managed): Promise<void> {
    const { spec } = managed;
    if (this.#stopped) return;
    managed.state = 'starting';
    await prepare(spec);
    const log = openLog(spec.logFile);
    const argv = withPrivileges(spec);
    const umask = process.umask(spec.umask);
    let child: ChildProcess;
    try {
      child = spawn(argv[0], argv.slice(1), {
        cwd: spec.cwd,
        env: spec.env,
        // Its own session: a signal to the supervisor's group (Ctrl-C) does not reach it, the supervisor stops it in order.
        detached: true,
        stdio: ['ignore', log, log],
      });
    } finally {
      process.umask(umask);
      closeSync(log);
    }
    const startedAt = Date.now();
    managed.child = child;
    managed.startedAt = startedAt;
    managed.adopted = false;
    managed.runningFingerprint = spec.fingerprint;
    child.once('error', (error) => this.#ended(managed, child, null, `cannot be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      this.#ended(managed, child, code, signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
    if (child.pid === undefined) return;
    child.unref();
    managed.pid = child.pid;
    managed.startTime = processInfo(child.pid)?.startTime ?? 0;
    managed.state = 'running';
    const record: PidRecord = {
      pid: child.pid,
      startTime: managed.startTime,
      argv0: spec.argv[0],
      fingerprint: spec.fingerprint,
      startedAt,
    };
    writeFileAtomic(this.#pidFile(spec.name), JSON.stringify(record), 0o600);
    this.#options.log('started', { name: spec.name, pid: child.pid });
  }

  #ended(managed: Managed, child: ChildProcess | null, code: number | null, why: string): void {
    if (managed.child !== child && child !== null) return;
    const ranMs = managed.startedAt === null ? 0 : Date.now() - managed.startedAt;
    managed.child = null;
    managed.pid = null;
    managed.lastExit = `${why} after ${Math.round(ranMs / 1000)} s`;
    if (managed.state === 'stopping' || this.#stopped) {
      managed.state = 'stopped';
      return;
    }
    managed.backoffMs = nextBackoff(managed.backoffMs, ranMs, code);
    managed.nextStartAt = Date.now() + managed.backoffMs;
    managed.state = 'waiting';
    this.#options.log('ended', { name: managed.spec.name, why: managed.lastExit, againInMs: managed.backoffMs });
  }

  #tick(): void {
    const now = Date.now();
    for (const managed of this.#managed.values()) {
      if (managed.busy) continue;
      if (managed.spec.shared) void this.#watchShared(managed, now);
      else if (managed.pid !== null && !isRunning(managed.pid, managed.startTime)) {
        // Our own children report themselves; this is how the end of an adopted one is seen.
        if (managed.child === null) this.#ended(managed, null, null, 'ended');
      } else if (managed.state === 'waiting' && now >= managed.nextStartAt) {
        managed.restarts++;
        void this.#guarded(managed, () => this.#start(managed));
      }
    }
    if (now - this.#lastRotate >= ROTATE_EVERY_MS) {
      this.#lastRotate = now;
      for (const managed of this.#managed.values()) rotate(managed.spec.logFile);
    }
  }

  /** A daemon of the machine: when it does not answer and no start of ours is under way, start it. */
  async #watchShared(managed: Managed, now: number): Promise<void> {
    if (now - managed.lastProbeAt < SHARED_POLL_MS) return;
    managed.lastProbeAt = now;
    await this.#guarded(managed, async () => {
      if (await probe(managed.spec.health)) {
        managed.state = 'machine';
        managed.backoffMs = 0;
        return;
      }
      const alive = managed.pid !== null && isRunning(managed.pid, managed.startTime);
      if (alive && managed.startedAt !== null && Date.now() - managed.startedAt < SHARED_START_MS) return;
      if (Date.now() < managed.nextStartAt) return;
      if (managed.startedAt !== null) managed.restarts++;
      await this.#start(managed);
    });
  }

  async #guarded(managed: Managed, work: () => Promise<void>): Promise<void> {
    managed.busy = true;
    try {
      await work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#ended(managed, managed.child, null, `cannot be started: ${message}`);
    } finally {
      managed.busy = false;
    }
  }

  async #stopOne(managed: Managed): Promise<void> {
    const { pid, startTime, spec } = managed;
    managed.state = 'stopping';
    if (pid !== null && signalProcess(pid, startTime, spec.stopSignal)) {
      if (!(await waitForEnd(pid, startTime, spec.stopTimeoutMs))) {
        this.#options.log('does not stop: killed', { name: spec.name, pid });
        signalProcess(pid, startTime, 'SIGKILL');
        await waitForEnd(pid, startTime, spec.stopTimeoutMs);
      }
    }
    managed.child = null;
    managed.pid = null;
    managed.state = 'stopped';
    rmSync(this.#pidFile(spec.name), { force: true });
  }

  #pidFile(name: string): string {
    return join(this.#options.pidDir, `${name}.json`);
  }
}

/** The command with its user, groups and capabilities. setpriv replaces itself, so the pid stays the program's. */
export function withPrivileges(spec: ProcessSpec): [string, ...string[]] {
  if (spec.user === null) return spec.argv;
  const { uid, gid, groups } = spec.user;
  const caps = ['-all', ...spec.capabilities.map((name) => `+${name}`)].join(',');
  const argv: [string, ...string[]] = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`];
  argv.push(groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`);
  argv.push(`--inh-caps=${caps}`, `--ambient-caps=${caps}`, `--bounding-set=${caps}`, '--no-new-privs', '--');
  return [...argv, ...spec.argv] as [string, ...string[]];
}

async function prepare(spec: ProcessSpec): Promise<void> {
  if (spec.prepare?.type === 'postgres') clearStaleLock(spec.prepare.dataDir, spec.prepare.socketDir);
  if (spec.prepare?.type === 'unmount') await run(['umount', '-l', spec.prepare.path], { timeoutMs: 10_000 });
}

/** A PostgreSQL that runs on our folder without a pid file of ours is still ours; it is restarted in an orderly way. */
function orphanedPostgres(spec: ProcessSpec): PidRecord | null {
  if (spec.prepare?.type !== 'postgres') return null;
  const lock = lockState(spec.prepare.dataDir);
  if (lock.state !== 'running' || lock.pid === null) return null;
  const startTime = processInfo(lock.pid)?.startTime ?? 0;
  return { pid: lock.pid, startTime, argv0: spec.argv[0], fingerprint: '', startedAt: Date.now() };
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
  return openSync(file, 'a', 0o640);
}

function readRecord(file: string): PidRecord | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as PidRecord;
  } catch {
    return null;
  }
}
