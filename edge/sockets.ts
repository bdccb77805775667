/** The WebSockets of the control plane: from the upgrade request to a bridge, or to a close code that says why not. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { z } from 'zod';
import { closeCodes, logsQuery, screenQuery, terminalQuery } from '#contract/edge.ts';
import { type Action, holdingMay } from '#domain/authz.ts';
import type { AgentClient } from './agent.ts';
import { identify, type Knowledge, peerAddress } from './callers.ts';
import { Doors, holdingOf, isRunning, shut } from './doors.ts';
import { followLogs } from './logs.ts';
import { bridgeScreen, type ScreenDeps } from './screen.ts';
import { Terminals } from './terminal.ts';

const FRAME_BYTES_MAX = 1024 * 1024;
const PATH = /^\/edge\/v1\/instances\/(ins_[0-9a-hjkmnp-tv-z]{26})\/(screen|terminal|logs)$/;
const actionOf = { screen: 'instance.open', terminal: 'instance.terminal', logs: 'instance.logs' } as const;

type Asked =
  | { kind: 'screen'; query: z.output<typeof screenQuery> }
  | { kind: 'terminal'; query: z.output<typeof terminalQuery> }
  | { kind: 'logs'; query: z.output<typeof logsQuery> };

const queryOf = { screen: screenQuery, terminal: terminalQuery, logs: logsQuery };

/** What the query asks for; null when it is not valid. */
function parse(kind: keyof typeof actionOf, query: Record<string, string>): Asked | null {
  const result = queryOf[kind].safeParse(query);
  return result.success ? ({ kind, query: result.data } as Asked) : null;
}

export type SocketsOptions = {
  knowledge: Knowledge;
  agent: AgentClient;
  screens: ScreenDeps;
  /** What browsers send as `Origin` when the page is the console's. */
  consoleOrigin: string;
};

export class Sockets {
  readonly #o: SocketsOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  });
  readonly #doors: Doors;
  readonly #terminals: Terminals;
  readonly #forget: () => void;

  constructor(options: SocketsOptions) {
    this.#o = options;
    this.#doors = new Doors(options.knowledge);
    this.#terminals = new Terminals(options.agent);
    const { state } = options.knowledge;
    this.#forget = state.onChange(() =>
      this.#terminals.sweep(({ userId, instanceId }) => {
        const instance = state.instance(instanceId);
        if (instance === undefined || !isRunning(instance) || state.user(userId) === undefined) return false;
        return holdingMay(holdingOf(options.knowledge, userId, instance), 'instance.terminal');
      }),
    );
  }

  get doors(): Doors {
    return this.#doors;
  }

  counts(): { connections: number; terminals: number } {
    return { connections: this.#doors.size, terminals: this.#terminals.size };
  }

  /** Handles an `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const match = PATH.exec(path);
    if (match === null) {
      refuse(socket, 404, 'not_found');
      return;
    }
    // A page of another site must not open sockets with the visitor's cookie. Programs send no Origin.
    const origin = request.headers.origin;
    if (origin !== undefined && origin !== this.#o.consoleOrigin) {
      refuse(socket, 403, 'forbidden_origin');
      return;
    }
    if (!this.#o.knowledge.state.mayEnterControl(peerAddress(request))) {
      refuse(socket, 403, 'forbidden');
      return;
    }
    const [, instanceId = '', kind = 'screen'] = match;
    const parsed = parse(kind as keyof typeof actionOf, Object.fromEntries(new URLSearchParams(query)));
    if (parsed === null) {
      refuse(socket, 400, 'invalid_input');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (peer) => {
      peer.on('error', () => {});
      // Nothing is read before it is decided who this is.
      peer.pause();
      this.#enter(peer, request, instanceId, parsed).catch(() => shut(peer, 1011, 'Something went wrong.'));
    });
  }

  async #enter(peer: WebSocket, request: IncomingMessage, instanceId: string, asked: Asked): Promise<void> {
    const action: Action = actionOf[asked.kind];
    const caller = await identify(this.#o.knowledge, request.headers);
    const refusal = await this.#doors.decide(caller, action, instanceId);
    if (refusal !== null || caller === undefined) {
      return shut(peer, refusal?.code ?? closeCodes.signedOut, refusal?.reason ?? 'Sign in again.');
    }
    if (peer.readyState !== peer.OPEN || !this.#doors.enter(peer, caller, action, instanceId, peerAddress(request)))
      return;
    if (asked.kind === 'screen') {
      const serving = bridgeScreen(this.#o.screens, peer, instanceId, asked.query.view_only === '1');
      peer.resume();
      await serving;
    } else if (asked.kind === 'terminal') {
      const { session, user, cols, rows } = asked.query;
      this.#terminals.attach(peer, { session, userId: caller.userId, instanceId, as: user, cols, rows });
      peer.resume();
    } else {
      followLogs(this.#o.agent, peer, instanceId, asked.query);
      peer.resume();
    }
  }

  stop(): void {
    this.#forget();
    this.#doors.stop();
    this.#terminals.stop();
    this.#server.close();
  }
}

/** Answers an upgrade request with plain HTTP and ends it. */
function refuse(socket: Duplex, status: number, code: string): void {
  const body = JSON.stringify({ code, status });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
