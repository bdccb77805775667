/**
 * A small typed client of the Incus REST API over its unix socket: JSON calls, operations with bounded waits, files,
 * uploads and WebSockets. It knows nothing of Berth; errors leave it as BerthError with the engine's words in `detail`.
 */
import { request as httpRequest } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import { WebSocket } from 'ws';
import { BerthError } from '#domain/errors.ts';
import type { IncusOperation, IncusResponse } from './types.ts';

/** Seconds a plain call may take, and an operation unless its caller says otherwise. */
export const CALL_SECONDS_MAX = 30;
export const OPERATION_SECONDS_MAX = 120;
/** Largest JSON answer that is read (a host with thousands of guests stays far below). */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const CONNECTIONS_MAX = 32;

export type Query = Record<string, string | number | undefined>;
export type CallOptions = { query?: Query; body?: unknown; timeoutMs?: number; etag?: string };

export type IncusFile =
  | { type: 'file'; content: Buffer; mode: number; uid: number; gid: number }
  | { type: 'directory'; entries: string[] }
  | { type: 'symlink'; target: string };

export class IncusClient {
  readonly #socketPath: string;
  readonly #pool: Pool;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
    this.#pool = new Pool('http://incus', { socketPath, connections: CONNECTIONS_MAX, pipelining: 1 });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** One call that answers at once. Errors: not_found, conflict, unavailable, timeout, upstream_failed. */
  async call<T>(method: Dispatcher.HttpMethod, path: string, options: CallOptions = {}): Promise<T> {
    return (await this.#json<T>(method, path, options)).metadata;
  }

  /** An answer that is plain text. Errors: as `call`; too_large above `bytesMax`. */
  async text(path: string, bytesMax: number): Promise<string> {
    const response = await this.#send('GET', path, {});
    if (response.statusCode !== 200) {
      await this.#parse(response);
      throw new BerthError('upstream_failed', 'The engine answered oddly.');
    }
    return (await readBounded(response.body, bytesMax)).toString('utf8');
  }

  /** Like `call`, with the entity tag for a guarded update. */
  async callWithTag<T>(path: string, options: CallOptions = {}): Promise<{ value: T; etag: string }> {
    const answer = await this.#json<T>('GET', path, options);
    return { value: answer.metadata, etag: answer.etag };
  }

  /** Starts an operation and waits until it ends. Errors: as the engine says; timeout when it takes too long. */
  async operate(
    method: Dispatcher.HttpMethod,
    path: string,
    options: CallOptions & { waitSeconds?: number } = {},
  ): Promise<IncusOperation> {
    const started = await this.start(method, path, options);
    return this.wait(started.operation, options.waitSeconds ?? OPERATION_SECONDS_MAX);
  }

  /** Starts an operation without waiting (exec sessions need its WebSocket secrets first). */
  async start(
    method: Dispatcher.HttpMethod,
    path: string,
    options: CallOptions = {},
  ): Promise<{ operation: string; metadata: IncusOperation }> {
    const answer = await this.#json<IncusOperation>(method, path, options);
    if (answer.operation === '') {
      // Some calls answer at once when there is nothing to do.
      return { operation: '', metadata: answer.metadata };
    }
    return { operation: answer.operation, metadata: answer.metadata };
  }

  /** Waits for an operation (`/1.0/operations/<id>`) and throws what it failed with. */
  async wait(operation: string, seconds: number): Promise<IncusOperation> {
    if (operation === '') return { id: '', status_code: 200, err: '', metadata: null };
    const [path = '', query = ''] = operation.split('?');
    const project = new URLSearchParams(query).get('project') ?? undefined;
    const done = await this.call<IncusOperation>('GET', `${path}/wait`, {
      query: { timeout: seconds, project },
      timeoutMs: (seconds + 5) * 1000,
    });
    if (done.status_code === 200) return done;
    if (done.status_code < 200) {
      throw new BerthError('timeout', 'The engine did not finish in time.', { detail: `${path} after ${seconds} s` });
    }
    throw engineError(done.status_code, done.err);
  }

  /** Sends bytes (image parts, file contents) and answers the parsed JSON. */
  async upload(
    path: string,
    body: Readable | Buffer,
    headers: Record<string, string>,
    options: { query?: Query; timeoutMs: number; signal?: AbortSignal },
  ): Promise<{ operation: string; metadata: IncusOperation }> {
    const response = await this.#send(
      'POST',
      path,
      { query: options.query, timeoutMs: options.timeoutMs },
      body,
      headers,
      options.signal,
    );
    const answer = await this.#parse<IncusOperation>(response);
    return { operation: answer.operation, metadata: answer.metadata };
  }

  /** Reads a file, a directory or a link of a guest. Errors: not_found; too_large above `bytesMax`. */
  async file(path: string, query: Query, bytesMax: number): Promise<IncusFile> {
    const response = await this.#send('GET', path, { query });
    const type = header(response, 'x-incus-type');
    if (response.statusCode !== 200) {
      await this.#parse(response);
      throw new BerthError('upstream_failed', 'The engine answered a file request oddly.');
    }
    const content = await readBounded(response.body, bytesMax);
    if (type === 'directory') {
      const parsed = JSON.parse(content.toString('utf8')) as IncusResponse<string[]>;
      return { type, entries: parsed.metadata ?? [] };
    }
    if (type === 'symlink') return { type, target: content.toString('utf8').trim() };
    return {
      type: 'file',
      content,
      mode: Number.parseInt(header(response, 'x-incus-mode') || '0', 8),
      uid: Number(header(response, 'x-incus-uid') || 0),
      gid: Number(header(response, 'x-incus-gid') || 0),
    };
  }

  /**
   * Opens a WebSocket at an engine path. The caller listens for `error`. `autoPong: false` where the engine may close
   * its end at any time with bytes still on their way: an answer to its ping then fails, and all that was not read yet
   * goes with the connection.
   */
  websocket(path: string, query: Query, { autoPong = true } = {}): WebSocket {
    const url = `ws+unix:${this.#socketPath}:${withQuery(path, query)}`;
    return new WebSocket(url, { perMessageDeflate: false, autoPong });
  }

  /** Turns a connection into what `protocol` says (the engine's own SFTP server). Errors: as the engine says. */
  upgrade(path: string, query: Query, protocol: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        socketPath: this.#socketPath,
        path: withQuery(path, query),
        headers: { connection: 'Upgrade', upgrade: protocol },
        timeout: CALL_SECONDS_MAX * 1000,
      });
      request.on('upgrade', (_response, socket, head) => {
        socket.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      request.on('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const words = Buffer.concat(parts).toString('utf8').slice(0, 2_000);
          reject(engineError(response.statusCode ?? 500, words));
        });
      });
      request.on('timeout', () => request.destroy(new BerthError('timeout', 'The engine did not answer in time.')));
      request.on('error', (error) => reject(transportError(error, path)));
      request.end();
    });
  }

  async #json<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    options: CallOptions,
  ): Promise<IncusResponse<T> & { etag: string }> {
    const headers: Record<string, string> = {};
    if (options.etag !== undefined && options.etag !== '') headers['if-match'] = options.etag;
    let body: Buffer | undefined;
    if (options.body !== undefined) {
      body = Buffer.from(JSON.stringify(options.body));
      headers['content-type'] = 'application/json';
    }
    const response = await this.#send(method, path, options, body, headers);
    const etag = header(response, 'etag');
    return { ...(await this.#parse<T>(response)), etag };
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    options: { query?: Query | undefined; timeoutMs?: number | undefined },
    body?: Readable | Buffer,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const timeoutMs = options.timeoutMs ?? CALL_SECONDS_MAX * 1000;
    try {
      return await this.#pool.request({
        method,
        path: withQuery(path, options.query ?? {}),
        headers,
        body: body ?? null,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal:
          signal === undefined
            ? AbortSignal.timeout(timeoutMs)
            : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
    } catch (error) {
      throw transportError(error, `${method} ${path}`);
    }
  }

  async #parse<T>(response: Dispatcher.ResponseData): Promise<IncusResponse<T>> {
    let parsed: IncusResponse<T>;
    try {
      const content = await readBounded(response.body, ANSWER_BYTES_MAX);
      parsed = JSON.parse(content.toString('utf8')) as IncusResponse<T>;
    } catch (error) {
      if (error instanceof BerthError) throw error;
      throw transportError(error, 'reading the answer');
    }
    if (parsed.type === 'error') throw engineError(parsed.error_code ?? response.statusCode, parsed.error ?? '');
    return parsed;
  }
}

/** Path segments are always encoded: names never become path syntax. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

function withQuery(path: string, query: Query): string {
  const pairs = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) pairs.set(key, String(value));
  const text = pairs.toString();
  return text === '' ? path : `${path}?${text}`;
}

function header(response: Dispatcher.ResponseData, name: string): string {
  const value = response.headers[name];
  return Array.isArray(value) ? (value[0] ?? '') : (value ?? '');
}

async function readBounded(body: Dispatcher.ResponseData['body'], bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bytesMax) {
      body.destroy();
      throw new BerthError('too_large', 'The engine answered with more than expected.');
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The engine's own errors in ours; its words go to `detail` because they may name other tenants' objects. */
export function engineError(status: number, words: string): BerthError {
  const lower = words.toLowerCase();
  if (status === 404 || lower.includes('not found')) {
    return new BerthError('not_found', 'There is no such thing on this host, or it is not yours.', { detail: words });
  }
  if (status === 409 || status === 412 || lower.includes('already exists') || lower.includes('unique constraint')) {
    return new BerthError('conflict', 'This conflicts with what is on the host.', { detail: words });
  }
  if (lower.includes('no space left') || lower.includes('disk quota exceeded')) {
    return new BerthError('upstream_failed', "The host's storage is full.", { detail: words });
  }
  return new BerthError('upstream_failed', 'The engine refused or failed.', { detail: `${status}: ${words}` });
}

export function transportError(error: unknown, what: string): BerthError {
  if (error instanceof BerthError) return error;
  const name = error instanceof Error ? error.name : '';
  const code = (error as { code?: string } | null)?.code ?? '';
  const detail = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  if (name === 'TimeoutError' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new BerthError('timeout', 'The engine did not answer in time.', { detail, cause: error });
  }
  return new BerthError('unavailable', 'The engine does not answer right now.', {
    detail,
    cause: error,
    retryAfterSeconds: 2,
  });
}
