/**
 * The typed client over the contract's route table: `call('instancesGet', { params: { instance } })`. Cookies carry the
 * session; every failure becomes one ApiError. Types come from the contract, nothing of it is loaded at run time.
 */
import type { Api, RouteName } from '#contract/api.ts';
import type { Problem } from '#contract/common.ts';
import type { CallInputOf, ResponseOf } from '#contract/route.ts';
import type { ErrorCode, FieldError } from '#domain/errors.ts';
import { randomToken } from '../lib/random.ts';
import { askToConfirm } from './step-up.ts';
import { apiTable } from './table.ts';

export type { RouteName };

/** A request that hangs longer than this is given up (milliseconds). */
export const REQUEST_TIMEOUT_MS = 30_000;

/** What a call of this route takes. Ids may be given as plain strings (they come from the address bar). */
export type InputOf<K extends RouteName> = CallInputOf<Api[K]>;
export type OutputOf<K extends RouteName> = ResponseOf<Api[K]>;

export type CallOptions = {
  /** Makes a retry of the same creation safe. */
  idempotencyKey?: string;
};

/** Anything that went wrong with a call. `network`: no answer at all. */
export class ApiError extends Error {
  readonly code: ErrorCode | 'network';
  readonly status: number;
  readonly title: string;
  readonly requestId: string | null;
  readonly fields: readonly FieldError[];
  readonly retryAfterSeconds: number | null;

  constructor(problem: Omit<Partial<Problem>, 'code'> & { code: ErrorCode | 'network'; detail: string }) {
    super(problem.detail);
    this.name = 'ApiError';
    this.code = problem.code;
    this.status = problem.status ?? 0;
    this.title = problem.title ?? 'Berth did not answer';
    this.requestId = problem.requestId ?? null;
    this.fields = problem.fields ?? [];
    this.retryAfterSeconds = problem.retryAfterSeconds ?? null;
  }
}

/** Narrow anything thrown to an ApiError, so that views have one shape to show. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError({
    code: 'internal',
    title: 'The console made a mistake',
    detail: error instanceof Error ? error.message : String(error),
  });
}

type RawInput = { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown };

/** Method, path with parameters filled in, and body text of a call; also what "Show API call" prints. */
export function buildRequest<K extends RouteName>(
  name: K,
  input: InputOf<K>,
): { method: string; url: string; body: string | undefined } {
  const raw = input as RawInput;
  const [method = 'GET', template = ''] = apiTable[name].split(' ');
  const path = template.replace(/:([a-zA-Z]+)/g, (_match, key: string) => {
    const value = raw.params?.[key];
    if (value === undefined || value === null || value === '')
      throw new TypeError(`${name} needs the parameter "${key}"`);
    return encodeURIComponent(String(value));
  });
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(raw.query ?? {})) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return {
    method,
    url: text === '' ? path : `${path}?${text}`,
    body: raw.body === undefined || raw.body instanceof Uint8Array ? undefined : JSON.stringify(raw.body),
  };
}

async function problemOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  try {
    const problem = (await response.json()) as Problem;
    if (typeof problem.code === 'string' && typeof problem.detail === 'string') {
      return new ApiError({ ...problem, requestId: problem.requestId ?? requestId });
    }
  } catch {
    // Not JSON: a proxy's own page. Fall through to plain words.
  }
  const unavailable = response.status === 502 || response.status === 503 || response.status === 504;
  return new ApiError({
    code: unavailable ? 'unavailable' : 'internal',
    status: response.status,
    title: unavailable ? 'Berth is not available right now' : 'Unexpected answer',
    detail: unavailable
      ? 'The control plane does not answer; running instances are not affected. It is tried again by itself.'
      : `The server answered with status ${response.status}.`,
    requestId,
  });
}

/**
 * Calls one endpoint. Throws ApiError; resolves to the success body (undefined for 204). Where a fresh confirmation is
 * needed the person is asked and the call is repeated once.
 */
export async function call<K extends RouteName>(
  name: K,
  input: InputOf<K>,
  options: CallOptions = {},
): Promise<OutputOf<K>> {
  const response = await confirmed(() => send(name, input, options, REQUEST_TIMEOUT_MS));
  if (response.status === 204) return undefined as OutputOf<K>;
  return (await response.json()) as OutputOf<K>;
}

/** Downloads can be long: given up only when nothing begins. */
export const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/** The body of an endpoint that answers with a file, and the name the server gives it. Throws ApiError. */
export async function download<K extends RouteName>(name: K, input: InputOf<K>): Promise<{ blob: Blob; name: string }> {
  const response = await confirmed(() => send(name, input, {}, DOWNLOAD_TIMEOUT_MS));
  const given = /filename="([\w.-]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1];
  try {
    return { blob: await response.blob(), name: given ?? `${name}.jsonl` };
  } catch {
    throw new ApiError({
      code: 'network',
      title: 'The download broke off',
      detail: 'The connection ended before the file was whole. Nothing was kept; try again.',
    });
  }
}

/** A file as it is, and what tells whether it is still the same one later. Throws ApiError. */
export async function readBytes<K extends RouteName>(
  name: K,
  input: InputOf<K>,
): Promise<{ bytes: ArrayBuffer; version: string }> {
  const response = await confirmed(() => send(name, input, {}, DOWNLOAD_TIMEOUT_MS));
  return { bytes: await response.arrayBuffer(), version: response.headers.get('x-berth-file-version') ?? '' };
}

/** Where a fresh confirmation is needed, the person is asked and the call is repeated once. */
async function confirmed<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'step_up_required') throw error;
    if (!(await askToConfirm(error.message))) throw error;
    return attempt();
  }
}

async function send<K extends RouteName>(
  name: K,
  input: InputOf<K>,
  options: CallOptions,
  timeoutMs: number,
): Promise<Response> {
  const { method, url, body: text } = buildRequest(name, input);
  const headers: Record<string, string> = { accept: 'application/json' };
  const { body: given } = input as RawInput;
  const bytes = given instanceof Uint8Array ? (given as Uint8Array<ArrayBuffer>) : undefined;
  const body = bytes ?? text;
  if (body !== undefined)
    headers['content-type'] = bytes === undefined ? 'application/json' : 'application/octet-stream';
  if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
  const timeout = AbortSignal.timeout(timeoutMs);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body ?? null,
      credentials: 'same-origin',
      signal: timeout,
    });
  } catch {
    throw new ApiError({
      code: 'network',
      title: timeout.aborted ? 'It took too long' : 'No connection to Berth',
      detail: timeout.aborted
        ? 'The request was given up after half a minute. It may still have had an effect: look before you repeat it.'
        : 'The console could not reach the server. Check the network; nothing was lost.',
    });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** A fresh idempotency key; works on plain HTTP, where crypto.randomUUID is missing. */
export function newIdempotencyKey(): string {
  return randomToken(24);
}
