/**
 * The typed client over the contract's route table: `client.call('instancesGet', { params: { instance } })`. Every
 * failure is a CliError. Only calls that cannot do a thing twice are repeated: GET, and what carries an idempotency key.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher, request } from 'undici';
import { type Api, api, type RouteName } from '#contract/api.ts';
import { type Problem, problemSchema } from '#contract/common.ts';
import { type Event, eventSchema } from '#contract/events.ts';
import type { CallInputOf, ResponseOf } from '#contract/route.ts';
import { CliError, errorFromProblem } from './errors.ts';
import { SseParser } from './sse.ts';
import { connectionError, localhostLookup, systemCode, trustedRoots } from './transport.ts';

export const REQUEST_TIMEOUT_MS = 60_000;
export const CONNECT_TIMEOUT_MS = 10_000;
/** Repeats after the first try of a safe call. */
export const RETRIES_MAX = 3;
export const RETRY_DELAY_MS = 200;
export const RETRY_DELAY_MS_MAX = 5_000;
export const RESPONSE_BYTES_MAX = 32 * 1024 * 1024;
/** Without a sign of life (events or the server's comments) for this long the stream is opened again. */
export const EVENTS_SILENCE_MS_MAX = 60_000;

/** What a call of this route takes; ids as plain strings. */
export type InputOf<K extends RouteName> = CallInputOf<Api[K]>;
export type OutputOf<K extends RouteName> = ResponseOf<Api[K]>;

export type CallOptions = {
  signal?: AbortSignal;
  /** Makes the call safe to repeat; the server remembers the answer. */
  idempotencyKey?: string;
  /** Doing it twice does no more than doing it once. */
  repeatable?: boolean;
  headers?: Record<string, string>;
};

export type ClientOptions = {
  url: string;
  token?: string;
  /** Instead of `token`: the token now; `refused` is one that the server did not take. */
  tokenSource?: (refused?: string) => Promise<string>;
  caFile?: string;
  userAgent: string;
  /** Told about every exchange (`--debug`). */
  trace?: (line: string) => void;
  /** Waits between repeats; tests make it instant. */
  pause?: (ms: number) => Promise<void>;
};

type RawInput = { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown };
export type RawAnswer = { status: number; headers: Record<string, string | string[] | undefined>; text: string };

/** Path with parameters and query filled in. */
export function pathOf(name: RouteName, input: RawInput): string {
  const path = api[name].path.replace(/:([a-zA-Z]+)/g, (_match, key: string) => {
    const value = input.params?.[key];
    if (value === undefined || value === '') throw new TypeError(`${name} needs the parameter "${key}"`);
    return encodeURIComponent(String(value));
  });
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(input.query ?? {})) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const query = search.toString();
  return query === '' ? path : `${path}?${query}`;
}

export class BerthClient {
  readonly url: string;
  readonly #options: ClientOptions;
  #dispatcher: Promise<Agent> | null = null;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.url = options.url.replace(/\/+$/, '');
  }

  #agent(): Promise<Agent> {
    this.#dispatcher ??= trustedRoots(this.#options.caFile).then(
      (ca) =>
        new Agent({
          connect: { lookup: localhostLookup, timeout: CONNECT_TIMEOUT_MS, ...(ca === undefined ? {} : { ca }) },
          headersTimeout: REQUEST_TIMEOUT_MS,
          bodyTimeout: REQUEST_TIMEOUT_MS,
          keepAliveTimeout: 10_000,
        }),
    );
    return this.#dispatcher;
  }

  async close(): Promise<void> {
    if (this.#dispatcher !== null) await (await this.#dispatcher).destroy();
  }

  /** Headers every request carries; edge's WebSockets take the same. */
  async headers(refused?: string): Promise<Record<string, string>> {
    const { tokenSource } = this.#options;
    const token = tokenSource === undefined ? this.#options.token : await tokenSource(refused);
    return {
      'user-agent': this.#options.userAgent,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  /** Calls one endpoint; resolves to the success body (undefined for 204). */
  async call<K extends RouteName>(name: K, input: InputOf<K>, options: CallOptions = {}): Promise<OutputOf<K>> {
    const raw = input as RawInput;
    const answer = await this.raw(api[name].method, pathOf(name, raw), raw.body, options);
    return (answer.status === 204 ? undefined : parseJson(answer, this.url)) as OutputOf<K>;
  }

  /** One exchange with retries; answers only with success. */
  async raw(
    method: Dispatcher.HttpMethod,
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<RawAnswer> {
    const safe = method === 'GET' || options.idempotencyKey !== undefined || options.repeatable === true;
    const pause = this.#options.pause ?? ((ms: number) => sleep(ms));
    let refused: string | undefined;
    for (let attempt = 0; ; attempt++) {
      const last = !safe || attempt >= RETRIES_MAX;
      let answer: RawAnswer & { token?: string };
      try {
        answer = await this.#once(method, path, body, options, refused);
      } catch (error) {
        if (options.signal?.aborted === true || error instanceof CliError) throw error;
        const failure = connectionError(error, this.url);
        // A refused connection or an unknown name rarely heals within a second: one more try is enough.
        const hopeless = ['ECONNREFUSED', 'ENOTFOUND'].includes(systemCode(error)) && attempt >= 1;
        const untrusted = failure.message.includes('not trusted');
        if (last || hopeless || untrusted) throw failure;
        await pause(RETRY_DELAY_MS * 2 ** attempt);
        continue;
      }
      if (answer.status < 400) return answer;
      if (answer.status === 401 && refused === undefined && this.#options.tokenSource !== undefined) {
        // Nothing was done: the same call with a new token is safe, once.
        refused = answer.token ?? '';
        continue;
      }
      const error = errorFromAnswer(answer, this.url);
      if (last || ![502, 503, 504].includes(answer.status)) throw error;
      const wait = error.retryAfterSeconds === null ? RETRY_DELAY_MS * 2 ** attempt : error.retryAfterSeconds * 1000;
      await pause(Math.min(wait, RETRY_DELAY_MS_MAX));
    }
  }

  /** One form to an OAuth endpoint, without credentials and without repeats; answers with any status. */
  async form(path: string, fields: Record<string, string>): Promise<RawAnswer> {
    const headers = {
      'user-agent': this.#options.userAgent,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    };
    try {
      return await this.#send('POST', path, headers, new URLSearchParams(fields).toString(), undefined);
    } catch (error) {
      throw error instanceof CliError ? error : connectionError(error, this.url);
    }
  }

  async #once(
    method: Dispatcher.HttpMethod,
    path: string,
    body: unknown,
    options: CallOptions,
    refused: string | undefined,
  ): Promise<RawAnswer & { token?: string }> {
    const own = await this.headers(refused);
    const headers: Record<string, string> = { ...own, accept: 'application/json', ...options.headers };
    const bytes = body instanceof Uint8Array;
    if (body !== undefined) headers['content-type'] = bytes ? 'application/octet-stream' : 'application/json';
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
    const content = body === undefined ? null : bytes ? body : JSON.stringify(body);
    const answer = await this.#send(method, path, headers, content, options.signal);
    return { ...answer, ...(own['authorization'] === undefined ? {} : { token: own['authorization'].slice(7) }) };
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    headers: Record<string, string>,
    body: string | Uint8Array | null,
    signal: AbortSignal | undefined,
  ): Promise<RawAnswer> {
    const startedAt = performance.now();
    const response = await request(`${this.url}${path}`, {
      method,
      headers,
      body,
      dispatcher: await this.#agent(),
      ...(signal === undefined ? {} : { signal }),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > RESPONSE_BYTES_MAX) throw new CliError('failure', 'The answer is too large.', { code: 'too_large' });
      chunks.push(chunk);
    }
    const requestId = String(response.headers['x-request-id'] ?? '-');
    this.#options.trace?.(
      `${method} ${path} -> ${response.statusCode} in ${(performance.now() - startedAt).toFixed(0)} ms, request id ${requestId}`,
    );
    return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') };
  }

  /** The body of a long answer, piece by piece. Errors: CliError; an answer that breaks off is one. */
  async *bytes<K extends RouteName>(name: K, input: InputOf<K>, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    const path = pathOf(name, input as RawInput);
    try {
      const response: Dispatcher.ResponseData = await request(`${this.url}${path}`, {
        method: api[name].method,
        headers: await this.headers(),
        dispatcher: await this.#agent(),
        signal,
      });
      if (response.statusCode !== api[name].status) {
        const text = await response.body.text();
        throw errorFromAnswer({ status: response.statusCode, headers: response.headers, text }, this.url);
      }
      for await (const chunk of response.body as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      if (error instanceof CliError || signal.aborted) throw error;
      throw connectionError(error, this.url);
    }
  }

  /**
   * Live hints, for ever until `signal` aborts. Reconnects by itself and resumes after the last event seen; a `null`
   * means "something may have been missed, look again". Errors: CliError when the caller may not listen.
   */
  async *events(options: { project?: string; signal: AbortSignal }): AsyncGenerator<Event | null, void> {
    let lastId: string | null = null;
    for (let failures = 0; !options.signal.aborted; ) {
      try {
        const response: Dispatcher.ResponseData = await request(
          `${this.url}${pathOf('events', { query: { project: options.project } })}`,
          {
            method: 'GET',
            headers: {
              ...(await this.headers()),
              accept: 'text/event-stream',
              ...(lastId === null ? {} : { 'last-event-id': lastId }),
            },
            dispatcher: await this.#agent(),
            bodyTimeout: EVENTS_SILENCE_MS_MAX,
            signal: options.signal,
          },
        );
        if (response.statusCode !== 200) {
          const text = await response.body.text();
          throw errorFromAnswer({ status: response.statusCode, headers: response.headers, text }, this.url);
        }
        failures = 0;
        yield null;
        const parser = new SseParser();
        const decoder = new TextDecoder();
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          for (const message of parser.push(decoder.decode(chunk, { stream: true }))) {
            if (message.id !== null) lastId = message.id;
            if (message.event === 'resync') yield null;
            if (message.event !== 'change') continue;
            const event = eventSchema.safeParse(safeJson(message.data));
            if (event.success) yield event.data;
          }
        }
      } catch (error) {
        if (options.signal.aborted) return;
        if (error instanceof CliError && !['unavailable', 'timeout'].includes(error.exit)) throw error;
      }
      failures += 1;
      await sleep(Math.min(RETRY_DELAY_MS * 2 ** failures, RETRY_DELAY_MS_MAX), undefined, {
        signal: options.signal,
      }).catch(() => undefined);
    }
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseJson(answer: RawAnswer, url: string): unknown {
  const value = safeJson(answer.text);
  if (value === undefined) {
    throw new CliError('failure', `${url} did not answer like a Berth installation.`, {
      code: 'internal',
      hint: 'Check the address: berth login --url URL',
    });
  }
  return value;
}

/** The error in an answer that is not a success; also of proxies that do not speak problem JSON. */
export function errorFromAnswer(answer: RawAnswer, url: string): CliError {
  const header = answer.headers['x-request-id'];
  const requestId = Array.isArray(header) ? header[0] : header;
  const problem = problemSchema.safeParse(safeJson(answer.text));
  if (problem.success) return errorFromProblem(problem.data as Problem);
  const away = [502, 503, 504].includes(answer.status);
  return new CliError(
    away ? 'unavailable' : 'failure',
    away
      ? 'The control plane does not answer right now; running instances are not affected.'
      : `${url} answered with status ${answer.status}.`,
    {
      code: away ? 'unavailable' : 'internal',
      requestId: requestId ?? null,
      ...(away ? { hint: 'Try again in a moment; on the host, ./berth status says what is down.' } : {}),
    },
  );
}
