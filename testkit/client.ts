/**
 * A typed API client for whole-system tests: real TLS against Berth's own CA, names under the installation's domain
 * resolved to loopback, cookies kept like a browser keeps them for the console.
 */
import { readFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { Agent, fetch } from 'undici';
import type { BodyInputOf, ParamsOf, QueryInputOf, ResponseOf, RouteDefinition } from '#contract/route.ts';

export type Stack = {
  consoleUrl: string;
  apiUrl: string;
  setupCode: string;
  caCertificate: string;
  dataDir: string;
};

type Loose<T> = { [K in keyof T]: string };

export type CallInput<R extends RouteDefinition> = {
  params?: Loose<ParamsOf<R>>;
  query?: QueryInputOf<R>;
  body?: BodyInputOf<R>;
  headers?: Record<string, string>;
};

export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, detail: string) {
    super(`${status} ${code}: ${detail}`);
    this.status = status;
    this.code = code;
  }
}

/** Everything resolves to loopback: whole-system tests talk to this machine only. */
export const loopbackLookup: LookupFunction = (_hostname, options, callback) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

export function trustingAgent(caFile: string): Agent {
  return new Agent({
    connect: { ca: readFileSync(caFile, 'utf8'), lookup: loopbackLookup },
    headersTimeout: 60_000,
    bodyTimeout: 0,
  });
}

export class Client {
  readonly origin: string;
  readonly dispatcher: Agent;
  cookie = '';

  constructor(stack: Stack) {
    this.origin = new URL(stack.consoleUrl).origin;
    this.dispatcher = trustingAgent(stack.caCertificate);
  }

  /** Calls one route. Errors: ProblemError with the code of the problem JSON. */
  async call<R extends RouteDefinition>(route: R, input: CallInput<R> = {}): Promise<ResponseOf<R>> {
    const params: Record<string, string> = { ...input.params };
    const path = route.path.replace(/:([a-zA-Z]+)/g, (_all, name: string) => encodeURIComponent(params[name] ?? ''));
    const url = new URL(path, this.origin);
    for (const [key, value] of Object.entries((input.query ?? {}) as Record<string, unknown>)) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const response = await fetch(url, {
      method: route.method,
      dispatcher: this.dispatcher,
      headers: {
        accept: 'application/json',
        origin: this.origin,
        ...(this.cookie === '' ? {} : { cookie: this.cookie }),
        ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...input.headers,
      },
      ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
    });
    for (const line of response.headers.getSetCookie()) this.cookie = line.split(';')[0] ?? '';
    const text = await response.text();
    const json: unknown = text === '' ? undefined : parse(text);
    if (!response.ok) {
      const problem = (json ?? {}) as { code?: string; detail?: string };
      throw new ProblemError(response.status, problem.code ?? 'unknown', problem.detail ?? text.slice(0, 300));
    }
    return json as ResponseOf<R>;
  }

  /** GET of any HTTPS address of this installation, redirects not followed. */
  async get(
    url: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; body: string }> {
    const response = await fetch(url, { dispatcher: this.dispatcher, redirect: 'manual', headers });
    return { status: response.status, headers: response.headers as unknown as Headers, body: await response.text() };
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Polls until `look` gives something other than null/undefined/false. Errors: Error naming `what` after the deadline. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  options: { timeoutMs: number; everyMs?: number },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(
        `${what}: not within ${options.timeoutMs} ms${last === undefined ? '' : ` (last: ${String(last)})`}`,
      );
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 200));
  }
}
