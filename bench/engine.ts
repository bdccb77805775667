/** The engine's own API over its socket, for comparisons: what a person would do without Berth. */
import { Pool } from 'undici';
import WebSocket from 'ws';

const SOCKET = '/var/lib/incus/unix.socket';
const pool = new Pool('http://incus', { socketPath: SOCKET, connections: 8, headersTimeout: 300_000 });

type Answer = { type: string; metadata: Record<string, unknown>; operation?: string; error?: string };

/** One call; waits for the operation it starts. */
export async function engine(
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const call = async (verb: typeof method, at: string, content?: unknown): Promise<Answer> => {
    const response = await pool.request({
      method: verb,
      path: at,
      ...(content === undefined
        ? {}
        : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }),
    });
    const answer = (await response.body.json()) as Answer;
    if (answer.type === 'error') throw new Error(`${verb} ${at}: ${answer.error}`);
    return answer;
  };
  const answer = await call(method, path, body);
  if (answer.type !== 'async' || answer.operation === undefined) return answer.metadata;
  const done = await call('GET', `${answer.operation}/wait?timeout=300`);
  const { err, status_code: code } = done.metadata as { err: string; status_code: number };
  if (code >= 400) throw new Error(`${method} ${path}: ${err}`);
  return answer.metadata;
}

export type Lifecycle = { at: number; action: string; source: string };

/** Calls back for every lifecycle event of the engine, with the moment it arrived here (performance.now()). */
export async function onLifecycle(callback: (event: Lifecycle) => void): Promise<() => void> {
  const socket = new WebSocket(`ws+unix://${SOCKET}:/1.0/events?type=lifecycle&all-projects=true`);
  socket.on('message', (data) => {
    const at = performance.now();
    const event = JSON.parse(String(data)) as { metadata?: { action?: string; source?: string } };
    callback({ at, action: event.metadata?.action ?? '', source: event.metadata?.source ?? '' });
  });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return () => socket.close();
}

export async function closeEngine(): Promise<void> {
  await pool.close();
}
