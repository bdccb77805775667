/** What the bridge does with time: real sockets on loopback, with an hour made short. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BRIDGED_IDLE_MINUTES, Bridge, type Ticket } from './bridge.ts';
import { UPSTREAM_HEADERS } from './caddy-parts.ts';

const IDLE_MS = 2_000;
const HOST = 'app.berth.localhost';
let app: Server;
let bridge: Bridge;

beforeAll(async () => {
  app = createServer();
  app.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const port = (app.address() as AddressInfo).port;
  const instance = { id: 'ins', name: 'app', address4: '127.0.0.1' };
  const route = { hostname: HOST, enabled: true, target: 'port', instanceId: 'ins', port, options: {} };
  const holding = () => ({ role: null, permissions: [] });
  const state = { onChange: () => () => {}, routeById: () => route, instance: () => instance, holding };
  let codes = 0;
  bridge = new Bridge({
    knowledge: { now: () => Date.now(), state } as never,
    doors: { refusal: () => null } as never,
    random: () => `pass-${codes++}`,
    idleMs: IDLE_MS,
  });
  bridge.server.listen(0, '127.0.0.1');
  await once(bridge.server, 'listening');
});
afterAll(async () => {
  app.close();
  app.closeAllConnections();
  await bridge.stop();
});

/** A connection through the bridge, after its 101. */
async function opened() {
  const { port } = app.address() as AddressInfo;
  const ticket = { caller: { userId: 'usr' }, role: '', hostname: HOST, routeId: 'rte', instanceId: 'ins' };
  const pass = bridge.admit({ ...ticket, address: '127.0.0.1', port, client: '192.0.2.1' } as unknown as Ticket);
  const socket = connect((bridge.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n${UPSTREAM_HEADERS.bridge}: ${pass}\r\n\r\n`,
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toContain('101 Switching Protocols');
  return socket;
}

it('D7: a connection on which nothing happens ends, one that is used does not', async () => {
  expect(BRIDGED_IDLE_MINUTES).toBe(60);
  const [idle, busy] = [await opened(), await opened()];
  idle.resume();
  let ended: number | null = null;
  idle.on('close', () => {
    ended = performance.now();
  });
  const started = performance.now();
  while (performance.now() - started < IDLE_MS * 2.5) {
    busy.write('still here');
    await once(busy, 'data');
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 40));
  }
  expect(ended).not.toBeNull();
  expect((ended ?? 0) - started).toBeGreaterThan(IDLE_MS / 2);
  expect(busy.destroyed).toBe(false);
  expect(bridge.size).toBe(1);
  busy.destroy();
});
