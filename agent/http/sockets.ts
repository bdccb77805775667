/** Terminals, log tails and files over WebSocket. */
import { type Duplex, pipeline } from 'node:stream';
import type { Logger } from 'pino';
import { createWebSocketStream, type WebSocket } from 'ws';
import { filesQuerySchema, followQuerySchema, terminalControlSchema, terminalQuerySchema } from '#contract/agent.ts';
import { toBerthError } from '#domain/errors.ts';
import type { GuestProcess } from '../engine.ts';
import type { Agent } from '../verbs.ts';
import { parseInput, parseStrictJson } from './strict-json.ts';

export const socketPaths = ['/v1/terminal', '/v1/logs/follow', '/v1/files'] as const;
export type SocketPath = (typeof socketPaths)[number];
/** What edge's token opens; files are changed through the server, which writes down who did it. */
export const edgeSocketPaths: readonly SocketPath[] = ['/v1/terminal', '/v1/logs/follow'];

/** Output waiting for a slow reader above which the guest's process is held back, and the mark to go on. */
const HIGH_BYTES = 512 * 1024;
const LOW_BYTES = 64 * 1024;
const DRAIN_POLL_MS = 20;
/** Log lines waiting for a slow reader above which lines are dropped (and said so). */
const LOG_BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
/** Input typed before the shell is there. */
const EARLY_FRAMES_MAX = 256;
const PING_SECONDS = 30;
/** WebSocket close codes of ours: 4000 + HTTP status, with the error's code as reason. */
const CLOSE_BASE = 4000;

/** Checks the query now (so that a bad one is refused as HTTP) and returns what to do with the open socket. */
export function openSocket(
  path: SocketPath,
  query: Record<string, string>,
  agent: Agent,
  log: Logger,
): (socket: WebSocket) => void {
  if (path === '/v1/terminal') {
    const { instance, user, cols, rows } = parseInput(terminalQuerySchema, query);
    return (socket) => serve(socket, log, () => agent.terminal(instance, user, cols, rows), terminalFrames);
  }
  if (path === '/v1/files') {
    const { instance } = parseInput(filesQuerySchema, query);
    return (socket) => tie(socket, log, agent.files(instance));
  }
  const { instance, ...what } = parseInput(followQuerySchema, query);
  return (socket) => {
    let dropped = 0;
    const send = (entry: unknown): void => {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > LOG_BACKLOG_BYTES_MAX) {
        dropped++;
        return;
      }
      if (dropped > 0) {
        socket.send(
          JSON.stringify({
            ts: new Date().toISOString(),
            unit: 'berth',
            priority: 4,
            message: `${dropped} lines were left out.`,
          }),
        );
        dropped = 0;
      }
      socket.send(JSON.stringify(entry));
    };
    serve(
      socket,
      log,
      () => agent.follow(instance, what, send),
      () => () => undefined,
    );
  };
}

type Frames = (socket: WebSocket, process: GuestProcess) => (data: Buffer, isBinary: boolean) => void;

/** Ties a socket and a process together: either one's end is the other's. */
function serve(socket: WebSocket, log: Logger, start: () => Promise<GuestProcess>, frames: Frames): void {
  let alive = true;
  let closed = false;
  let handler: ((data: Buffer, isBinary: boolean) => void) | null = null;
  const early: { data: Buffer; isBinary: boolean }[] = [];
  const beat = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, PING_SECONDS * 1000);
  socket.on('pong', () => {
    alive = true;
  });
  socket.on('error', () => undefined);
  socket.on('message', (data, isBinary) => {
    if (handler !== null) handler(data as Buffer, isBinary);
    else if (early.length < EARLY_FRAMES_MAX) early.push({ data: data as Buffer, isBinary });
  });
  socket.on('close', () => {
    closed = true;
    clearInterval(beat);
  });
  start().then(
    (process) => {
      if (closed) return process.close();
      socket.on('close', () => process.close());
      handler = frames(socket, process);
      for (const { data, isBinary } of early.splice(0)) handler(data, isBinary);
      process.exited.then(
        (code) => {
          if (socket.readyState !== socket.OPEN) return;
          socket.send(JSON.stringify({ type: 'exit', code }));
          socket.close(1000);
        },
        (error: unknown) => refuse(socket, error, log),
      );
      return undefined;
    },
    (error: unknown) => refuse(socket, error, log),
  );
}

/** Bytes both ways, at the pace of the slower one; either one's end is the other's. */
function tie(socket: WebSocket, log: Logger, opening: Promise<Duplex>): void {
  const outer = createWebSocketStream(socket);
  outer.on('error', () => undefined);
  outer.pause();
  opening.then(
    (inner) => {
      const end = () => {
        inner.destroy();
        socket.terminate();
      };
      pipeline(outer, inner, end);
      pipeline(inner, outer, end);
    },
    (error: unknown) => refuse(socket, error, log),
  );
}

const terminalFrames: Frames = (socket, process) => {
  let held = false;
  process.onOutput((bytes) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(bytes, { binary: true });
    if (held || socket.bufferedAmount < HIGH_BYTES) return;
    held = true;
    process.pause();
    const poll = setInterval(() => {
      if (socket.readyState === socket.OPEN && socket.bufferedAmount > LOW_BYTES) return;
      clearInterval(poll);
      held = false;
      process.resume();
    }, DRAIN_POLL_MS);
  });
  return (data, isBinary) => {
    if (isBinary) return process.write(data);
    try {
      const { cols, rows } = parseInput(terminalControlSchema, parseStrictJson(data.toString('utf8')));
      process.resize(cols, rows);
    } catch {
      socket.close(1008, 'invalid_input');
    }
    return undefined;
  };
};

function refuse(socket: WebSocket, error: unknown, log: Logger): void {
  const known = toBerthError(error);
  log.info({ code: known.code, detail: known.detail }, 'session refused or failed');
  if (socket.readyState === socket.OPEN) socket.close(CLOSE_BASE + known.status, known.code);
}
