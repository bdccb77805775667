/** An engine of a test's own: a real incusd with its own state, which may be restarted without anybody else noticing. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './ingress.ts';

const run = promisify(execFile);
const PROGRAMS = ['/usr/libexec/incus/incusd', '/usr/lib/incus/incusd'];
const START_MS_MAX = 60_000;

export type OwnEngine = {
  socket: string;
  /** For the engine's own command line. */
  env: NodeJS.ProcessEnv;
  pid(): number;
  /** Ends the daemon and starts it again; guests go on. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  close(): Promise<void>;
};

/** Needs root. Paths of sockets are short, so it lives directly below /tmp. */
export async function startEngine(): Promise<OwnEngine> {
  const dir = mkdtempSync('/tmp/bincus-');
  const socket = join(dir, 'unix.socket');
  const env = { ...process.env, INCUS_DIR: dir, PATH: `/usr/libexec/incus:${process.env['PATH'] ?? ''}` };
  const program = PROGRAMS.find((file) => existsSync(file)) ?? 'incusd';
  const logFile = join(dir, 'daemon.log');
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    const started = spawn(program, ['--group', 'root'], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const log = createWriteStream(logFile, { flags: 'a' });
    started.stdout.pipe(log, { end: false });
    started.stderr.pipe(log, { end: false });
    child = started;
    await until(
      'the engine answers',
      async () => {
        if (started.exitCode !== null) throw new Error(`incusd ended: ${readFileSync(logFile, 'utf8').slice(-2_000)}`);
        return run('incus', ['query', '/1.0'], { env, timeout: 5_000 }).then(
          () => true,
          () => false,
        );
      },
      START_MS_MAX,
    );
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await gone;
  };
  const engine: OwnEngine = {
    socket,
    env,
    pid: () => child?.pid ?? 0,
    async restart(signal) {
      await end(signal);
      await start();
    },
    async close() {
      await end('SIGTERM');
      for (const mount of ['devIncus', 'shmounts', 'guestapi']) {
        await run('umount', ['-l', join(dir, mount)]).catch(() => undefined);
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    await start();
  } catch (error) {
    await engine.close();
    throw error;
  }
  return engine;
}
