/**
 * What docker-registry takes for its upstream: a door on loopback that only it can open (a token made at every start) and
 * that hands its questions on to the real one. Here passwords are added, limits are read off, bytes are counted, and what
 * finds no room is refused. docker-registry asks twice at the same moment for each new blob (once for the caller, once
 * for its disk): both get the bytes of one answer. It starts while upstream is away, which docker-registry alone cannot.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RegistryFacts, RegistrySpec } from '#contract/registry-process.ts';
import { BerthError } from '#domain/errors.ts';
import { parseUpstreamLimit } from '#domain/registry.ts';
import { type Answer, WayOut } from './guarded.ts';
import { type Pull, parsePull } from './layout.ts';
import { UpstreamLogin } from './login.ts';

/** Within this time a second question for the same blob joins the first. */
const JOIN_MS = 40;
/** After upstream was not reached nobody waits for it for so long. */
const AWAY_MS = 15_000;
const NOT_REACHED = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT'],
]);
const CALLS_MAX = 200;
/** What is handed on of answers and questions. */
const ANSWERED = ['content-type', 'content-length', 'docker-content-digest', 'etag', 'content-range', 'accept-ranges'];
const ASKED = ['accept', 'range', 'if-none-match'];

export type UpstreamParts = {
  spec: Pick<RegistrySpec, 'upstream' | 'login' | 'caCertificate'>;
  fetched(bytes: number): void;
  /** To a guest, past docker-registry. */
  passed(bytes: number): void;
  /** Makes room for a blob before it comes; false: there is none. `release` once it is stored or lost. */
  reserve(digest: string, bytes: number): Promise<boolean>;
  release(digest: string): void;
};

type Flight = { readers: ServerResponse[]; started: boolean };

export class Upstream {
  readonly secret = randomBytes(32).toString('hex');
  readonly username = 'berth';
  readonly #parts: UpstreamParts;
  readonly #out: WayOut;
  readonly #login: UpstreamLogin;
  readonly #server: Server;
  readonly #flights = new Map<string, Flight>();
  #awayUntil = 0;
  #calls = 0;
  problem: string | null = null;
  limit: RegistryFacts['limit'] = null;

  constructor(parts: UpstreamParts) {
    this.#parts = parts;
    this.#out = new WayOut(parts.spec.upstream, parts.spec.caCertificate);
    this.#login = new UpstreamLogin(this.#out, parts.spec.login);
    this.#server = createServer((question, answer) => {
      void this.#serve(question, answer).catch((error: unknown) => {
        this.#failed(error);
        if (answer.headersSent) answer.destroy();
        else refuse(answer, 502);
      });
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#out.close();
  }

  async #serve(question: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = (question.url ?? '').split('?')[0] ?? '';
    if (path === '/token') return this.#token(question, answer);
    if (!same(question.headers.authorization, `Bearer ${this.secret}`)) {
      refuse(answer, 401, { 'www-authenticate': `Bearer realm="${this.url}/token",service="berth"` });
      return;
    }
    if (path === '/v2/') return void json(answer, {});
    const pull = parsePull(path);
    const { method } = question;
    if (pull === null || (method !== 'GET' && method !== 'HEAD')) return refuse(answer, 404);
    if (Date.now() < this.#awayUntil) return refuse(answer, 502);
    if (this.#calls >= CALLS_MAX) return refuse(answer, 503);
    if (pull.kind === 'blobs' && method === 'GET' && question.headers.range === undefined) {
      return this.#blob(pull, question, answer);
    }
    await this.#handOn(pull, method, question, [answer]);
  }

  /** docker-registry proves itself with the password it was started with and gets the token. */
  #token(question: IncomingMessage, answer: ServerResponse): void {
    const expected = `Basic ${Buffer.from(`${this.username}:${this.secret}`).toString('base64')}`;
    if (!same(question.headers.authorization, expected)) refuse(answer, 401);
    else json(answer, { token: this.secret, access_token: this.secret, expires_in: 86_400, issued_at: new Date() });
  }

  async #blob(pull: Pull, question: IncomingMessage, answer: ServerResponse): Promise<void> {
    const flight = this.#flights.get(pull.reference);
    if (flight !== undefined && !flight.started) {
      flight.readers.push(answer);
      return;
    }
    const own: Flight = { readers: [answer], started: false };
    this.#flights.set(pull.reference, own);
    await new Promise((resolve) => setTimeout(resolve, JOIN_MS));
    try {
      await this.#handOn(pull, 'GET', question, own.readers, () => {
        own.started = true;
      });
    } catch (error) {
      this.#failed(error);
      for (const reader of own.readers) {
        if (reader.headersSent) reader.destroy();
        else refuse(reader, 502);
      }
    } finally {
      own.started = true;
      if (this.#flights.get(pull.reference) === own) this.#flights.delete(pull.reference);
    }
  }

  /**
   * Hands a question of a guest on past docker-registry and keeps nothing. `sent`: so many bytes of the answer have
   * arrived already, and only the rest is asked for. Errors: unavailable, and what the way there says.
   */
  async pass(pull: Pull, question: IncomingMessage, answer: ServerResponse, sent: number): Promise<void> {
    if (Date.now() < this.#awayUntil || this.#calls >= CALLS_MAX) {
      throw new BerthError('unavailable', 'Upstream is not asked now.');
    }
    const gone = new AbortController();
    answer.once('close', () => gone.abort());
    this.#calls++;
    try {
      const headers = sent === 0 ? question.headers : { ...question.headers, range: `bytes=${sent}-` };
      const got = await this.#ask(pull, question.method === 'HEAD' ? 'HEAD' : 'GET', headers, gone.signal);
      if (pull.kind === 'manifests') this.#readLimit(got);
      if (sent === 0) answer.writeHead(toldToGuests(got.status), handedOn(got));
      else if (got.status !== 206 || got.headers['content-range']?.startsWith(`bytes ${sent}-`) !== true) {
        gone.abort();
        throw new BerthError('upstream_failed', 'Upstream does not give the rest of a blob.');
      }
      for await (const chunk of got.body) {
        this.#parts.fetched((chunk as Buffer).length);
        this.#parts.passed((chunk as Buffer).length);
        await write(answer, chunk as Buffer);
      }
      answer.end();
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      this.#calls--;
    }
  }

  async #handOn(
    pull: Pull,
    method: 'GET' | 'HEAD',
    question: IncomingMessage,
    readers: readonly ServerResponse[],
    started: () => void = () => undefined,
  ): Promise<void> {
    const gone = new AbortController();
    const left = (): void => {
      if (readers.every((reader) => reader.destroyed || reader.writableEnded)) gone.abort();
    };
    for (const reader of readers) reader.once('close', left);
    this.#calls++;
    try {
      const got = await this.#ask(pull, method, question.headers, gone.signal);
      if (pull.kind === 'manifests') this.#readLimit(got);
      const headers = handedOn(got);
      const bytes = Number(got.headers['content-length'] ?? 0);
      const isBlob = pull.kind === 'blobs' && method === 'GET' && got.status === 200;
      if (isBlob && !(await this.#parts.reserve(pull.reference, bytes))) {
        gone.abort();
        started();
        for (const reader of readers) refuse(reader, 503);
        return;
      }
      try {
        started();
        for (const reader of readers) reader.writeHead(got.status, headers);
        for await (const chunk of got.body) {
          this.#parts.fetched((chunk as Buffer).length);
          await Promise.all(readers.map((reader) => write(reader, chunk as Buffer)));
        }
        for (const reader of readers) reader.end();
      } finally {
        if (isBlob) this.#parts.release(pull.reference);
      }
    } finally {
      this.#calls--;
    }
  }

  /** Asks upstream, and once more with what it wants to see. */
  async #ask(
    pull: Pull,
    method: 'GET' | 'HEAD',
    wishes: IncomingMessage['headers'],
    signal: AbortSignal,
  ): Promise<Answer> {
    const url = new URL(`/v2/${pull.name}/${pull.kind}/${pull.reference}`, this.#out.home);
    const asked = Object.fromEntries(
      ASKED.flatMap((name) => {
        const value = wishes[name];
        return value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]];
      }),
    );
    const ask = (): Promise<Answer> =>
      this.#out.call(url, { method, headers: { ...asked, ...this.#login.header(pull.name) }, signal });
    const first = await ask();
    this.#awayUntil = 0;
    const again = first.status === 401 && (await this.#login.answer(pull.name, first, signal));
    if (!again) {
      this.problem =
        first.status === 401 && this.#parts.spec.login !== null
          ? 'Upstream does not take this user and password.'
          : first.status >= 500
            ? `Upstream answers ${first.status}.`
            : null;
      return first;
    }
    await first.body.dump();
    const second = await ask();
    this.problem =
      second.status === 401 && this.#parts.spec.login !== null
        ? 'Upstream does not take this user and password.'
        : null;
    return second;
  }

  #readLimit({ status, headers }: Answer): void {
    const seen = parseUpstreamLimit(headers['ratelimit-limit'], headers['ratelimit-remaining']);
    const at = new Date().toISOString();
    if (seen !== null) this.limit = { ...seen, at };
    else if (status === 429 && this.limit !== null) this.limit = { ...this.limit, remaining: 0, at };
    if (status === 429) this.problem = 'Upstream lets nothing more through for now: its limit is reached.';
  }

  #failed(error: unknown): void {
    const code = (error as { code?: string }).code ?? '';
    // Somebody went away in the middle: that says nothing of upstream.
    if (code === 'UND_ERR_ABORTED' || (error as Error).name === 'AbortError') return;
    this.problem = `Upstream is not reached: ${error instanceof Error ? error.message : String(error)}`.slice(0, 300);
    // One that broke off in the middle of an answer is there.
    if (NOT_REACHED.has(code)) this.#awayUntil = Date.now() + AWAY_MS;
  }
}

function handedOn({ headers }: Answer): Record<string, string> {
  return Object.fromEntries(ANSWERED.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}

/** Docker would take 401 for a wish to see a password of its own; not to be had here means "ask upstream". */
export function toldToGuests(status: number): number {
  return status === 401 || status === 403 ? 404 : status;
}

function same(given: string | undefined, expected: string): boolean {
  const a = Buffer.from(given ?? '');
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Waits for a slow reader; forgets one that has gone. */
async function write(reader: ServerResponse, chunk: Buffer): Promise<void> {
  if (reader.destroyed || reader.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      reader.off('drain', done);
      reader.off('close', done);
      resolve();
    };
    reader.on('drain', done);
    reader.on('close', done);
  });
}

function json(answer: ServerResponse, value: unknown): void {
  answer.writeHead(200, { 'content-type': 'application/json', 'docker-distribution-api-version': 'registry/2.0' });
  answer.end(JSON.stringify(value));
}

function refuse(answer: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  answer.writeHead(status, { 'docker-distribution-api-version': 'registry/2.0', ...headers });
  answer.end();
}
