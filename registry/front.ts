/**
 * What guests talk to, on the gateway address of each of their networks: pulls by name and nothing else. Lists of what
 * others have pulled, uploads and deletions do not exist here.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { isDigest, type Pull, parsePull } from './layout.ts';
import type { Storage } from './storage.ts';
import { toldToGuests } from './upstream.ts';
import type { Usage } from './usage.ts';

const REQUESTS_MAX = 400;
const REQUESTS_PER_GUEST_MAX = 40;
const CONNECTIONS_MAX = 1_000;
const HEADERS_MS = 10_000;
const IDLE_MS = 120_000;
/** After this docker-registry is not waited for. */
const ANSWER_MS = 30_000;
/** How long a question waits while the disk is being swept. */
const HELD_MS_MAX = 30_000;
const BIND_AGAIN_MS = 2_000;
const PASSED = ['accept', 'range', 'if-none-match', 'if-modified-since', 'user-agent'];
const DROPPED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'location', 'www-authenticate', 'server']);

export type FrontParts = {
  socket: string;
  ready(): boolean;
  /** Straight from upstream, without the bytes that were sent already. */
  pass(pull: Pull, question: IncomingMessage, answer: ServerResponse, sent: number): Promise<void>;
  storage: Storage;
  usage: Usage;
};

export class Front {
  readonly #parts: FrontParts;
  readonly #servers = new Map<string, Server>();
  readonly #perGuest = new Map<string, number>();
  readonly #manifests = new Set<Promise<void>>();
  #requests = 0;
  #held: { promise: Promise<void>; release: () => void } | null = null;
  #closed = false;

  constructor(parts: FrontParts) {
    this.#parts = parts;
  }

  /** From now on exactly at these addresses. One that is not there yet is tried again. */
  listen(addresses: readonly string[], port: number): void {
    for (const [address, server] of this.#servers) {
      if (addresses.includes(address)) continue;
      this.#servers.delete(address);
      server.close();
      server.closeAllConnections();
    }
    for (const address of addresses) if (!this.#servers.has(address)) this.#open(address, port);
  }

  #open(address: string, port: number): void {
    const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: 0 }, (question, answer) =>
      this.#serve(question, answer),
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.setTimeout(IDLE_MS);
    server.on('error', () => {
      setTimeout(() => {
        if (!this.#closed && this.#servers.get(address) === server) this.#open(address, port);
      }, BIND_AGAIN_MS).unref();
    });
    this.#servers.set(address, server);
    server.listen(port, address);
  }

  /** Runs `work` while no question begins and no manifest is on its way. */
  async alone(work: () => Promise<void>): Promise<void> {
    const { promise, resolve: release } = Promise.withResolvers<void>();
    this.#held = { promise, release };
    try {
      await Promise.race([Promise.allSettled([...this.#manifests]), wait(HELD_MS_MAX / 2)]);
      await work();
    } finally {
      this.#held = null;
      release();
    }
  }

  close(): void {
    this.#closed = true;
    this.listen([], 0);
  }

  #serve(question: IncomingMessage, answer: ServerResponse): void {
    const guest = question.socket.remoteAddress ?? '';
    const mine = this.#perGuest.get(guest) ?? 0;
    if (this.#requests >= REQUESTS_MAX || mine >= REQUESTS_PER_GUEST_MAX) {
      refuse(answer, 503, 'TOOMANYREQUESTS', 'The cache is busy.');
      return;
    }
    this.#requests++;
    this.#perGuest.set(guest, mine + 1);
    answer.once('close', () => {
      this.#requests--;
      const left = (this.#perGuest.get(guest) ?? 1) - 1;
      if (left === 0) this.#perGuest.delete(guest);
      else this.#perGuest.set(guest, left);
    });
    void this.#answer(question, answer).catch(() => {
      if (answer.headersSent) answer.destroy();
      else refuse(answer, 502, 'UNAVAILABLE', 'The cache does not answer.');
    });
  }

  async #answer(question: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method } = question;
    const path = (question.url ?? '').split('?')[0] ?? '';
    if (method !== 'GET' && method !== 'HEAD') {
      return refuse(answer, 405, 'UNSUPPORTED', 'This is a cache: nothing can be put here or deleted.');
    }
    if (path === '/v2/' || path === '/v2') {
      answer.writeHead(200, { 'content-type': 'application/json', 'docker-distribution-api-version': 'registry/2.0' });
      answer.end('{}');
      return;
    }
    const pull = parsePull(path);
    if (pull === null) return refuse(answer, 404, 'UNSUPPORTED', 'Only pulls by name.');
    if (this.#held !== null) await Promise.race([this.#held.promise, wait(HELD_MS_MAX)]);
    const { storage, usage } = this.#parts;
    if (pull.kind === 'blobs' && method === 'GET' && question.headers.range === undefined) {
      usage.add(storage.has(pull.name, pull.reference) ? 'hits' : 'misses', 1);
    }
    const passing = this.#give(pull, question, answer);
    if (pull.kind === 'manifests') {
      this.#manifests.add(passing);
      void passing.catch(() => undefined).finally(() => this.#manifests.delete(passing));
    }
    await passing;
  }

  /** From docker-registry; what it does not give, or only half, comes from upstream past it. */
  async #give(pull: Pull, question: IncomingMessage, answer: ServerResponse): Promise<void> {
    const sent = await this.#ask(pull, question, answer);
    if (sent === 'all' || answer.destroyed) return;
    // What was sent of a manifest or of a part of a blob is not continued: that is asked for again.
    if (answer.headersSent && (pull.kind !== 'blobs' || question.headers.range !== undefined)) answer.destroy();
    else await this.#parts.pass(pull, question, answer, sent);
  }

  /** Asks docker-registry. Answers `all`, or how many bytes of an answer of 200 were sent before it broke off. */
  #ask(pull: Pull, question: IncomingMessage, answer: ServerResponse): Promise<'all' | number> {
    if (!this.#parts.ready()) return Promise.resolve(0);
    const { usage } = this.#parts;
    const headers = Object.fromEntries(
      PASSED.flatMap((name) => (question.headers[name] === undefined ? [] : [[name, question.headers[name]]])),
    );
    const path = `/v2/${pull.name}/${pull.kind}/${pull.reference}`;
    return new Promise((resolve) => {
      const inner = request(
        { socketPath: this.#parts.socket, path, method: question.method, headers: { ...headers, host: 'cache' } },
        (got) => {
          const status = got.statusCode ?? 502;
          if (status === 404 || status >= 500) {
            got.resume();
            got.on('error', () => undefined);
            return resolve(0);
          }
          inner.setTimeout(IDLE_MS);
          const digest = String(got.headers['docker-content-digest'] ?? '');
          if (status < 300 && pull.kind === 'manifests' && isDigest(digest)) usage.touch(pull.name, digest);
          const kept = Object.entries(got.headers).filter(([name]) => !DROPPED.has(name));
          answer.writeHead(toldToGuests(status), Object.fromEntries(kept) as never);
          let sent = 0;
          got.on('data', (chunk: Buffer) => {
            sent += chunk.length;
            usage.add('servedBytes', chunk.length);
          });
          got.on('error', () => {
            got.unpipe(answer);
            resolve(sent);
          });
          got.once('end', () => resolve('all'));
          got.pipe(answer);
          return undefined;
        },
      );
      inner.setTimeout(ANSWER_MS, () => inner.destroy(new Error('no answer')));
      inner.on('error', () => resolve(0));
      answer.once('close', () => {
        inner.destroy();
        resolve('all');
      });
      inner.end();
    });
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function refuse(answer: ServerResponse, status: number, code: string, message: string): void {
  answer.writeHead(status, { 'content-type': 'application/json', 'docker-distribution-api-version': 'registry/2.0' });
  answer.end(JSON.stringify({ errors: [{ code, message }] }));
}
