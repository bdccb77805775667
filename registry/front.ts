/**
 * What guests talk to, on the gateway address of each of their networks: pulls by name and nothing else. Lists of what
 * others have pulled, uploads and deletions do not exist here.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { isDigest, parsePull } from './layout.ts';
import type { Storage } from './storage.ts';
import type { Usage } from './usage.ts';

const REQUESTS_MAX = 400;
const REQUESTS_PER_GUEST_MAX = 40;
const CONNECTIONS_MAX = 1_000;
const HEADERS_MS = 10_000;
const IDLE_MS = 120_000;
/** How long a question waits while the disk is being swept. */
const HELD_MS_MAX = 30_000;
const BIND_AGAIN_MS = 2_000;
const PASSED = ['accept', 'range', 'if-none-match', 'if-modified-since', 'user-agent'];
const DROPPED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'location', 'www-authenticate', 'server']);

export type FrontParts = {
  socket: string;
  ready(): boolean;
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
    if (!this.#parts.ready()) return refuse(answer, 503, 'UNAVAILABLE', 'The cache is starting.');
    const { storage, usage } = this.#parts;
    if (pull.kind === 'blobs' && method === 'GET' && question.headers.range === undefined) {
      usage.add(storage.has(pull.name, pull.reference) ? 'hits' : 'misses', 1);
    }
    const passing = this.#pass(question, answer, `/v2/${pull.name}/${pull.kind}/${pull.reference}`, (headers) => {
      if (pull.kind !== 'manifests') return;
      const digest = String(headers['docker-content-digest'] ?? '');
      if (isDigest(digest)) usage.touch(pull.name, digest);
    });
    if (pull.kind === 'manifests') {
      this.#manifests.add(passing);
      void passing.catch(() => undefined).finally(() => this.#manifests.delete(passing));
    }
    await passing;
  }

  #pass(
    question: IncomingMessage,
    answer: ServerResponse,
    path: string,
    found: (headers: IncomingMessage['headers']) => void,
  ): Promise<void> {
    const headers = Object.fromEntries(
      PASSED.flatMap((name) => (question.headers[name] === undefined ? [] : [[name, question.headers[name]]])),
    );
    return new Promise((resolve, reject) => {
      const inner = request(
        { socketPath: this.#parts.socket, path, method: question.method, headers: { ...headers, host: 'cache' } },
        (got) => {
          const status = got.statusCode ?? 502;
          if (status < 300) found(got.headers);
          const kept = Object.entries(got.headers).filter(([name]) => !DROPPED.has(name));
          // Docker would take 401 for a wish to see a password of its own; not to be had here means "ask upstream".
          answer.writeHead(status === 401 || status === 403 ? 404 : status, Object.fromEntries(kept) as never);
          got.on('data', (chunk: Buffer) => this.#parts.usage.add('servedBytes', chunk.length));
          pipeline(got, answer, (error) => (error ? reject(error) : resolve()));
        },
      );
      inner.setTimeout(IDLE_MS, () => inner.destroy(new Error('no answer')));
      inner.once('error', reject);
      answer.once('close', () => inner.destroy());
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
