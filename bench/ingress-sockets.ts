/** WebSocket messages to an app: straight through Caddy (public route) and through edge's bridge (private route). */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { loopbackLookup } from '#testkit/client.ts';
import type { Ingress } from '#testkit/ingress.ts';
import type { Guest, Tenants } from '#testkit/tenants.ts';
import { cpuUsed, median, percentile } from './measure.ts';

const SOCKETS = 16;
const MESSAGE_BYTES = 512;
const ROUND_MS = 3_000;
const ROUNDS = 5;

type Round = { perSecond: number; p50: number; p99: number; cpuUs: number };

/** An app that echoes; answers its port. */
function echo(guest: Guest): Promise<{ port: number; stop(): void }> {
  return new Promise((resolve) => {
    const server = new WebSocketServer({ host: guest.address, port: 0, perMessageDeflate: false });
    server.on('listening', () => resolve({ port: (server.address() as AddressInfo).port, stop: () => server.close() }));
    server.on('connection', (peer) => peer.on('message', (data, binary) => peer.send(data, { binary })));
  });
}

async function open(ingress: Ingress, hostname: string, headers: Record<string, string>): Promise<WebSocket[]> {
  const ca = readFileSync(ingress.caFile);
  const url = `wss://${hostname}:${ingress.ports.https}/`;
  return Promise.all(
    Array.from({ length: SOCKETS }, async () => {
      const socket = new WebSocket(url, { ca, lookup: loopbackLookup, headers, perMessageDeflate: false });
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return socket;
    }),
  );
}

/** Every socket has one message under way. */
async function load(sockets: WebSocket[], pids: number[]): Promise<Round> {
  const used = () => pids.reduce((sum, pid) => sum + cpuUsed(pid), 0);
  const message = Buffer.alloc(MESSAGE_BYTES, 1);
  const times: number[] = [];
  const before = used();
  const started = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() - started < ROUND_MS) {
        const begun = performance.now();
        const back = new Promise((resolve) => socket.once('message', resolve));
        socket.send(message);
        await back;
        times.push(performance.now() - begun);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpuUs = Math.round((used() - before) / times.length);
  times.sort((a, b) => a - b);
  const at = (share: number) => Math.round(percentile(times, share) * 100) / 100;
  return { perSecond: Math.round(times.length / seconds), p50: at(0.5), p99: at(0.99), cpuUs };
}

/** `cookieOf` makes the cookie of a private route. */
export async function measureSockets(
  ingress: Ingress,
  tenants: Tenants,
  guest: Guest,
  cookieOf: (hostname: string) => string,
): Promise<object> {
  const app = await echo(guest);
  await tenants.route(guest, 'straight.berth.localhost', app.port, 'public');
  await tenants.route(guest, 'bridged.berth.localhost', app.port, 'private');
  const pids = [ingress.caddyPid, ingress.edgePid];
  const kinds = {
    straight: await open(ingress, 'straight.berth.localhost', {}),
    bridged: await open(ingress, 'bridged.berth.localhost', { cookie: cookieOf('bridged.berth.localhost') }),
  };
  const rounds: Record<keyof typeof kinds, Round[]> = { straight: [], bridged: [] };
  for (const sockets of Object.values(kinds)) await load(sockets, pids);
  for (let n = 0; n < ROUNDS; n++) {
    for (const kind of ['straight', 'bridged'] as const) rounds[kind].push(await load(kinds[kind], pids));
  }
  for (const socket of Object.values(kinds).flat()) socket.terminate();
  app.stop();
  const middle = (kind: keyof typeof kinds) => ({
    messagesPerSecond: median(rounds[kind].map((round) => round.perSecond)),
    p50Ms: median(rounds[kind].map((round) => round.p50)),
    p99Ms: median(rounds[kind].map((round) => round.p99)),
    cpuUsPerMessage: median(rounds[kind].map((round) => round.cpuUs)),
  });
  const ratio = median(rounds.bridged.map((round, index) => round.perSecond / rounds.straight[index]!.perSecond));
  return {
    sockets: SOCKETS,
    messageBytes: MESSAGE_BYTES,
    straight: middle('straight'),
    bridged: { ...middle('bridged'), ofStraight: Math.round(ratio * 1000) / 1000 },
  };
}
