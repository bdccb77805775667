/**
 * The way of WebSockets and event streams to an instance's private route. Everything else Caddy brings to the instance
 * itself, and then nobody but those two can end it. These go through edge, which passes bytes, knows who opened each,
 * and cuts it within a second when that person may no longer open the instance (the arithmetic of screens) or when the
 * route is gone.
 *
 * Only Caddy can open the socket, and each connection needs a pass that edge gave out for it a moment ago.
 */
import {
  type ClientRequest,
  createServer,
  request as dial,
  type IncomingMessage,
  type Server,
  ServerResponse,
} from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { closeCodes } from '#contract/edge.ts';
import { hostnameOf, toldOf } from './authorize.ts';
import { UPSTREAM_HEADERS } from './caddy-parts.ts';
import type { Knowledge } from './callers.ts';
import { type Doors, holdingOf } from './doors.ts';
import type { Answer } from './pages.ts';
import * as refusals from './refusals.ts';
import { OneTimeCodes } from './route-pass.ts';
import { mayComeFrom } from './route-rules.ts';
import type { Caller } from './state.ts';
import { type Refusal, Watch, type Watched } from './watch.ts';

export const BRIDGED_MAX = 4_000;
export const BRIDGED_PER_USER_MAX = 100;
export const BRIDGED_PER_INSTANCE_MAX = 500;
/** Nothing in either direction for so long: it ends, and whoever is still there opens it again. */
export const BRIDGED_IDLE_MINUTES = 60;
/** From Caddy's question to its dial, with room for a busy machine. */
const PASS_SECONDS = 10;
/** As Caddy's own to instances. */
const DIAL_MS_MAX = 4_000;
const KEEP_ALIVE_PROBE_MS = 60_000;
const HEADER_BYTES_MAX = 128 * 1024;
const HEADERS_MS_MAX = 15_000;

/** What was allowed: who, to which address, by which route; `role` is what the instance is told. */
export type Ticket = {
  caller: Caller;
  role: string;
  hostname: string;
  routeId: string;
  instanceId: string;
  address: string;
  port: number;
  /** The address it was opened from. */
  client: string;
};

/** Between two parties only (RFC 9110, 7.6.1); what is passed on is framed anew. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
]);
const PASS_HEADER = UPSTREAM_HEADERS.bridge.toLowerCase();

/** The headers to pass on, as flat pairs, in order and spelling. */
function passedOn(rawHeaders: readonly string[], connection: string | undefined): string[] {
  const named = new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const headers: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || named.has(name) || name === PASS_HEADER) continue;
    headers.push(rawHeaders[at]!, rawHeaders[at + 1]!);
  }
  return headers;
}

/** Why a dial failed, in the words that Caddy has for it. */
function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'connection refused';
  if (error.code === 'ETIMEDOUT') return 'timeout';
  if (error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH') return 'unreachable';
  return error.message;
}

function send(response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(answer.body);
}

export type BridgeOptions = {
  knowledge: Knowledge;
  doors: Doors;
  random(): string;
  /** Tests do not wait an hour. */
  idleMs?: number;
};

export class Bridge {
  readonly server: Server;
  readonly #o: BridgeOptions;
  readonly #passes: OneTimeCodes<Ticket>;
  readonly #watch: Watch<Watched>;

  constructor(options: BridgeOptions) {
    this.#o = options;
    this.#passes = new OneTimeCodes(options.random, PASS_SECONDS);
    this.#watch = new Watch(options.knowledge, {
      whole: BRIDGED_MAX,
      perUser: BRIDGED_PER_USER_MAX,
      perInstance: BRIDGED_PER_INSTANCE_MAX,
    });
    this.server = createServer({
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      // Bodies come as slowly as their senders like; a connection on which nothing happens ends by itself.
      requestTimeout: 0,
      keepAlive: false,
    });
    this.server.on('request', (request, response) => this.#serve(request, response));
    this.server.on('upgrade', (request, socket, head) => this.#serveUpgrade(request, socket, head));
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  get size(): number {
    return this.#watch.size;
  }

  /** The pass for one connection. */
  admit(ticket: Ticket): string {
    return this.#passes.issue(ticket, this.#o.knowledge.now());
  }

  /** Why the connection has to end (or may not begin); null when it may go on. */
  #refusal(ticket: Ticket): Refusal | null {
    const { knowledge, doors } = this.#o;
    const { state } = knowledge;
    const refusal = doors.refusal(ticket.caller, 'instance.open', ticket.instanceId);
    if (refusal !== null) return refusal;
    const route = state.routeById(ticket.routeId);
    const instance = state.instance(ticket.instanceId);
    const same =
      route !== undefined &&
      instance !== undefined &&
      route.hostname === ticket.hostname &&
      mayComeFrom(route, ticket.client) &&
      route.enabled &&
      route.target === 'port' &&
      route.instanceId === instance.id &&
      route.port === ticket.port &&
      instance.address4 === ticket.address;
    if (!same) return { code: closeCodes.forbidden, reason: 'This address is gone or leads elsewhere now.' };
    // The instance would go on believing the role it was told when this began.
    const { role } = toldOf(state, ticket.caller, holdingOf(knowledge, ticket.caller.userId, instance));
    return role === ticket.role ? null : { code: closeCodes.forbidden, reason: 'Your role here has changed.' };
  }

  /** Takes the pass and a place; answers what to say when there is none. */
  #enter(request: IncomingMessage, cut: Watched['cut']): { ticket: Ticket; leave: () => void } | Answer {
    const accept = request.headers.accept ?? '';
    const pass = request.headers[PASS_HEADER];
    const ticket = typeof pass === 'string' ? this.#passes.take(pass, this.#o.knowledge.now()) : undefined;
    if (ticket === undefined || hostnameOf(request.headers.host ?? '') !== ticket.hostname) {
      return refusals.noPass(accept);
    }
    const refusal = this.#refusal(ticket);
    if (refusal !== null) return refusals.ended(accept, refusal.reason);
    const entry: Watched = {
      caller: ticket.caller,
      instanceId: ticket.instanceId,
      refusal: () => this.#refusal(ticket),
      cut,
    };
    if (!this.#watch.enter(entry)) return refusals.tooManyOpen(accept);
    return { ticket, leave: () => this.#watch.leave(entry) };
  }

  /** Dials the instance with what the client sent; the caller brings the body and takes the answer. */
  #dial(request: IncomingMessage, { address, port }: Ticket, more: readonly string[]): ClientRequest {
    const upstream = dial({
      host: address,
      port,
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: [...passedOn(request.rawHeaders, request.headers.connection), ...more],
      setHost: false,
      agent: false,
      maxHeaderSize: HEADER_BYTES_MAX,
    });
    const late = setTimeout(() => upstream.destroy(errno('ETIMEDOUT')), DIAL_MS_MAX);
    upstream.on('socket', (socket) => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
      socket.setTimeout(this.#o.idleMs ?? BRIDGED_IDLE_MINUTES * 60_000, () => socket.destroy());
      socket.once('connect', () => clearTimeout(late));
    });
    upstream.on('close', () => clearTimeout(late));
    return upstream;
  }

  #unreachable(request: IncomingMessage, ticket: Ticket, error: Error): Answer {
    const name = this.#o.knowledge.state.instance(ticket.instanceId)?.name ?? 'It';
    return refusals.unreachable(request.headers.accept ?? '', name, ticket.port, reasonOf(error));
  }

  /** The instance's answer, as it comes. */
  #relay(answer: IncomingMessage, response: ServerResponse): void {
    response.sendDate = false;
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage ?? '',
      passedOn(answer.rawHeaders, answer.headers.connection),
    );
    response.flushHeaders();
    // An answer that ends too early must not look like a whole one.
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const accept = request.headers.accept ?? '';
    let upstream: ClientRequest | undefined;
    const entered = this.#enter(request, ({ reason }) => {
      upstream?.destroy();
      send(response, refusals.ended(accept, reason));
    });
    if ('status' in entered) {
      send(response, entered);
      return;
    }
    const { ticket, leave } = entered;
    const framed = request.headers['transfer-encoding'] !== undefined;
    upstream = this.#dial(request, ticket, framed ? ['Transfer-Encoding', 'chunked'] : []);
    response.on('close', () => {
      leave();
      upstream.destroy();
    });
    request.on('error', () => upstream.destroy());
    upstream.on('response', (answer) => this.#relay(answer, response));
    upstream.on('error', (error) => send(response, this.#unreachable(request, ticket, error)));
    request.pipe(upstream);
  }

  #serveUpgrade(request: IncomingMessage, client: Duplex, head: Buffer): void {
    client.on('error', () => client.destroy());
    if (!(client instanceof Socket)) {
      client.destroy();
      return;
    }
    const accept = request.headers.accept ?? '';
    let upstream: ClientRequest | undefined;
    let passing = false;
    /** For every answer but the switch of protocols. */
    const plainly = (give: (response: ServerResponse) => void): void => {
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(client);
      response.on('finish', () => client.end());
      give(response);
    };
    let answered = false;
    const refuse = (answer: Answer): void => {
      if (answered) {
        client.destroy();
        return;
      }
      answered = true;
      plainly((response) => send(response, answer));
    };
    const entered = this.#enter(request, ({ reason }) => {
      upstream?.destroy();
      if (passing) client.destroy();
      else refuse(refusals.ended(accept, reason));
    });
    if ('status' in entered) {
      refuse(entered);
      return;
    }
    const { ticket, leave } = entered;
    const length = request.headers['content-length'];
    if (request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
      leave();
      refuse(refusals.bodyOfUpgrade(accept));
      return;
    }
    upstream = this.#dial(request, ticket, ['Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? '']);
    client.on('close', () => {
      leave();
      upstream.destroy();
    });
    upstream.on('error', (error) => refuse(this.#unreachable(request, ticket, error)));
    upstream.on('response', (answer) => {
      answered = true;
      plainly((response) => this.#relay(answer, response));
    });
    upstream.on('upgrade', (answer, instance, instanceHead) => {
      answered = true;
      passing = true;
      pass(answer, instance, instanceHead, client, head);
    });
    upstream.end();
  }

  /** Cuts what is open and takes nothing more. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.#watch.stop({ code: 1001, reason: 'Berth is restarting.' });
    this.server.closeAllConnections();
    await closed;
  }
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

/** Bytes both ways until either end closes; whoever reads slowly slows the other down. */
function pass(answer: IncomingMessage, instance: Duplex, instanceHead: Buffer, client: Socket, head: Buffer): void {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    lines.push(`${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}`);
  }
  client.setNoDelay(true);
  client.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (instanceHead.length > 0) client.write(instanceHead);
  if (head.length > 0) instance.write(head);
  instance.on('error', () => instance.destroy());
  instance.on('close', () => client.destroy());
  client.on('close', () => instance.destroy());
  instance.pipe(client);
  client.pipe(instance);
}
