/** A worker's side: speaks SSH on the connections that the listener hands over, until it is told to stop or left alone. */
import type { Socket } from 'node:net';
import { type SessionOptions, Sessions } from './sessions.ts';
import type { FromWorker, ToWorker } from './workers.ts';

const LIVING_MS = 2_000;

/** Errors: host keys that cannot be read. */
export function work(options: SessionOptions): void {
  const sessions = new Sessions(options);
  const sockets = new Map<number, Socket>();
  const tell = (message: FromWorker): void => {
    if (process.connected) process.send?.(message, undefined, {}, () => {});
  };
  const living = (): void => tell({ living: sessions.counted() });
  const timer = setInterval(living, LIVING_MS);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    clearInterval(timer);
    sessions.stop().finally(() => process.exit(0));
  };
  process.on('message', (message: ToWorker, socket?: Socket) => {
    if ('stop' in message) return stop();
    if ('drop' in message) return void sockets.get(message.drop)?.destroy();
    const { take: connection } = message;
    // Gone on its way.
    if (socket === undefined || socket.remoteAddress === undefined) {
      socket?.destroy();
      return tell({ connection, progress: 'over' });
    }
    sockets.set(connection, socket);
    sessions.take(socket, (progress) => {
      if (progress === 'over') sockets.delete(connection);
      tell({ connection, progress });
      if (progress === 'in' || progress === 'over') setImmediate(living);
    });
  });
  // The listener decides; without it nobody bounds or counts what is here.
  process.on('disconnect', stop);
  process.on('SIGTERM', () => {});
  process.on('SIGINT', () => {});
  tell({ ready: true });
}
