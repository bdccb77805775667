/**
 * A desktop's screen in the browser: WebSocket on one side, the desktop's RFB port on the other. Edge proves itself to
 * the desktop with the password that the agent reads from it; the browser never sees it.
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { closeCodes } from '#contract/edge.ts';
import { toBerthError } from '#domain/errors.ts';
import type { AgentClient } from './agent.ts';
import { shut } from './doors.ts';
import { ByteQueue } from './rfb/byte-queue.ts';
import { ViewOnlyFilter } from './rfb/client-messages.ts';
import { dial, socketPeer } from './rfb/framebuffer.ts';
import { clientHandshake, SHARED, serverHandshake } from './rfb/handshake.ts';

const DIAL_TIMEOUT_MS = 4_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Bytes waiting for a slow viewer above which the desktop is no longer read, and the mark to go on. */
const HIGH_BYTES = 2 * 1024 * 1024;
const LOW_BYTES = 256 * 1024;

export type ScreenDeps = {
  agent: Pick<AgentClient, 'screenCredentials'>;
  mayDial(address: string): boolean;
  log: { info(fields: object, message: string): void };
};

/** Opens the desktop's side, proven and before ClientInit. Errors: BerthError, RfbError, the socket's. */
export async function openScreen(deps: ScreenDeps, instanceId: string) {
  const { address, port, password } = await deps.agent.screenCredentials(instanceId);
  if (!deps.mayDial(address)) throw new Error(`the agent named an address outside the pools: ${address}`);
  const socket = await dial(address, port, DIAL_TIMEOUT_MS);
  try {
    const peer = socketPeer(socket);
    const timer = setTimeout(() => socket.destroy(new Error('the screen took too long')), HANDSHAKE_TIMEOUT_MS);
    await clientHandshake(peer, password).finally(() => clearTimeout(timer));
    return { socket, peer };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Serves one viewer until either side ends. The socket's entry was decided and registered before. */
export async function bridgeScreen(
  deps: ScreenDeps,
  viewer: WebSocket,
  instanceId: string,
  viewOnly: boolean,
): Promise<void> {
  let desktop: Socket | null = null;
  const input = new ByteQueue(undefined, () => viewer.resume());
  let onBytes = (chunk: Buffer): void => {
    if (!input.push(chunk)) viewer.pause();
  };
  viewer.on('message', (data, isBinary) => {
    if (!isBinary) return shut(viewer, 1003, 'Screens speak binary frames.');
    onBytes(data as Buffer);
    return undefined;
  });
  viewer.on('close', () => {
    input.fail(new Error('the viewer left'));
    desktop?.destroy();
  });
  const timer = setTimeout(() => shut(viewer, 1002, 'The viewer took too long.'), HANDSHAKE_TIMEOUT_MS * 2);
  try {
    const { socket, peer } = await openScreen(deps, instanceId);
    desktop = socket;
    await serverHandshake({ input, send: (bytes) => viewer.send(bytes) });
    if (viewer.readyState !== viewer.OPEN) return void socket.destroy();
    socket.write(Buffer.from([SHARED]));
    clearTimeout(timer);
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => {
      viewer.send(chunk, () => {
        if (socket.isPaused() && viewer.bufferedAmount < LOW_BYTES) socket.resume();
      });
      if (viewer.bufferedAmount > HIGH_BYTES) socket.pause();
    });
    const early = peer.input.take();
    if (early.length > 0) viewer.send(early);
    socket.on('drain', () => viewer.resume());
    socket.on('close', () => shut(viewer, closeCodes.upstream, 'The screen closed the connection.'));
    const filter = viewOnly ? new ViewOnlyFilter() : null;
    onBytes = (chunk) => {
      try {
        const bytes = filter === null ? chunk : filter.feed(chunk);
        if (bytes.length > 0 && !socket.write(bytes)) viewer.pause();
      } catch (error) {
        shut(viewer, 1002, error instanceof Error ? error.message : 'bad message');
      }
    };
    const typed = input.take();
    if (typed.length > 0) onBytes(typed);
    viewer.resume();
    if (socket.destroyed) shut(viewer, closeCodes.upstream, 'The screen closed the connection.');
    else socket.resume();
  } catch (error) {
    clearTimeout(timer);
    desktop?.destroy();
    const known = toBerthError(error);
    deps.log.info({ instanceId, error: known.detail ?? known.message }, 'no screen');
    const notRunning = known.code === 'state_conflict' || known.code === 'not_found';
    const reason = known.code === 'internal' ? 'The screen does not answer yet.' : known.message;
    shut(viewer, notRunning ? closeCodes.notRunning : closeCodes.upstream, reason.slice(0, 120));
  }
}
