/**
 * Entry point of the built-in supervisor: `node host/supervisor-main.ts --file <data>/processes.json`. Listens on a
 * control socket that root alone can reach: GET /status, POST /apply[?only=a,b], /restart?name=, /stop, /leave.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { socketAnswers } from './health.ts';
import type { SupervisorFile, SupervisorStatus } from './process-spec.ts';
import { Supervisor } from './supervisor.ts';

const startedAt = Date.now();

export function logLine(message: string, fields: Record<string, unknown> = {}): string {
  const line = { level: 'info', time: new Date().toISOString(), process: 'supervisor', msg: message, ...fields };
  return `${JSON.stringify(line)}\n`;
}

function log(message: string, fields: Record<string, unknown> = {}): void {
  process.stdout.write(logLine(message, fields));
}

export function readSupervisorFile(file: string): SupervisorFile {
  return JSON.parse(readFileSync(file, 'utf8')) as SupervisorFile;
}

export type RunningSupervisor = { supervisor: Supervisor; close: () => Promise<void> };

/**
 * Starts supervising what `file` lists. `onEnd` is called when somebody asked for the end over the control socket.
 * Error when another supervisor answers on the socket.
 */
export async function supervise(
  file: string,
  code: string,
  onEnd: () => void,
  say: (message: string, fields?: Record<string, unknown>) => void = log,
): Promise<RunningSupervisor> {
  const { pidDir, controlSocket } = readSupervisorFile(file);
  if (await socketAnswers(controlSocket)) throw new Error('another supervisor runs already');
  mkdirSync(dirname(controlSocket), { recursive: true, mode: 0o700 });
  if (existsSync(controlSocket)) rmSync(controlSocket);
  const supervisor = new Supervisor({ pidDir, log: say });
  const status = (): SupervisorStatus => ({ pid: process.pid, startedAt, code, processes: supervisor.status() });
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const answer = (code_: number, body: unknown) => {
      response.writeHead(code_, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const work = async () => {
      switch (`${request.method} ${url.pathname}`) {
        case 'GET /status':
          return answer(200, status());
        case 'POST /apply':
          await supervisor.apply(readSupervisorFile(file).processes, url.searchParams.get('only')?.split(','));
          return answer(200, status());
        case 'POST /restart':
          return answer((await supervisor.restart(url.searchParams.get('name') ?? '')) ? 200 : 404, status());
        case 'POST /stop':
          await supervisor.stopAll();
          response.once('close', onEnd);
          return answer(200, status());
        case 'POST /leave':
          supervisor.leave();
          response.once('close', onEnd);
          return answer(200, status());
        default:
          return answer(404, { error: 'unknown' });
      }
    };
    work().catch((error: unknown) => answer(500, { error: error instanceof Error ? error.message : String(error) }));
  });
  await listen(server, controlSocket);
  const close = async () => {
    supervisor.leave();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { supervisor, close };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o077);
    server.listen(path, () => {
      process.umask(umask);
      resolve();
    });
  });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { file: { type: 'string' }, code: { type: 'string', default: '' } } });
  if (values.file === undefined) throw new Error('--file is missing');
  let running: RunningSupervisor | null = null;
  const end = () => {
    log('ends');
    void running?.close().then(() => process.exit(0));
  };
  running = await supervise(values.file, values.code, end);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log('stopping', { signal });
      void running?.supervisor.stopAll().then(end);
    });
  }
  process.on('SIGHUP', () => {});
  // What to start, and in which stages, is said by `up` over the control socket.
  log('supervises', { pid: process.pid });
}
