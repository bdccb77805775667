/** The kernel of this machine ends connections by their client's end: in both families, at one port only. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { agentVerbs } from '#contract/agent.ts';
import { cutClients } from './clients.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** Listens as Caddy does, for both families at once, and answers its port. */
async function listen(): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '::', resolve));
  return (server.address() as { port: number }).port;
}

async function dial(host: string, port: number): Promise<{ address: string; port: number; socket: Socket }> {
  const socket = connect({ host, port });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return { address: socket.localAddress ?? '', port: socket.localPort ?? 0, socket };
}

it('I4: exactly the connections that are named end, of either family, also many at once', async () => {
  const port = await listen();
  const mine = await Promise.all([
    dial('127.0.0.1', port),
    dial('::1', port),
    ...Array.from({ length: 70 }, () => dial('127.0.0.1', port)),
  ]);
  const others = [await dial('127.0.0.1', port), await dial('::1', port)];
  const [first] = mine;
  const clients = mine.map(({ address, port: own }) => ({ address, port: own }));
  expect(await cutClients(port, clients)).toBe(mine.length);
  for (let waited = 0; waited < 100 && mine.some(({ socket }) => !socket.closed); waited++) await sleep(50);
  expect(mine.filter(({ socket }) => !socket.closed)).toEqual([]);
  expect(others.map(({ socket }) => socket.closed)).toEqual([false, false]);
  // What is closed already is nobody's mistake.
  expect(await cutClients(port, [{ address: first?.address ?? '', port: first?.port ?? 0 }])).toBe(0);
});

it('I4: connections to any other port are never touched', async () => {
  const [port, other] = [await listen(), await listen()];
  const theirs = await dial('127.0.0.1', other);
  expect(await cutClients(port, [{ address: theirs.address, port: theirs.port }])).toBe(0);
  await sleep(100);
  expect(theirs.socket.closed).toBe(false);
});

it('I4: what is no address and port is refused before anything is run', () => {
  const accepts = (client: object) => agentVerbs.cutClients.safeParse({ clients: [client] }).success;
  expect(accepts({ address: '192.0.2.7', port: 50_000 })).toBe(true);
  expect(accepts({ address: '2001:db8::7', port: 50_000 })).toBe(true);
  for (const address of [
    '',
    '*',
    '0.0.0.0/0',
    'localhost',
    '1.2.3.4 or dst 0.0.0.0/0',
    '::1]:1 or [::',
    'fe80::1%eth0',
  ]) {
    expect([address, accepts({ address, port: 1 })]).toEqual([address, false]);
  }
  for (const port of [0, 65_536, 1.5, '1', null])
    expect([port, accepts({ address: '::1', port })]).toEqual([port, false]);
  expect(accepts({ address: '::1', port: 1, more: 1 })).toBe(false);
  expect(agentVerbs.cutClients.safeParse({ clients: [] }).success).toBe(false);
});
