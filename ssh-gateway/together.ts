import type { Socket } from 'node:net';

/**
 * What is written to `socket` within one turn of the loop leaves with one call to the kernel, in order. A packet of SSH
 * carries at most 32 kB, and handing one over costs about as much as encrypting it.
 */
export function together(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: never[]) => boolean;
  let isHeld = false;
  const release = (): void => {
    isHeld = false;
    socket.uncork();
  };
  socket.write = ((...args: never[]) => {
    if (!isHeld) {
      isHeld = true;
      socket.cork();
      setImmediate(release);
    }
    return write(...args);
  }) as Socket['write'];
}
