/** SSH on connections that were taken in: the same in the gateway's own process and in a worker of it. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { ClientInfo, Connection, Server } from 'ssh2';
import { makeId } from '#domain/ids.ts';
import { SSH_KEEPALIVE_SECONDS } from '#domain/ssh.ts';
import { algorithms } from './algorithms.ts';
import { type ConnectionParts, SshConnection } from './connection.ts';
import { EdgeClient } from './edge-client.ts';
import { announceHostKeys, HostKeys } from './host-keys.ts';
import { type Counted, Reports } from './reports.ts';
import { SignIn } from './sign-in.ts';
import { ssh2 } from './ssh2.ts';
import { blockOf, type Stage } from './waiting-room.ts';

const KEEPALIVE_MISSED_MAX = 3;
const IDENTIFICATION = 'Berth';
const END_MS_MAX = 1_000;
const SETTLE_MS = 100;

export type GatewayLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};
export type SessionOptions = {
  /** Files of private keys in OpenSSH's or PKCS 8 form. */
  hostKeyFiles: readonly string[];
  nextHostKeyFile: string | null;
  edgeSocket: string;
  serverSocket: string;
  reportSocket: string;
  consoleOrigin: string;
  /** Folder of recordings. */
  recordings: string;
  log: GatewayLog;
  /** Of servers; another one only in tests. */
  upstreamPort?: number;
};

/** What becomes of a connection: how far it has come, that somebody is in, that it is over. */
export type Progress = Stage | 'in' | 'over';
type Taken = { socket: Socket; address: string; tell: (progress: Progress) => void };

export class Sessions {
  readonly #o: SessionOptions;
  readonly #keys: HostKeys;
  readonly #parts: ConnectionParts;
  readonly #reports: Reports;
  readonly #live = new Set<SshConnection>();
  readonly #taken = new Map<string, Taken>();
  #server: Server;

  /** Errors: host keys that cannot be read. */
  constructor(options: SessionOptions) {
    this.#o = options;
    this.#keys = new HostKeys(options.hostKeyFiles, options.nextHostKeyFile);
    this.#reports = new Reports(options.reportSocket, options.log, () => this.counted());
    const now = () => new Date();
    this.#parts = {
      edge: new EdgeClient(options.edgeSocket),
      signIn: new SignIn({ socket: options.serverSocket, consoleOrigin: options.consoleOrigin }),
      reports: this.#reports,
      recorder: { folder: options.recordings, reports: this.#reports, now },
      log: options.log,
      now,
      upstreamPort: options.upstreamPort,
    };
    this.#server = this.#makeServer();
  }

  /** Everybody who is in. */
  counted(): Counted[] {
    return [...this.#live].flatMap((connection) => connection.counted ?? []);
  }

  /** Speaks SSH on it. `tell` hears of it until it is over. */
  take(socket: Socket, tell: (progress: Progress) => void): void {
    const address = socket.remoteAddress ?? '';
    const name = `${address} ${socket.remotePort}`;
    this.#taken.set(name, { socket, address, tell });
    socket.once('close', () => {
      this.#taken.delete(name);
      tell('over');
    });
    socket.on('error', () => socket.destroy());
    // Who is in goes on with the keys it knows.
    if (this.#keys.look()) {
      this.#o.log.info({ announced: this.#keys.announced.length }, 'host keys have changed');
      this.#server = this.#makeServer();
    }
    this.#server.injectSocket(socket);
  }

  #makeServer(): Server {
    return new ssh2.Server(
      {
        hostKeys: this.#keys.texts,
        ident: IDENTIFICATION,
        algorithms: { ...algorithms, kex: [...algorithms.kex] } as never,
        keepaliveInterval: SSH_KEEPALIVE_SECONDS * 1000,
        keepaliveCountMax: KEEPALIVE_MISSED_MAX,
      },
      (down, info) => this.#begin(down, info),
    );
  }

  #begin(down: Connection, info: ClientInfo): void {
    const taken = this.#taken.get(`${info.ip} ${info.port}`);
    if (taken === undefined) {
      down.end();
      return;
    }
    const { socket, tell } = taken;
    tell('speaks');
    const session = makeId('shs', Date.now(), randomBytes);
    const program = info.header.versions.software;
    const connection = new SshConnection(down, socket, { session, address: plain(info.ip), program }, this.#parts, {
      handshake: () => tell('agreed'),
      signedIn: () => {
        tell('in');
        announceHostKeys(down, this.#keys.announced);
      },
    });
    this.#live.add(connection);
    socket.once('close', () => this.#live.delete(connection));
  }

  /** Ends everybody, with a word. */
  async stop(): Promise<void> {
    for (const connection of this.#live) connection.end('Berth is restarting.');
    const until = Date.now() + END_MS_MAX;
    while (this.#live.size > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const { socket } of this.#taken.values()) socket.destroy();
    // Recordings that have just ended close their files first.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await this.#reports.stop();
  }
}

function plain(address: string): string {
  return address.includes('.') ? blockOf(address) : address;
}
