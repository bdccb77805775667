/** HTTP to one host agent over its unix socket. */
import { Pool } from 'undici';
import { WebSocket } from 'ws';
import { type AgentInput, type AgentVerb, streamingVerbs } from '#contract/agent.ts';
import {
  type AgentBuildProgress,
  type AgentResult,
  agentResults,
  buildProgressSchema,
} from '#contract/agent-results.ts';
import { BerthError, type ErrorCode, errorCatalogue } from '#domain/errors.ts';

export type AgentClientOptions = {
  socketPath: string;
  token: string;
  /** Parallel requests to the agent; more wait. */
  connections?: number;
};

/** Longest a verb may take; those that start, stop or copy guests are bounded by the engine's own limits below this. */
const VERB_SECONDS_MAX = 900;
const QUICK_SECONDS_MAX = 30;
const BUILD_SECONDS_MAX = 2 * 3600;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const quick: readonly AgentVerb[] = [
  'host',
  'observe',
  'list',
  'metrics',
  'flows',
  'health',
  'innerContainers',
  'containerUsage',
  'stacks',
  'stackCheck',
  'logs',
  'images',
  'recipes',
  'allowImages',
  'screenCredentials',
];

export class AgentClient {
  readonly #socketPath: string;
  readonly #pool: Pool;
  readonly #headers: Record<string, string>;

  constructor({ socketPath, token, connections = 32 }: AgentClientOptions) {
    this.#socketPath = socketPath;
    this.#pool = new Pool('http://agent', { socketPath, connections, pipelining: 1 });
    this.#headers = { authorization: `Bearer ${token}` };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** One verb. Errors: BerthError as the agent said it; unavailable when it does not answer. */
  async call<V extends AgentVerb>(
    verb: V,
    input: AgentInput<V>,
    options: {
      signal?: AbortSignal | undefined;
      onProgress?: ((progress: AgentBuildProgress) => void) | undefined;
    } = {},
  ): Promise<AgentResult<V>> {
    const streaming = streamingVerbs.includes(verb);
    const seconds = streaming ? BUILD_SECONDS_MAX : quick.includes(verb) ? QUICK_SECONDS_MAX : VERB_SECONDS_MAX;
    const limit = AbortSignal.timeout(seconds * 1000);
    const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
    try {
      const response = await this.#pool.request({
        method: 'POST',
        path: `/v1/${verb}`,
        headers: { ...this.#headers, 'content-type': 'application/json' },
        body: JSON.stringify(input),
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      if (streaming && response.statusCode === 200) {
        return parse(verb, await lastLine(response.body, options.onProgress ?? (() => undefined)));
      }
      const value = JSON.parse(await textOf(response.body)) as { result?: unknown; error?: unknown };
      if (response.statusCode !== 200) throw remoteError(value.error, response.statusCode);
      return parse(verb, value.result);
    } catch (error) {
      if (options.signal?.aborted) throw new BerthError('conflict', 'It was cancelled.', { cause: error });
      throw localError(error, verb);
    }
  }

  /** A WebSocket of the agent, not yet open. The caller listens for `error`. */
  socket(path: string, query: Record<string, string>): WebSocket {
    return new WebSocket(`ws+unix:${this.#socketPath}:${path}?${new URLSearchParams(query)}`, {
      headers: this.#headers,
      perMessageDeflate: false,
    });
  }

  /** Lines of the event stream, parsed as JSON; empty lines are heartbeats (null). Ends when the connection does. */
  async *lines(path: string, signal: AbortSignal, silenceMs: number): AsyncGenerator<unknown> {
    const response = await this.#pool
      .request({
        method: 'GET',
        path,
        headers: this.#headers,
        signal,
        headersTimeout: QUICK_SECONDS_MAX * 1000,
        bodyTimeout: silenceMs,
      })
      .catch((error: unknown) => {
        throw localError(error, path);
      });
    if (response.statusCode !== 200)
      throw remoteError(JSON.parse(await textOf(response.body)).error, response.statusCode);
    for await (const line of linesOf(response.body)) yield line === '' ? null : JSON.parse(line);
  }
}

function parse<V extends AgentVerb>(verb: V, value: unknown): AgentResult<V> {
  const parsed = agentResults[verb].safeParse(value);
  if (parsed.success) return parsed.data as AgentResult<V>;
  throw new BerthError('upstream_failed', 'The host answered in a form that is not understood.', {
    detail: `${verb}: ${parsed.error.issues
      .map((issue) => `${issue.path.join('.')} ${issue.message}`)
      .join('; ')
      .slice(0, 500)}`,
  });
}

async function lastLine(
  body: AsyncIterable<Buffer>,
  onProgress: (progress: AgentBuildProgress) => void,
): Promise<unknown> {
  for await (const line of linesOf(body)) {
    if (line === '') continue;
    const value = JSON.parse(line) as { type: string; progress?: unknown; result?: unknown; error?: unknown };
    if (value.type === 'progress') onProgress(buildProgressSchema.parse(value.progress));
    else if (value.type === 'result') return value.result;
    else throw remoteError(value.error, 500);
  }
  throw new BerthError('unavailable', 'The host broke off.', { retryAfterSeconds: 2 });
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const part of body) {
    rest += decoder.decode(part, { stream: true });
    if (rest.length > ANSWER_BYTES_MAX) throw new BerthError('upstream_failed', 'The host said too much.');
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > ANSWER_BYTES_MAX) throw new BerthError('upstream_failed', 'The host said too much.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The agent's own error, as it said it. A refused token is our fault and not the caller's. */
function remoteError(error: unknown, status: number): BerthError {
  const { code, message, fields, retryAfterSeconds } = (error ?? {}) as {
    code?: string;
    message?: string;
    fields?: { field: string; message: string }[];
    retryAfterSeconds?: number;
  };
  if (code === undefined || !Object.hasOwn(errorCatalogue, code)) {
    return new BerthError('upstream_failed', 'The host answered with an error.', { detail: `status ${status}` });
  }
  if (code === 'unauthenticated')
    return new BerthError('unavailable', 'The host does not accept this control plane.', { detail: message ?? '' });
  return new BerthError(code as ErrorCode, message ?? errorCatalogue[code as ErrorCode].title, {
    ...(fields === undefined ? {} : { fields }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function localError(error: unknown, what: string): BerthError {
  if (error instanceof BerthError) return error;
  const name = error instanceof Error ? error.name : '';
  const detail = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  if (name === 'TimeoutError')
    return new BerthError('timeout', 'The host did not answer in time.', { cause: error, detail });
  return new BerthError('unavailable', 'The host does not answer right now.', {
    cause: error,
    detail,
    retryAfterSeconds: 2,
  });
}
