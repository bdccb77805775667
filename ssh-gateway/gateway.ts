/** The listener: takes connections in, bounds those that nobody has signed in on, and knows all that live. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { makeId } from '#domain/ids.ts';
import { SSH_KEEPALIVE_SECONDS } from '#domain/ssh.ts';
import { algorithms } from './algorithms.ts';
import { type ConnectionParts, SshConnection } from './connection.ts';
import { EdgeClient } from './edge-client.ts';
import { Reports } from './reports.ts';
import { SignIn } from './sign-in.ts';
import { blockOf, WaitingRoom } from './waiting-room.ts';

const KEEPALIVE_MISSED_MAX = 3;
const IDENTIFICATION = 'Berth';
const END_MS_MAX = 1_000;

export type GatewayLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};
export type GatewayOptions = {
  listen: { host?: string | undefined; port: number };
  /** Private keys in OpenSSH's or PKCS 8 form. */
  hostKeys: string[];
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
export type Gateway = { port: number; counts(): { waiting: number; sessions: number }; stop(): Promise<void> };

/** Errors: those of listening, and host keys that cannot be read. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { log } = options;
  const room = new WaitingRoom();
  const live = new Set<SshConnection>();
  const sockets = new Map<string, Socket>();
  const counted = () => [...live].flatMap((connection) => connection.counted ?? []);
  const reports = new Reports(options.reportSocket, log, counted);
  const now = () => new Date();
  const parts: ConnectionParts = {
    edge: new EdgeClient(options.edgeSocket),
    signIn: new SignIn({ socket: options.serverSocket, consoleOrigin: options.consoleOrigin }),
    reports,
    recorder: { folder: options.recordings, reports, now },
    log,
    now,
    upstreamPort: options.upstreamPort,
  };
  const ssh = new ssh2.Server(
    {
      hostKeys: options.hostKeys,
      ident: IDENTIFICATION,
      algorithms: { ...algorithms, kex: [...algorithms.kex] } as never,
      keepaliveInterval: SSH_KEEPALIVE_SECONDS * 1000,
      keepaliveCountMax: KEEPALIVE_MISSED_MAX,
    },
    (down, info) => {
      const socket = sockets.get(`${info.ip} ${info.port}`);
      if (socket === undefined) return void down.end();
      const session = makeId('shs', Date.now(), randomBytes);
      const program = info.header.versions.software;
      const connection = new SshConnection(down, socket, { session, address: plain(info.ip), program }, parts, () =>
        room.leave(socket, info.ip),
      );
      live.add(connection);
      socket.once('close', () => live.delete(connection));
    },
  );
  const server: Server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    const address = socket.remoteAddress ?? '';
    const name = `${address} ${socket.remotePort}`;
    sockets.set(name, socket);
    room.enter(socket, address);
    socket.once('close', () => {
      room.leave(socket, address);
      sockets.delete(name);
    });
    socket.on('error', () => socket.destroy());
    ssh.injectSocket(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen, resolve);
  });
  const { port } = server.address() as { port: number };
  log.info({ port }, 'listening');
  return {
    port,
    counts: () => ({ waiting: room.size, sessions: counted().length }),
    stop: async () => {
      server.close();
      for (const connection of live) connection.end('Berth is restarting.');
      const until = Date.now() + END_MS_MAX;
      while (live.size > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const socket of sockets.values()) socket.destroy();
      await parts.reports.stop();
    },
  };
}

function plain(address: string): string {
  return address.includes('.') ? blockOf(address) : address;
}
