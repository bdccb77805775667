/** Small clients over unix sockets: is it alive, and what does it answer. */
import { statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { HealthProbe } from './process-spec.ts';

const PROBE_TIMEOUT_MS = 3000;
export const SOCKET_BODY_BYTES_MAX = 8 * 1024 * 1024;

export type SocketRequest = {
  socket: string;
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
  timeoutMs?: number;
};
export type SocketResponse = { status: number; body: string; headers: Record<string, string | string[] | undefined> };

/** One HTTP request over a unix socket. Errors: when nothing answers within the time, or the body is too large. */
export function socketRequest(options: SocketRequest): Promise<SocketResponse> {
  return new Promise((resolve, reject) => {
    const payload = options.body === undefined ? undefined : JSON.stringify(options.body);
    const outgoing = request({
      socketPath: options.socket,
      method: options.method ?? 'GET',
      path: options.path,
      headers: {
        host: 'localhost',
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        ...options.headers,
      },
      timeout: options.timeoutMs ?? PROBE_TIMEOUT_MS,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer on ${options.socket}`)));
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > SOCKET_BODY_BYTES_MAX) incoming.destroy(new Error('the answer is too large'));
      });
      incoming.on('error', reject);
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body, headers: incoming.headers }));
    });
    outgoing.end(payload);
  });
}

/** True when something accepts connections on the socket. */
export function socketAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** Runs a probe once; never throws. */
export async function probe(health: HealthProbe): Promise<boolean> {
  switch (health.type) {
    case 'none':
      return true;
    case 'socket':
      return socketAnswers(health.socket);
    case 'path':
      try {
        statSync(health.path);
        return true;
      } catch {
        return false;
      }
    case 'http':
      try {
        const answer = await socketRequest({ socket: health.socket, path: health.path });
        return answer.status >= 200 && answer.status < 300;
      } catch {
        return false;
      }
  }
}

/** Probes until it answers; false when `timeoutMs` is over or `giveUp` says so. */
export async function waitHealthy(health: HealthProbe, timeoutMs: number, giveUp?: () => boolean): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (!(await probe(health))) {
    if (Date.now() > end || giveUp?.() === true) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}
