/**
 * The only way this server calls an address that somebody typed in (identity providers, webhooks, avatars). Names are
 * resolved here, every address is judged (outbound-addresses.ts), and the connection goes to exactly the addresses that
 * were judged: a name that changes its answer in between gains nothing. Redirects are followed only through the same
 * checks. Everything has a limit. It does not judge what is sent or what the answer means.
 */
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction, connect as open, type Socket } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { DNS_PORT, originOfNameServer } from '#domain/dns.ts';
import { BerthError } from '#domain/errors.ts';
import { addressesOfThisMachine, classifyAddress } from './outbound-addresses.ts';

export const OUTBOUND_URL_LENGTH_MAX = 2_000;
export const OUTBOUND_REDIRECTS_MAX = 3;
export const OUTBOUND_BODY_BYTES_MAX = 1024 * 1024;
export const OUTBOUND_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
const HEADER_BYTES_MAX = 16 * 1024;
/** Where HTTPS lives; other ports need the administrator. */
const PORT = '443';

export type ResolvedAddress = { address: string; family: number };

export type OutboundOptions = {
  /** Origins ('https://idp.corp.example:8443') that an administrator allows although they are private or unusual. */
  allowed(): Promise<readonly string[]>;
  /** All addresses of a name; the system's resolver when absent. */
  resolve?(hostname: string): Promise<ResolvedAddress[]>;
  ownAddresses?(): string[];
};

export type OutboundInit = {
  method?: string;
  headers?: Record<string, string> | Headers;
  body?: string | Uint8Array | URLSearchParams | null | undefined;
  /** `manual` answers the redirect itself (openid-client wants that). Default: follow. */
  redirect?: 'follow' | 'manual';
  signal?: AbortSignal | null | undefined;
  timeoutMs?: number;
  bodyBytesMax?: number;
};

export type Outbound = {
  /**
   * Whether this address may be called, as of now: for forms that store one. Using it later goes through `fetch`,
   * which judges again. Errors: invalid_input with the reason.
   */
  check(url: string): Promise<void>;
  /**
   * Like the platform's fetch, with the whole body read and bounded before it returns. Fits openid-client's
   * `customFetch`. Errors: invalid_input (may not be called), upstream_failed (no connection, too large, too many
   * redirects), timeout.
   */
  fetch(url: string | URL, init?: OutboundInit): Promise<Response>;
  /**
   * A TCP connection to a name server, for dynamic updates; ports other than 53 and private addresses only where the
   * administrator's list has `dns://host:port`. Errors: as fetch.
   */
  connectNameServer(host: string, port: number): Promise<Socket>;
};

type Target = { url: URL; isAllowed: boolean };

export function createOutbound(options: OutboundOptions): Outbound {
  const resolve = options.resolve ?? ((hostname) => lookup(hostname, { all: true, verbatim: true }));
  const own = options.ownAddresses ?? addressesOfThisMachine;

  const judge = async (hostname: string, isAllowed: boolean, signal: AbortSignal): Promise<ResolvedAddress[]> => {
    const bare = hostname.replace(/^\[(.*)\]$/, '$1');
    const family = isIP(bare);
    const resolved = family === 0 ? within(signal, resolve(bare)) : [{ address: bare, family }];
    const found = await Promise.resolve(resolved).catch((error: unknown) => {
      if (signal.aborted) throw error;
      return [];
    });
    const mine = own();
    // One bad address among good ones refuses the name: the connection could end at any of them.
    const isGood = ({ address }: ResolvedAddress): boolean => {
      const kind = classifyAddress(address, mine);
      return kind === 'public' || (kind === 'private' && isAllowed);
    };
    if (found.length === 0 || !found.every(isGood)) throw unreachable(hostname);
    return found;
  };

  const once = async (target: Target, init: OutboundInit, signal: AbortSignal): Promise<Response> => {
    const addresses = await judge(target.url.hostname, target.isAllowed, signal);
    const agent = new Agent({
      connect: pinned(addresses),
      connections: 1,
      maxHeaderSize: HEADER_BYTES_MAX,
      maxResponseSize: init.bodyBytesMax ?? OUTBOUND_BODY_BYTES_MAX,
    });
    try {
      const answer = await request(target.url.href, {
        dispatcher: agent,
        method: (init.method ?? 'GET') as 'GET',
        headers: { 'user-agent': 'berth', ...plainHeaders(init.headers), 'accept-encoding': 'identity' },
        body: init.body === undefined || init.body === null ? null : bodyBytes(init.body),
        signal,
      });
      const body = new Uint8Array(await answer.body.arrayBuffer());
      const headers = new Headers();
      for (const [name, value] of Object.entries(answer.headers)) {
        for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one);
      }
      // Nobody asked for packed bytes; unpacking them would go round the limit.
      if ((headers.get('content-encoding') ?? 'identity') !== 'identity')
        throw failed(target.url, 'it packs its answer');
      const empty = answer.statusCode === 204 || answer.statusCode === 205 || answer.statusCode === 304;
      return new Response(empty ? null : body, { status: answer.statusCode, headers });
    } finally {
      await agent.destroy();
    }
  };

  const target = async (text: string): Promise<Target> => parseTarget(text, await options.allowed());

  return {
    async check(text) {
      const { url, isAllowed } = await target(text);
      const timeout = AbortSignal.timeout(OUTBOUND_TIMEOUT_MS);
      await judge(url.hostname, isAllowed, timeout).catch((error: unknown) => {
        throw outboundError(error, url, timeout);
      });
    },
    async connectNameServer(host, port) {
      const origin = originOfNameServer(host, port);
      const isAllowed = (await options.allowed()).includes(origin);
      if (port !== DNS_PORT && !isAllowed) {
        throw new BerthError(
          'invalid_input',
          `Name servers are called on port ${DNS_PORT} only. An administrator can allow this one (Limits, Addresses this server calls: ${origin}).`,
        );
      }
      const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
      const asUrl = new URL(origin.replace(/^dns:/, 'https:'));
      try {
        const [first] = await judge(host, isAllowed, timeout);
        return await opened(first?.address ?? '', port, timeout);
      } catch (error) {
        throw outboundError(error, asUrl, timeout);
      }
    },
    async fetch(first, init = {}) {
      const timeout = AbortSignal.timeout(init.timeoutMs ?? OUTBOUND_TIMEOUT_MS);
      const signal =
        init.signal === undefined || init.signal === null ? timeout : AbortSignal.any([timeout, init.signal]);
      let current = await target(String(first));
      let asked = init;
      for (let redirects = 0; ; redirects++) {
        const answer = await once(current, asked, signal).catch((error: unknown) => {
          throw outboundError(error, current.url, timeout);
        });
        const location = answer.headers.get('location');
        if (init.redirect === 'manual' || location === null || ![301, 302, 303, 307, 308].includes(answer.status)) {
          return answer;
        }
        if (redirects >= OUTBOUND_REDIRECTS_MAX) throw failed(current.url, 'it redirects too often');
        const next = URL.parse(location, current.url.href);
        if (next === null) throw failed(current.url, 'it redirects to nowhere');
        asked = redirected(asked, answer.status, current.url, next);
        current = await target(next.href);
      }
    },
  };
}

function opened(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = open({ host: address, port });
    const stop = () => socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** A resolver cannot be interrupted; whoever waits for it can. */
function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((done, fail) => {
    const stop = () => fail(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    work.then(done, fail).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Scheme, port and form of a URL; whether its origin is on the administrator's list. Errors: invalid_input. */
function parseTarget(text: string, allowed: readonly string[]): Target {
  const url = text.length > OUTBOUND_URL_LENGTH_MAX ? null : URL.parse(text);
  if (url === null) throw new BerthError('invalid_input', 'This is not a web address.');
  if (url.username !== '' || url.password !== '') {
    throw new BerthError('invalid_input', 'A web address with a user name or password inside is not accepted.');
  }
  const isAllowed = allowed.includes(url.origin);
  if (isAllowed && (url.protocol === 'https:' || url.protocol === 'http:')) return { url, isAllowed };
  if (url.protocol !== 'https:' || (url.port !== '' && url.port !== PORT)) {
    throw new BerthError(
      'invalid_input',
      'Only https:// addresses on the usual port are called. An administrator can allow this one (Limits, Addresses this server calls).',
    );
  }
  return { url, isAllowed };
}

/** The same words for what does not exist and what may not be reached: answers draw no map of the private network. */
function unreachable(hostname: string): BerthError {
  return new BerthError(
    'invalid_input',
    'This address cannot be called from here: the name does not exist or leads into a private network. An administrator can allow it (Limits, Addresses this server calls).',
    { detail: `refused to call ${hostname.slice(0, 253)}` },
  );
}

function failed(url: URL, why: string, cause?: unknown): BerthError {
  return new BerthError('upstream_failed', `${url.host} did not answer as it should: ${why}.`, { cause });
}

function outboundError(error: unknown, url: URL, timeout: AbortSignal): unknown {
  if (error instanceof BerthError) return error;
  if (timeout.aborted) return new BerthError('timeout', `${url.host} took too long to answer.`, { cause: error });
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return failed(url, 'its answer is too large', error);
  return failed(url, 'there is no connection, or it broke', error);
}

/** A connector that knows no other addresses than these, and looks at where it arrived. */
function pinned(addresses: readonly ResolvedAddress[]): buildConnector.connector {
  const give: LookupFunction = (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else if (first !== undefined) callback(null, first.address, first.family);
  };
  const connect = buildConnector({ lookup: give, timeout: CONNECT_TIMEOUT_MS, autoSelectFamily: true });
  return (options, callback) => {
    connect(options, (...result) => {
      const [error, socket] = result;
      if (
        error === null &&
        socket !== null &&
        !addresses.some(({ address }) => isSame(address, socket.remoteAddress))
      ) {
        socket.destroy();
        callback(new Error('the connection went elsewhere'), null);
        return;
      }
      callback(...result);
    });
  };
}

function isSame(expected: string, actual: string | undefined): boolean {
  if (actual === undefined) return false;
  const written = (address: string) => (isIP(address) === 6 ? new URL(`http://[${address}]/`).hostname : address);
  return written(expected) === written(actual);
}

/** What a redirect is asked with: a body and credentials never travel to another origin. Errors: upstream_failed. */
function redirected(init: OutboundInit, status: number, from: URL, to: URL): OutboundInit {
  const method = init.method ?? 'GET';
  const keeps = status === 307 || status === 308 || method === 'GET' || method === 'HEAD';
  const crosses = from.origin !== to.origin;
  if (keeps && crosses && method !== 'GET' && method !== 'HEAD') {
    throw failed(from, 'it redirects what was sent to another address');
  }
  const headers = plainHeaders(init.headers);
  for (const name of Object.keys(headers)) {
    const isCredential = name === 'authorization' || name === 'cookie' || name === 'proxy-authorization';
    if ((crosses && isCredential) || (!keeps && name.startsWith('content-'))) delete headers[name];
  }
  return keeps ? { ...init, headers } : { ...init, headers, method: 'GET', body: null };
}

function plainHeaders(headers: OutboundInit['headers']): Record<string, string> {
  return Object.fromEntries(new Headers(headers ?? {}));
}

function bodyBytes(body: string | Uint8Array | URLSearchParams): string | Uint8Array {
  return body instanceof URLSearchParams ? body.toString() : body;
}
