/** V5: certificates from a real ACME authority on loopback, for proven names and for nobody else's. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { testCaddy } from '#testkit/caddy.ts';
import { freePort, Ingress, until } from '#testkit/ingress.ts';
import { Named } from '#testkit/named.ts';
import { Pebble } from '#testkit/pebble.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { Tenants } from '#testkit/tenants.ts';
import { certificateWatcher } from './reconcilers/certificate-watcher.ts';

const ZONE = 'acme.test';
const CONSOLE = `berth.${ZONE}`;
let named: Named;
let pebble: Pebble;
let server: TestServer;
let ingress: Ingress;
let tenants: Tenants;
let home: SetUp;
let program: Server;
let instance: string;
let port: number;
let root: string;

beforeAll(async () => {
  const ports = { control: await freePort(), https: await freePort(), http: await freePort() };
  const database = await withDatabase();
  named = await Named.start({ [ZONE]: ['* IN A 127.0.0.1'] });
  pebble = await Pebble.start(named.server, ports.https);
  const config = {
    resolvers: [named.server],
    domain: CONSOLE,
    ports,
    consoleOrigin: `https://${CONSOLE}:${ports.control}`,
  };
  server = await startTestServer({ database, startWork: idleWork, config });
  home = await server.setUp();
  tenants = await Tenants.connect(database.url);
  const guest = await tenants.guest(
    { organizationId: home.organization, projectId: home.project },
    { id: home.owner.userId ?? '', email: '' },
  );
  instance = guest.id;
  program = createServer((request, response) => response.end(`hello ${request.headers.host}`));
  await new Promise<void>((resolve) => program.listen(0, guest.address, resolve));
  port = (program.address() as AddressInfo).port;
  ingress = await Ingress.start({
    caddy: await testCaddy(),
    databaseUrl: database.edgeUrl,
    domain: CONSOLE,
    ports,
    acme: { directory: pebble.directory, email: 'ops@acme.test', caFile: pebble.caFile },
  });
  root = await pebble.root();
});
afterAll(async () => {
  await ingress?.stop();
  await tenants?.end();
  program?.close();
  await server?.stop();
  await pebble?.stop();
  await named?.stop();
});

/** `addresses` are those of the name: where something stands below it, a wildcard does not count for it. */
async function proven(name: string, addresses: string[] = ['127.0.0.1']) {
  const domain = await home.owner.call(api.domainsCreate, { params: { project: home.project }, body: { name } });
  await named.set(ZONE, [
    '* IN A 127.0.0.1',
    ...addresses.map((address) => `${name}. IN A ${address}`),
    `${domain.challenge.name}. IN TXT "${domain.challenge.value}"`,
  ]);
  return home.owner.call(api.domainsCheck, { params: { domain: domain.id } });
}
const addRoute = (hostname: string) =>
  home.owner.call(api.routesCreate, { params: { instance }, body: { hostname, port, visibility: 'public' } });

describe('V5: certificates by ACME', () => {
  it('V5: the console’s own name gets one by itself', async () => {
    await until(
      'the console has a certificate',
      async () => /certificate obtained successfully/.test(ingress.caddyLog.text),
      30_000,
    );
    const answer = await ingress.ask(`https://${CONSOLE}:${ingress.ports.control}/edge/v1/x`, { ca: root });
    expect(answer.status).toBe(404);
  });

  it('V5: a proven name gets one at the first visit, in front of a visitor who trusts the authority', async () => {
    const name = `shop.${ZONE}`;
    expect(await proven(name)).toMatchObject({ state: 'verified', pointsHere: true });
    const route = await addRoute(name);
    expect(route.certificate).toBeNull();
    const answer = await ingress.ask(ingress.url(name), { ca: root });
    expect([answer.status, answer.body]).toEqual([200, `hello ${name}:${ingress.ports.https}`]);
    const looked = await home.owner.call(api.routesCheck, { params: { route: route.id } });
    expect(looked.certificate).toMatchObject({
      state: 'valid',
      issuer: expect.stringMatching(/pebble/i),
      problem: null,
    });
    expect(Date.parse(looked.certificate?.expiresAt ?? '')).toBeGreaterThan(Date.now() + 24 * 3_600_000);
  });

  it('V5: an unproven name is refused before the authority is asked, and so is one that is gone', async () => {
    const name = `stranger.${ZONE}`;
    const orders = () => pebble.log.split('order').length;
    const before = orders();
    await expect(ingress.ask(ingress.url(name), { ca: root })).rejects.toThrow();
    await home.owner.call(api.domainsCreate, { params: { project: home.project }, body: { name } });
    await expect(ingress.ask(ingress.url(name), { ca: root })).rejects.toThrow();
    expect(orders()).toBe(before);
    expect(pebble.log).not.toContain(name);
  });

  it('V5: a name that the authority refuses has none, and people are told', { timeout: 60_000 }, async () => {
    // Proven by TXT, but it leads nowhere: the authority finds nobody who could answer for it.
    const name = `elsewhere.${ZONE}`;
    expect(await proven(name, [])).toMatchObject({ state: 'verified', pointsHere: false });
    const route = await addRoute(name);
    const looked = await home.owner.call(api.routesCheck, { params: { route: route.id } });
    expect(looked.certificate).toMatchObject({ state: 'none', expiresAt: null, problem: expect.any(String) });
    expect(pebble.log).toContain(name);
  });

  it('V5: the watcher looks by itself at names that lead here, and at no others', async () => {
    const name = `watched.${ZONE}`;
    await proven(name);
    const route = await addRoute(name);
    const watcher = certificateWatcher(server.app.services, ingress.ports.https);
    expect(await watcher.run(new AbortController().signal)).toMatch(/looked at 1 /);
    expect(await watcher.run(new AbortController().signal)).toBeNull();
    const { items } = await home.owner.call(api.routesList, { params: { instance } });
    expect(items.find(({ id }) => id === route.id)?.certificate).toMatchObject({ state: 'valid' });
    await home.owner.call(api.routesDelete, { params: { route: route.id } });
    expect(await watcher.run(new AbortController().signal)).toMatch(/forgot 1$/);
  });
});
