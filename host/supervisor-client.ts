/** Talking to the built-in supervisor over its control socket. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileAhead, compiledFolder } from './compile-ahead.ts';
import { socketAnswers, socketRequest } from './health.ts';
import type { Layout } from './layout.ts';
import { memoryArguments, memoryEnvironment } from './memory.ts';
import type { SupervisorStatus } from './process-spec.ts';

/** Stopping everything in order may take this long. */
const CONTROL_TIMEOUT_MS = 120_000;
const SUPERVISOR_START_MS = 20_000;

async function control(layout: Layout, method: string, path: string): Promise<SupervisorStatus> {
  const answer = await socketRequest({
    socket: layout.sockets.supervisor,
    method,
    path,
    timeoutMs: CONTROL_TIMEOUT_MS,
  });
  const body = JSON.parse(answer.body) as SupervisorStatus & { error?: string };
  if (answer.status !== 200) throw new Error(`the supervisor refused ${path}: ${body.error ?? answer.status}`);
  return body;
}

/** What runs; null when no supervisor answers. */
export async function supervisorStatus(layout: Layout): Promise<SupervisorStatus | null> {
  if (!(await socketAnswers(layout.sockets.supervisor))) return null;
  return control(layout, 'GET', '/status').catch(() => null);
}

export const applyProcesses = (layout: Layout, only?: readonly string[]) =>
  control(layout, 'POST', only === undefined ? '/apply' : `/apply?only=${only.join(',')}`);
export const stopProcesses = (layout: Layout) => control(layout, 'POST', '/stop');
export const leaveProcesses = (layout: Layout) => control(layout, 'POST', '/leave');
export const restartProcess = (layout: Layout, name: string) =>
  control(layout, 'POST', `/restart?name=${encodeURIComponent(name)}`);

/** Starts the supervisor in a session of its own and waits until it answers. */
export async function startSupervisor(layout: Layout, code: string): Promise<void> {
  mkdirSync(layout.logs, { recursive: true });
  mkdirSync(dirname(layout.sockets.supervisor), { recursive: true, mode: 0o700 });
  const log = openSync(join(layout.logs, 'supervisor.log'), 'a', 0o640);
  const entry = fileURLToPath(new URL('supervisor-main.ts', import.meta.url));
  const compiled = compiledFolder(layout.compiled, 'supervisor', code);
  const env = {
    PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    NODE_NO_WARNINGS: '1',
    NODE_COMPILE_CACHE: compiled,
    ...memoryEnvironment,
  };
  const program = ['--max-old-space-size=64', ...memoryArguments, entry, '--code', code, '--file'];
  await compileAhead({ name: 'supervisor', argv: [process.execPath, ...program, ''], env, user: null }, '/');
  const child = spawn(process.execPath, [...program, layout.processes], {
    cwd: '/',
    detached: true,
    env,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  const end = Date.now() + SUPERVISOR_START_MS;
  while (!(await socketAnswers(layout.sockets.supervisor))) {
    if (child.exitCode !== null || Date.now() > end) {
      throw new Error(`the supervisor does not start; its log: ${join(layout.logs, 'supervisor.log')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
