/** What edge does while the database is away: its own PostgreSQL, stopped and started under it. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureRoles, type PostgresOptions, postgresUrl, type RunningPostgres, startPostgres } from '#host/postgres.ts';
import { testCaddy } from '#testkit/caddy.ts';
import { createDatabase, migrateTemplate, TEMPLATE_DATABASE, type TestDatabase } from '#testkit/databases.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { type Guest, type Person, type SignedIn, type Tenant, Tenants } from '#testkit/tenants.ts';

const NOBODY = 65534;
let dir: string;
let options: PostgresOptions & { logFile: string };
let postgres: RunningPostgres;
let database: TestDatabase;
let ingress: Ingress;
let tenants: Tenants;
let tenant: Tenant;
let member: Person;
let guest: Guest;
let program: Server;
let port: number;
let token: SignedIn;

const status = async (name: string, headers: Record<string, string> = {}) =>
  (await ingress.ask(ingress.url(`${name}.berth.localhost`), { headers })).status;
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'berth-out-'));
  chmodSync(dir, 0o755);
  const root = process.getuid?.() === 0;
  options = {
    dataDir: join(dir, 'data'),
    socketDir: join(dir, 's'),
    copyDir: join(dir, 'bin'),
    user: root ? { uid: NOBODY, gid: NOBODY } : null,
    socketGid: null,
    peers: {},
    settings: { fsync: 'off' },
    logFile: join(dir, 'postgres.log'),
  };
  postgres = await startPostgres(options);
  await ensureRoles(options.socketDir, TEMPLATE_DATABASE);
  await migrateTemplate(options.socketDir);
  database = await createDatabase(options.socketDir);
  tenants = await Tenants.connect(database.url);
  tenant = await tenants.tenant();
  member = await tenants.person(tenant);
  guest = await tenants.guest(tenant, member);
  program = createServer((_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => program.listen(0, guest.address, resolve));
  port = (program.address() as AddressInfo).port;
  await tenants.route(guest, 'pub.berth.localhost', port, 'public');
  await tenants.route(guest, 'priv.berth.localhost', port, 'private');
  token = await tenants.token(member);
  ingress = await Ingress.start({ caddy: await testCaddy(), databaseUrl: database.edgeUrl });
});

afterAll(async () => {
  await ingress?.stop();
  await tenants?.end();
  await postgres?.stop();
  program?.close();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

it('I6: the role of edge can neither write nor read what is not for it', async () => {
  const client = new pg.Client({ connectionString: postgresUrl(options.socketDir, 'berth_edge', database.name) });
  await client.connect();
  for (const text of [
    'select password_hash from app_user',
    'select * from audit',
    'insert into outbox (kind, ref) values ($$x$$, $$y$$)',
    'delete from route',
    'create table t (x int)',
  ]) {
    await expect([
      text,
      await client.query(text).then(
        () => 'allowed',
        (error: Error) => error.message,
      ),
    ]).toEqual([text, expect.stringMatching(/permission denied|read-only/)]);
  }
  await client.end();
});

it('R1: with PostgreSQL down, people and routes known before stay served', async () => {
  expect(await status('pub')).toBe(200);
  expect(await status('priv', bearer(token.secret))).toBe(200);
  await tenants.end();
  await postgres.stop();
  expect(await status('pub')).toBe(200);
  expect(await status('priv', bearer(token.secret))).toBe(200);
  expect(await status('priv')).toBe(401);
  await until('edge noticed', async () => (await ingress.edgeHealth())?.knowledge === 'remembered');
});

it('R1: an edge killed and started again with PostgreSQL down serves from its snapshot', async () => {
  await ingress.stopEdge('SIGKILL');
  const started = performance.now();
  await ingress.startEdge();
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(await status('pub')).toBe(200);
  expect(await status('priv', bearer(token.secret))).toBe(200);
  expect(await status('priv', bearer('brt_0123456789abcdef0123456789'))).toBe(401);
});

it('I6: the snapshot is for edge alone and holds no secret', async () => {
  const file = join(ingress.dir, 'snapshot/state.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain(token.secret);
});

it('R1: when PostgreSQL is back, edge follows it again and applies what it missed', async () => {
  postgres = await startPostgres(options);
  tenants = await Tenants.connect(database.url);
  await tenants.query('update api_token set revoked_at = now() where id = $1', [token.id]);
  await tenants.hint('session', member.id);
  await until('the token is refused', async () => (await status('priv', bearer(token.secret))) === 401, 5_000);
  await tenants.route(guest, 'later.berth.localhost', port, 'public');
  await until('the new route works', async () => (await status('later').catch(() => 0)) === 200, 2_000);
  expect((await ingress.edgeHealth())?.knowledge).toBe('live');
});

it('R1: PostgreSQL killed with kill -9 and restarted: edge reconnects by itself', async () => {
  process.kill(postgres.pid, 'SIGKILL');
  expect(await status('pub')).toBe(200);
  await until('the server is really gone', () => {
    try {
      process.kill(postgres.pid, 0);
      return false;
    } catch {
      return true;
    }
  });
  await tenants.end();
  postgres = await startPostgres(options);
  tenants = await Tenants.connect(database.url);
  await until('live', async () => (await ingress.edgeHealth())?.knowledge === 'live', 10_000);
  await tenants.route(guest, 'again.berth.localhost', port, 'public');
  await until('the new route works', async () => (await status('again').catch(() => 0)) === 200, 2_000);
});
