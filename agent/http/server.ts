/**
 * The agent's door: HTTP on its own unix socket. A request passes here in this order: exact path, token, what that
 * token may do, size, strict JSON, closed schema; only then does a verb run.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import { AGENT_BODY_BYTES_MAX, type AgentVerb, agentVerbs, edgeVerbs, streamingVerbs } from '#contract/agent.ts';
import { BerthError, toBerthError } from '#domain/errors.ts';
import type { Agent, VerbContext } from '../verbs.ts';
import { authenticate, type Caller, type Token } from './auth.ts';
import { EventHub } from './events.ts';
import { edgeSocketPaths, openSocket, type SocketPath, socketPaths } from './sockets.ts';
import { parseInput, parseStrictJson } from './strict-json.ts';

export type DoorOptions = { agent: Agent; tokens: readonly Token[]; log: Logger };
export type Door = { server: Server; events: EventHub; close(): Promise<void> };

/** Requests in work at once; more wait in the kernel's queue. */
const CONNECTIONS_MAX = 256;
const HEADERS_SECONDS_MAX = 10;
const FRAME_BYTES_MAX = 256 * 1024;
/** Too large a body is read to its end and thrown away up to this size; above it the connection is just closed. */
const DISCARDED_BYTES_MAX = 8 * 1024 * 1024;

export function door(options: DoorOptions): Door {
  const { agent, log } = options;
  const events = new EventHub(agent, log);
  const server = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: HEADERS_SECONDS_MAX * 1000,
    requestTimeout: 60_000,
  });
  server.maxConnections = CONNECTIONS_MAX;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });

  server.on('request', (request, response) => {
    answer(request, response, options, events).catch((error: unknown) => {
      fail(response, error, log, request.url ?? '');
    });
  });
  server.on('upgrade', (request, socket, head) => {
    try {
      const { path, query } = target(request);
      if (!socketPaths.includes(path as SocketPath)) throw new BerthError('not_found', 'There is no such verb.');
      const caller = authenticate(request, options.tokens);
      if (caller !== 'server' && !edgeSocketPaths.includes(path as SocketPath)) {
        throw new BerthError('not_found', 'There is no such verb.');
      }
      const open = openSocket(path as SocketPath, query, agent, log);
      sockets.handleUpgrade(request, socket, head, (websocket) => open(websocket));
    } catch (error) {
      refuseUpgrade(socket, toBerthError(error));
    }
  });

  return {
    server,
    events,
    close: async () => {
      events.close();
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { agent, tokens, log }: DoorOptions,
  events: EventHub,
): Promise<void> {
  const url = request.url ?? '';
  if (request.method === 'GET' && url === '/healthz') return sendJson(response, 200, { status: 'ok' });
  const isEvents = request.method === 'GET' && url === '/v1/events';
  const verb = request.method === 'POST' ? verbOf(url) : null;
  const caller = authenticate(request, tokens);
  if (isEvents) {
    permit(caller, null);
    return events.attach(response);
  }
  if (verb === null) throw new BerthError('not_found', 'There is no such verb.');
  permit(caller, verb);
  const input = parseInput(agentVerbs[verb], parseStrictJson(await readBody(request)));
  const started = performance.now();
  const abort = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) abort.abort();
  });
  if (streamingVerbs.includes(verb))
    return stream(response, log, verb, (context) => run(agent, verb, input, context), abort.signal);
  const result = await run(agent, verb, input, { onProgress: () => undefined, signal: abort.signal });
  log.debug({ verb, milliseconds: Math.round(performance.now() - started), ...subject(input) }, 'verb done');
  return sendJson(response, 200, { result });
}

/** The table's types tie each verb to its own input; here both come from the same lookup. */
function run(agent: Agent, verb: AgentVerb, input: unknown, context: VerbContext): Promise<unknown> {
  const handler = agent.verbs[verb] as (input: unknown, context: VerbContext) => Promise<unknown>;
  return handler(input, context);
}

function verbOf(url: string): AgentVerb | null {
  const name = /^\/v1\/([A-Za-z]{1,40})$/.exec(url)?.[1];
  return name !== undefined && Object.hasOwn(agentVerbs, name) ? (name as AgentVerb) : null;
}

/** The edge gets the same answer for what it may not do as for what does not exist. */
function permit(caller: Caller, verb: AgentVerb | null): void {
  if (caller === 'server') return;
  if (verb === null || !edgeVerbs.includes(verb)) throw new BerthError('not_found', 'There is no such verb.');
}

async function readBody(request: IncomingMessage): Promise<string> {
  if ((request.headers['content-type'] ?? '').split(';')[0]?.trim() !== 'application/json') {
    throw new BerthError('invalid_input', 'The body must be application/json.');
  }
  if (request.headers['transfer-encoding'] !== undefined)
    throw new BerthError('invalid_input', 'Give the length of the body.');
  const length = Number(request.headers['content-length'] ?? 0);
  if (!(length <= AGENT_BODY_BYTES_MAX)) {
    // A caller that is still sending would see a broken connection and not the answer.
    if (length <= DISCARDED_BYTES_MAX) for await (const _ of request);
    throw new BerthError('too_large', 'The body is too large.');
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > AGENT_BODY_BYTES_MAX) throw new BerthError('too_large', 'The body is too large.');
    parts.push(part);
  }
  return new TextDecoder('utf-8', { fatal: false }).decode(Buffer.concat(parts));
}

function target(request: IncomingMessage): { path: string; query: Record<string, string> } {
  const [path = '', text = ''] = (request.url ?? '').split('?');
  const pairs = [...new URLSearchParams(text)];
  const query = Object.fromEntries(pairs);
  if (Object.keys(query).length !== pairs.length) throw new BerthError('invalid_input', 'A parameter is given twice.');
  return { path, query };
}

async function stream(
  response: ServerResponse,
  log: Logger,
  verb: AgentVerb,
  body: (context: VerbContext) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  const line = (value: unknown): void => {
    if (!response.writableEnded && !response.destroyed) response.write(`${JSON.stringify(value)}\n`);
  };
  try {
    const result = await body({ onProgress: (progress) => line({ type: 'progress', progress }), signal });
    line({ type: 'result', result });
  } catch (error) {
    const known = toBerthError(error);
    log.warn({ verb, code: known.code, detail: known.detail }, 'verb failed');
    line({ type: 'error', error: { code: known.code, message: known.message } });
  }
  response.end();
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}

function fail(response: ServerResponse, error: unknown, log: Logger, url: string): void {
  const known = toBerthError(error);
  const level = known.status >= 500 ? 'error' : 'info';
  log[level](
    {
      verb: verbOf(url),
      code: known.code,
      detail: known.detail,
      cause: known.code === 'internal' ? known.cause : undefined,
    },
    'verb refused or failed',
  );
  if (response.headersSent) return void response.destroy();
  // An unread body must not be taken for the next request.
  response.setHeader('connection', 'close');
  sendJson(response, known.status, {
    error: {
      code: known.code,
      message: known.message,
      ...(known.fields === undefined ? {} : { fields: known.fields }),
      ...(known.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: known.retryAfterSeconds }),
    },
  });
}

function refuseUpgrade(socket: Duplex, error: BerthError): void {
  const body = JSON.stringify({ error: { code: error.code, message: error.message } });
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${error.status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** What may be logged of an input: ids only. */
function subject(input: unknown): Record<string, unknown> {
  const { instance, project, operation } = (input ?? {}) as Record<string, unknown>;
  return { instanceId: instance, projectId: project, operationId: operation };
}
