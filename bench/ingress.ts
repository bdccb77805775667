/**
 * `node bench/ingress.ts`: what edge's authorization costs. The same Caddy binary, TLS settings, guest and load
 * generator twice: once with a plain static route, once through the sub-request to edge. Then the time from a committed
 * route row to the first 200 over HTTPS under its name, certificate included; and WebSocket messages through the bridge. One JSON object on stdout.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { ROUTE_COOKIE } from '#contract/edge.ts';
import { CADDY_ENVIRONMENT } from '#edge/caddy.ts';
import { RoutePasses } from '#edge/route-pass.ts';
import { type CaddyProgram, testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { createDatabase } from '#testkit/databases.ts';
import { freePort, Ingress, until } from '#testkit/ingress.ts';
import { startOwnPostgres } from '#testkit/own-postgres.ts';
import { Tenants } from '#testkit/tenants.ts';
import { measureSockets } from './ingress-sockets.ts';
import { cpuUsed, median, percentile } from './measure.ts';

const CONNECTIONS = 16;
const ROUND_MS = 4_000;
const ROUNDS = 5;
const ROUTES = 30;
const GOAL_RATIO = 0.6;
const GOAL_FIRST_MS = 50;

/** `cpuUs`: processor time per request of the proxy (and edge), in microseconds: what the machine's other work cannot blur. */
type Round = { perSecond: number; p50: number; p95: number; p99: number; cpuUs: number };

const children: ChildProcess[] = [];
const { folder, socketDir, stop } = await startOwnPostgres('berth-bench-');

/** A Caddy with a configuration of its own: the guest's program, and the plain route to compare with. */
async function caddyWith(caddy: CaddyProgram, name: string, apps: object): Promise<number> {
  const file = join(folder, `${name}.json`);
  const config = {
    admin: { disabled: true },
    logging: { logs: { default: { level: 'ERROR' } } },
    storage: { module: 'file_system', root: join(folder, name) },
    apps,
  };
  writeFileSync(file, JSON.stringify(config));
  const env = { ...process.env, HOME: folder, ...CADDY_ENVIRONMENT };
  const child = spawn(caddy.path, ['run', '--config', file], { stdio: 'ignore', env });
  children.push(child);
  return child.pid ?? 0;
}

/** Keeps CONNECTIONS requests under way for ROUND_MS. */
async function load(pool: Pool, headers: Record<string, string>, pids: number[]): Promise<Round> {
  const used = () => pids.reduce((sum, pid) => sum + cpuUsed(pid), 0);
  const before = used();
  const times: number[] = [];
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() - started < ROUND_MS) {
      const begun = performance.now();
      const { statusCode, body } = await pool.request({ path: '/', method: 'GET', headers });
      await body.dump();
      if (statusCode !== 200) throw new Error(`status ${statusCode}`);
      times.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const seconds = (performance.now() - started) / 1000;
  const cpuUs = Math.round((used() - before) / times.length);
  times.sort((a, b) => a - b);
  const round = (value: number) => Math.round(value * 100) / 100;
  return {
    perSecond: Math.round(times.length / seconds),
    p50: round(percentile(times, 0.5)),
    p95: round(percentile(times, 0.95)),
    p99: round(percentile(times, 0.99)),
    cpuUs,
  };
}

function poolOf(origin: string, ca: string): Pool {
  return new Pool(origin, { connections: CONNECTIONS, connect: { ca, lookup: loopbackLookup }, pipelining: 1 });
}

async function main(): Promise<object> {
  const caddy = await testCaddy();
  let ingress: Ingress | null = null;
  let tenants: Tenants | null = null;
  try {
    const database = await createDatabase(socketDir);
    tenants = await Tenants.connect(database.url);
    const tenant = await tenants.tenant();
    const member = await tenants.person(tenant);
    const session = await tenants.session(member);
    const guest = await tenants.guest(tenant, member);
    const port = await freePort();
    await tenants.route(guest, 'open.berth.localhost', port, 'public');
    await tenants.route(guest, 'closed.berth.localhost', port, 'private');

    await caddyWith(caddy, 'guest', {
      http: {
        servers: {
          guest: {
            listen: [`${guest.address}:${port}`],
            automatic_https: { disable: true },
            routes: [{ handle: [{ handler: 'static_response', status_code: 200, body: 'x'.repeat(512) }] }],
          },
        },
      },
    });
    const plainPort = await freePort();
    const plainPid = await caddyWith(caddy, 'plain', {
      http: {
        servers: {
          plain: {
            listen: [`:${plainPort}`],
            protocols: ['h1', 'h2'],
            automatic_https: { disable: true },
            tls_connection_policies: [{}],
            routes: [
              {
                match: [{ host: ['open.berth.localhost'] }],
                handle: [{ handler: 'reverse_proxy', upstreams: [{ dial: `${guest.address}:${port}` }] }],
              },
            ],
          },
        },
      },
      tls: {
        certificates: { automate: ['open.berth.localhost'] },
        automation: { policies: [{ issuers: [{ module: 'internal' }] }] },
      },
      pki: { certificate_authorities: { local: { install_trust: false } } },
    });
    ingress = await Ingress.start({ caddy, databaseUrl: database.edgeUrl });
    const plainCa = join(folder, 'plain/pki/authorities/local/root.crt');
    let plain: Pool | null = null;
    await until('the plain route answers', async () => {
      try {
        plain ??= poolOf(`https://open.berth.localhost:${plainPort}`, readFileSync(plainCa, 'utf8'));
        return (await plain.request({ path: '/', method: 'GET' })).statusCode === 200;
      } catch {
        return false;
      }
    });
    const ca = readFileSync(ingress.caFile, 'utf8');
    const key = Buffer.from(readFileSync(join(ingress.dir, 'edge.key'), 'utf8'), 'base64');
    const cookieOf = (hostname: string): string =>
      `${ROUTE_COOKIE}=${new RoutePasses(key).issue(session.id, hostname, Date.now() + 3_000_000)}`;
    const pids = [ingress.caddyPid, ingress.edgePid];
    const targets = {
      plain: { pool: plain! as Pool, headers: {} as Record<string, string>, pids: [plainPid] },
      public: { pool: poolOf(ingress.url('open.berth.localhost').slice(0, -1), ca), headers: {}, pids },
      private: {
        pool: poolOf(ingress.url('closed.berth.localhost').slice(0, -1), ca),
        headers: { cookie: `${cookieOf('closed.berth.localhost')}; theme=dark` },
        pids,
      },
    };
    const rounds: Record<keyof typeof targets, Round[]> = { plain: [], public: [], private: [] };
    for (const { pool, headers, pids } of Object.values(targets)) await load(pool, headers, pids);
    // Taking turns, so that whatever else the machine does hits all alike.
    for (let n = 0; n < ROUNDS; n++) {
      for (const name of Object.keys(targets) as (keyof typeof targets)[]) {
        rounds[name].push(await load(targets[name].pool, targets[name].headers, targets[name].pids));
      }
    }
    for (const { pool } of Object.values(targets)) await pool.close();
    const sockets = await measureSockets(ingress, tenants, guest, cookieOf);

    const first: number[] = [];
    for (let n = 0; n < ROUTES; n++) {
      await tenants.route(guest, `n${n}.berth.localhost`, port, 'public');
      const begun = performance.now();
      const answer = await ingress.ask(ingress.url(`n${n}.berth.localhost`));
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      first.push(performance.now() - begun);
    }
    first.sort((a, b) => a - b);
    const middle = (name: keyof typeof targets) => ({
      perSecond: median(rounds[name].map((round) => round.perSecond)),
      p50Ms: median(rounds[name].map((round) => round.p50)),
      p95Ms: median(rounds[name].map((round) => round.p95)),
      p99Ms: median(rounds[name].map((round) => round.p99)),
      cpuUsPerRequest: median(rounds[name].map((round) => round.cpuUs)),
    });
    const ratio = (name: 'public' | 'private') =>
      Math.round(median(rounds[name].map((round, index) => round.perSecond / rounds.plain[index]!.perSecond)) * 1000) /
      1000;
    const routeMs = Math.round(percentile(first, 0.5) * 10) / 10;
    return {
      bench: 'ingress',
      machine: { cpus: cpus().length, model: cpus()[0]?.model ?? '', node: process.version, caddy: caddy.version },
      connections: CONNECTIONS,
      rounds: ROUNDS,
      plain: middle('plain'),
      public: { ...middle('public'), ofPlain: ratio('public') },
      private: { ...middle('private'), ofPlain: ratio('private') },
      sockets,
      routeToFirst200Ms: { p50: routeMs, p95: Math.round(percentile(first, 0.95) * 10) / 10, routes: ROUTES },
      goals: { ofPlain: GOAL_RATIO, routeToFirst200Ms: GOAL_FIRST_MS },
      met: {
        ofPlain: ratio('public') >= GOAL_RATIO && ratio('private') >= GOAL_RATIO,
        routeToFirst200Ms: routeMs <= GOAL_FIRST_MS,
      },
    };
  } finally {
    await ingress?.stop();
    await tenants?.end();
    for (const child of children) child.kill('SIGKILL');
    await stop();
  }
}

process.stdout.write(`${JSON.stringify(await main(), null, 2)}\n`);
