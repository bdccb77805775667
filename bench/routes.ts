/**
 * `node bench/routes.ts`: what 10,000 routes (one in ten on a tenant's own domain with rules) cost edge: its memory, the
 * time of one authorization over its socket, and the time from a committed row to the first 200 over HTTPS, each beside
 * the same with ten routes. One JSON object on stdout.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { Pool } from 'undici';
import { testCaddy } from '#testkit/caddy.ts';
import { createDatabase } from '#testkit/databases.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { startOwnPostgres } from '#testkit/own-postgres.ts';
import { type Guest, Tenants } from '#testkit/tenants.ts';
import { percentile, round } from './measure.ts';

const ROUTES = 10_000;
const WARM_UP = 3_000;
const QUESTIONS = 5_000;
const FIRST = 30;
const GOAL_FIRST_MS = 50;

const residentMb = (pid: number): number =>
  round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);

/** One question after the other, as Caddy asks them. */
async function authorizations(ingress: Ingress, names: readonly string[]): Promise<{ p50Us: number; p99Us: number }> {
  const pool = new Pool('http://edge', { socketPath: ingress.socket('edge'), connections: 1 });
  const times: number[] = [];
  for (let n = 0; n < WARM_UP + QUESTIONS; n++) {
    const host = names[(n * 7919) % names.length] ?? '';
    const begun = performance.now();
    const { statusCode, body } = await pool.request({
      path: '/internal/authorize',
      method: 'GET',
      headers: { host, 'x-forwarded-uri': '/', 'x-forwarded-method': 'GET', 'x-berth-address': '192.0.2.1' },
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`${host}: status ${statusCode}`);
    if (n >= WARM_UP) times.push((performance.now() - begun) * 1000);
  }
  await pool.close();
  return { p50Us: round(percentile(times, 0.5)), p99Us: round(percentile(times, 0.99)) };
}

async function firstAnswers(ingress: Ingress, tenants: Tenants, guest: Guest, port: number, prefix: string) {
  const times: number[] = [];
  for (let n = 0; n < FIRST; n++) {
    const name = `${prefix}${n}.berth.localhost`;
    await tenants.route(guest, name, port, 'public');
    const begun = performance.now();
    const { status } = await ingress.ask(ingress.url(name));
    if (status !== 200) throw new Error(`status ${status}`);
    times.push(performance.now() - begun);
  }
  return { p50: round(percentile(times, 0.5)), p95: round(percentile(times, 0.95)) };
}

const { socketDir, stop } = await startOwnPostgres('berth-bench-');
let ingress: Ingress | null = null;
let tenants: Tenants | null = null;
const program = createServer((_request, response) => response.end('x'));
try {
  const caddy = await testCaddy();
  const database = await createDatabase(socketDir);
  tenants = await Tenants.connect(database.url);
  const tenant = await tenants.tenant();
  const person = await tenants.person(tenant);
  const guest = await tenants.guest(tenant, person);
  await new Promise<void>((resolve) => program.listen(0, guest.address, resolve));
  const { port } = program.address() as AddressInfo;
  for (let n = 0; n < 10; n++) await tenants.route(guest, `few${n}.berth.localhost`, port, 'public');
  ingress = await Ingress.start({ caddy, databaseUrl: database.edgeUrl });
  const few = Array.from({ length: 10 }, (_, n) => `few${n}.berth.localhost`);
  const ten = {
    edgeMb: residentMb(ingress.edgePid),
    authorization: await authorizations(ingress, few),
    firstMs: await firstAnswers(ingress, tenants, guest, port, 'early'),
  };
  const domain = tenants.newId('dom');
  await tenants.query(
    `insert into domain (id, organization_id, project_id, name, token, state, proof, verified_at, created_by)
     values ($1, $2, $3, 'bench.example', 'x', 'verified', 'txt', now(), $4)`,
    [domain, guest.organizationId, guest.projectId, person.id],
  );
  await tenants.query(
    `insert into route (id, organization_id, project_id, instance_id, hostname, target, port, visibility, domain_id, options)
     select 'rte_' || lpad(n::text, 26, '0'), $1, $2, $3,
            case n % 10 when 0 then 'n' || n || '.bench.example' else 'n' || n || '.berth.localhost' end, 'port', $4, 'public',
            case n % 10 when 0 then $5 end,
            case n % 10 when 0 then '{"allow":["192.0.2.0/24","127.0.0.0/8"],"responseHeaders":[{"name":"X-Frame-Options","value":"DENY"}]}'
                        else '{}' end::jsonb
       from generate_series(1, $6) n`,
    [guest.organizationId, guest.projectId, guest.id, port, domain, ROUTES],
  );
  await ingress.stopEdge('SIGTERM');
  const begun = performance.now();
  await ingress.startEdge();
  const startMs = Math.round(performance.now() - begun);
  const many = Array.from({ length: ROUTES }, (_, at) => at + 1).map((n) =>
    n % 10 === 0 ? `n${n}.bench.example` : `n${n}.berth.localhost`,
  );
  const running = ingress;
  await until('all are known', async () => (await running.edgeHealth())?.knowledge === 'live');
  const all = {
    edgeMb: residentMb(ingress.edgePid),
    authorization: await authorizations(ingress, many),
    firstMs: await firstAnswers(ingress, tenants, guest, port, 'late'),
  };
  const result = {
    bench: 'routes',
    machine: { cpus: cpus().length, node: process.version, caddy: caddy.version, load: round(loadavg()[0] ?? 0) },
    routes: ROUTES,
    edgeStartMs: startMs,
    ten,
    all: { ...all, edgeMbAfter: residentMb(ingress.edgePid) },
    goals: { firstMs: GOAL_FIRST_MS },
    met: { firstMs: all.firstMs.p50 <= GOAL_FIRST_MS },
  };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
} finally {
  await ingress?.stop();
  await tenants?.end();
  program.closeAllConnections();
  program.close();
  await stop();
}
