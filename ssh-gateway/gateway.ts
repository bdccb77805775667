/**
 * The listener: takes connections in, and bounds those that nobody has signed in on, over all of them. SSH itself is
 * spoken in this process, or by workers when there are to be several.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Progress, type SessionOptions, Sessions } from './sessions.ts';
import { WaitingRoom } from './waiting-room.ts';
import { type WorkerStart, Workers } from './workers.ts';

export type GatewayOptions = SessionOptions & {
  listen: { host?: string | undefined; port: number };
  /** How to start workers; null: there are none, all is done here. */
  workers: { count: number; start: WorkerStart } | null;
};
export type Gateway = {
  port: number;
  counts(): { waiting: number; sessions: number; workers: number };
  stop(): Promise<void>;
};

/** Who speaks SSH on what the listener takes in. */
type Taker = {
  /** What is returned closes it. */
  take(socket: Socket, tell: (progress: Progress) => void): { destroy(): unknown };
  sessions(): number;
  workers(): number;
  stop(): Promise<void>;
};

function here(options: SessionOptions): Taker {
  const sessions = new Sessions(options);
  return {
    take: (socket, tell) => {
      sessions.take(socket, tell);
      return socket;
    },
    sessions: () => sessions.counted().length,
    workers: () => 0,
    stop: () => sessions.stop(),
  };
}

/** Errors: those of listening, and host keys that cannot be read. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { log, workers } = options;
  const room = new WaitingRoom();
  const taker: Taker = workers === null ? here(options) : await Workers.start({ ...options, ...workers });
  // Paused: a connection goes to a worker before a byte of it is read.
  const server: Server = createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) => {
    const address = socket.remoteAddress ?? '';
    let isOver = false;
    const waiting = {
      destroy: () => {
        isOver = true;
        connection?.destroy();
      },
    };
    let connection: { destroy(): unknown } | null = null;
    room.enter(waiting, address);
    connection = taker.take(socket, (progress) => {
      if (progress === 'in' || progress === 'over') room.leave(waiting, address);
      else room.advance(waiting, address, progress);
    });
    if (isOver) connection.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen, resolve);
  });
  const { port } = server.address() as { port: number };
  log.info({ port }, 'listening');
  return {
    port,
    counts: () => ({ waiting: room.size, sessions: taker.sessions(), workers: taker.workers() }),
    stop: async () => {
      server.close();
      await taker.stop();
    },
  };
}
