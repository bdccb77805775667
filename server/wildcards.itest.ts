/**
 * V5: one certificate for *.<domain>, from a real ACME authority (pebble) that is shown its proof in a real BIND, served by
 * a real Caddy that is not reloaded for it.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { closeBundle, openBundle } from '#contract/wildcards.ts';
import { add, drop } from '#integrations/dns/message.ts';
import { oldCaddy, testCaddy } from '#testkit/caddy.ts';
import { connectNamed, digger, dnsKey, rfc2136Body, startNamed } from '#testkit/dns.ts';
import { freePort, Ingress, until } from '#testkit/ingress.ts';
import type { Named } from '#testkit/named.ts';
import { Pebble } from '#testkit/pebble.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, PASSWORD, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { Tenants } from '#testkit/tenants.ts';
import { dnsKeeper } from './reconcilers/dns-keeper.ts';
import { domainKeeper } from './reconcilers/domain-keeper.ts';
import { wildcardKeeper } from './reconcilers/wildcard-keeper.ts';
import { wildcardWork } from './work.ts';
import { dnsWork } from './workflows/dns-records.ts';
import type { WildcardWork } from './workflows/wildcard.ts';

const ZONE = 'wild.test';
/** Pebble refuses names on its list of blocked domains. */
const BLOCKED = 'blocked.test';
const CONSOLE = `berth.${ZONE}`;
const clock = new TestClock();
const edgeKey = randomBytes(32);
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
let database: Awaited<ReturnType<typeof withDatabase>>;

beforeAll(async () => {
  const ports = { control: await freePort(), https: await freePort(), http: await freePort() };
  database = await withDatabase();
  named = await startNamed({ [ZONE]: ['berth IN A 127.0.0.1', '*.berth IN A 127.0.0.1'], [BLOCKED]: [] });
  pebble = await Pebble.start(named.server, ports.https, [BLOCKED]);
  const acme = { directory: pebble.directory, email: 'ops@wild.test', caFile: pebble.caFile };
  const consoleOrigin = `https://${CONSOLE}:${ports.control}`;
  const config = { resolvers: [named.server], domain: CONSOLE, ports, consoleOrigin, acme };
  server = await startTestServer({ database, startWork: idleWork, config, clock, edgeKey });
  home = await server.setUp();
  await connectNamed(named, home, home, [ZONE, BLOCKED]);
  tenants = await Tenants.connect(database.url);
  const place = { organizationId: home.organization, projectId: home.project };
  const guest = await tenants.guest(place, { id: home.owner.userId ?? '', email: '' });
  instance = guest.id;
  program = createServer((request, response) => response.end(`hello ${request.headers.host}`));
  await new Promise<void>((resolve) => program.listen(0, guest.address, resolve));
  port = (program.address() as AddressInfo).port;
  ingress = await Ingress.start({
    caddy: await testCaddy(),
    databaseUrl: database.edgeUrl,
    domain: CONSOLE,
    ports,
    acme,
    edgeKey,
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

function work(more: Partial<WildcardWork> = {}): WildcardWork {
  const { app } = server;
  const close = (name: string, pem: string) => closeBundle(edgeKey, name, pem);
  const options = { dnsProviders: app.dnsProviders, dns: app.dns, config: app.config, closeBundle: close };
  return { ...wildcardWork(app.services, options, app.config.acme!), ...more };
}
const keep = (more: Partial<WildcardWork> = {}) => wildcardKeeper(work(more)).run(new AbortController().signal);
const keepDns = () => {
  const { app } = server;
  const parts = { dnsProviders: app.dnsProviders, dns: app.dns, config: app.config };
  return dnsKeeper(dnsWork(app.services, parts)).run(new AbortController().signal);
};
const domain = async (id: string) =>
  (await home.owner.call(api.domainsList, { params: { project: home.project } })).items.find((each) => each.id === id)!;
async function proven(name: string) {
  const made = await home.owner.call(api.domainsCreate, { params: { project: home.project }, body: { name } });
  await keepDns();
  await domainKeeper(server.app.services, server.app.dns).run(new AbortController().signal);
  return domain(made.id);
}
const want = (id: string, wildcard = true) =>
  home.owner.call(api.domainsUpdate, { params: { domain: id }, body: { wildcard } });
const addRoute = (hostname: string) =>
  home.owner.call(api.routesCreate, { params: { instance }, body: { hostname, port, visibility: 'public' } });
/** Names in the certificate that a visitor is shown. */
const shown = (hostname: string, at = ingress) =>
  new Promise<string>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: at.ports.https, servername: hostname, ca: root });
    socket.on('secureConnect', () => {
      resolve(`${socket.authorized} ${socket.getPeerCertificate().subjectaltname}`);
      socket.destroy();
    });
    socket.on('error', () => resolve('none'));
  });
const fresh = (zone = ZONE) => `n${randomBytes(3).toString('hex')}.${zone}`;
const both = (name: string) => `true DNS:${name}, DNS:*.${name}`;

describe('V5: wildcard certificates', () => {
  it('V5: one is made by DNS-01, kept closed, and served for every name of a route below, without a reload', {
    timeout: 120_000,
  }, async () => {
    const name = fresh();
    const made = await proven(name);
    expect(made.can.wildcard).toBe(true);
    expect(await want(made.id)).toMatchObject({ wildcard: { state: 'waiting', expiresAt: null } });
    const caddyPid = ingress.caddyPid;
    expect(await keep()).toBe('made 1 of 1 wildcard certificates');
    const { wildcard } = await domain(made.id);
    expect(wildcard).toMatchObject({ state: 'valid', issuer: expect.stringMatching(/pebble/i), problem: null });
    expect(await keep()).toBeNull();
    for (const host of [name, `a.${name}`, `b.${name}`]) await addRoute(host);
    await until('edge shows it', async () => (await shown(`a.${name}`)) === both(name), 20_000);
    expect([await shown(name), await shown(`b.${name}`)]).toEqual([both(name), both(name)]);
    const answer = await ingress.ask(ingress.url(`a.${name}`), { ca: root });
    expect([answer.status, answer.body]).toEqual([200, `hello a.${name}:${ingress.ports.https}`]);
    expect(ingress.caddyPid).toBe(caddyPid);
    // A name that is no route has none, although the certificate would cover it.
    expect(await shown(`nobody.${name}`)).toBe('none');
    // Edge goes on without database and server.
    await ingress.stopEdge('SIGTERM');
    await ingress.startEdge();
    expect(await shown(`b.${name}`)).toBe(both(name));
    // The challenge is gone from DNS.
    await keepDns();
    expect(await digger(named).txt(`_acme-challenge.${name}`)).toEqual([]);

    const row = await server.app.db
      .selectFrom('wildcard_certificate')
      .selectAll()
      .where('domain_id', '=', made.id as never)
      .executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toContain('PRIVATE');
    expect(openBundle(edgeKey, name, row.bundle ?? '')).toContain('PRIVATE KEY');
    expect([
      openBundle(randomBytes(32), name, row.bundle ?? ''),
      openBundle(edgeKey, `x${name}`, row.bundle ?? ''),
    ]).toEqual([null, null]);
    for (const text of [server.logLines.join('\n'), ingress.caddyLog.text, ingress.edgeLog.text])
      expect(text).not.toContain('PRIVATE');
  });

  it('V5: nobody but Caddy gets a key: neither by the plain port nor by edge’s socket', async () => {
    const [{ name = '' } = {}] = await server.app.db
      .selectFrom('domain')
      .select('name')
      .where('wildcard', '=', true)
      .execute();
    for (const authorization of [undefined, 'Basic Y2FkZHk6', 'Basic Y2FkZHk6d3Jvbmc=', 'Bearer x']) {
      const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
      const url = `http://127.0.0.1:${ingress.ports.http}/.berth/certificate?server_name=${name}`;
      const answer = await ingress.ask(url, { plain: true, headers });
      expect([answer.status, answer.body]).toEqual([403, '']);
    }
  });

  it('V5: it is made again in time, and the new one is served', { timeout: 120_000 }, async () => {
    const [row] = await server.app.db
      .selectFrom('wildcard_certificate')
      .innerJoin('domain', 'domain.id', 'domain_id')
      .select(['name', 'bundle', 'try_at', 'wildcard_certificate.expires_at'])
      .execute();
    const life = (row?.expires_at?.getTime() ?? 0) - Date.now();
    const renewIn = (row?.try_at?.getTime() ?? 0) - Date.now();
    expect(renewIn / life).toBeGreaterThan(0.6);
    expect(renewIn / life).toBeLessThan(0.7);
    await server.app.db.updateTable('wildcard_certificate').set({ try_at: clock.now() }).execute();
    expect(await keep()).toBe('made 1 of 1 wildcard certificates');
    const [next] = await server.app.db.selectFrom('wildcard_certificate').select('bundle').execute();
    expect(next?.bundle).not.toBe(row?.bundle);
    await until(
      'edge shows the new one',
      async () => (await shown(`b.${row?.name}`)) === both(row?.name ?? ''),
      10_000,
    );
  });

  it('V5: whoever dies in the middle is followed: the same order and key, no second order, one certificate', {
    timeout: 120_000,
  }, async () => {
    const made = await proven(fresh());
    await want(made.id);
    const orders = () => pebble.log.split('Added order').length;
    for (const [step, moment] of [
      ['order', 'recorded'],
      ['challenge', 'effect'],
      ['finalize', 'before'],
    ] as const) {
      const killed = work({
        stopPoint: async (_kind, at, when) => {
          // What a kill leaves: nothing more is written, and the claim of the dead stands.
          if (at === step && when === moment) await new Promise(() => {});
        },
      });
      void wildcardKeeper(killed).run(new AbortController().signal);
      await until(`it stopped at ${step}`, async () => {
        const row = await server.app.db
          .selectFrom('wildcard_certificate')
          .select('order_url')
          .where('domain_id', '=', made.id as never)
          .executeTakeFirst();
        return row?.order_url != null;
      });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect(await keep()).toBeNull();
      clock.advance({ minutes: 11 });
    }
    const before = orders();
    expect(before).toBeGreaterThan(2);
    expect(await keep()).toBe('made 1 of 1 wildcard certificates');
    expect(orders()).toBe(before);
    expect((await domain(made.id)).wildcard).toMatchObject({ state: 'valid' });
  });

  it('V5: a provider that is down, a name that the authority refuses: told, and tried again later', {
    timeout: 120_000,
  }, async () => {
    const made = await proven(fresh());
    await want(made.id);
    await named.pause(async () => {
      expect(await keep()).toBe('made 0 of 1 wildcard certificates');
    });
    expect((await domain(made.id)).wildcard).toMatchObject({
      state: 'failing',
      problem: expect.any(String),
      expiresAt: null,
    });
    expect(await keep()).toBeNull();
    clock.advance({ minutes: 11 });
    expect(await keep()).toBe('made 1 of 1 wildcard certificates');
    expect((await domain(made.id)).wildcard).toMatchObject({ state: 'valid', problem: null });
    await want(made.id, false);
    expect((await domain(made.id)).wildcard).toBeNull();

    const blocked = await proven(`x.${BLOCKED}`);
    await want(blocked.id);
    expect(await keep()).toBe('made 0 of 1 wildcard certificates');
    expect((await domain(blocked.id)).wildcard).toMatchObject({
      state: 'failing',
      problem: expect.stringContaining('refused'),
    });
    await want(blocked.id, false);
  });

  it('V5: without a provider or an authority it is not offered', async () => {
    const other = await home.owner.addStranger();
    const made = await other.owner.call(api.domainsCreate, {
      params: { project: other.project },
      body: { name: fresh() },
    });
    expect(made.can.wildcard).toContain('provider');
    await expect(
      other.owner.call(api.domainsUpdate, { params: { domain: made.id }, body: { wildcard: true } }),
    ).rejects.toMatchObject({ code: 'state_conflict' });
  });

  it('V5: the distribution’s Caddy serves it as well', { timeout: 120_000 }, async () => {
    const caddy = await oldCaddy();
    if (caddy === null) return;
    const [row] = await server.app.db
      .selectFrom('domain')
      .select('name')
      .where('wildcard', '=', true)
      .orderBy('created_at')
      .execute();
    const name = row?.name ?? '';
    const ports = { control: await freePort(), https: await freePort(), http: await freePort() };
    const acme = { directory: pebble.directory, email: null, caFile: pebble.caFile };
    const old = await Ingress.start({ caddy, databaseUrl: database.edgeUrl, domain: CONSOLE, ports, acme, edgeKey });
    try {
      await until('it is shown', async () => (await shown(`a.${name}`, old)) === both(name), 20_000);
    } finally {
      await old.stop();
    }
  });
});

describe('V5: the wildcard certificate of the platform domain', () => {
  const seen = () => home.owner.call(api.platformCertificateGet, {});
  const wantOne = (wildcard = true) => home.owner.call(api.platformCertificateUpdate, { body: { wildcard } });
  const below = (label = `p${randomBytes(3).toString('hex')}`) => `${label}.${CONSOLE}`;
  const orders = () => pebble.log.split('Added order').length;
  /** The first visit has a certificate made, which may take a moment. */
  const visited = (hostname: string, names: string) =>
    until(`${hostname} shows ${names}`, async () => (await shown(hostname)) === names, 30_000);
  const audited = async (action: string) =>
    (await home.owner.call(api.platformAuditList, { query: { action } })).items.map(({ target, actor }) => [
      target,
      actor,
    ]);

  it('V5: it is for administrators of the installation, and needs a provider of the installation', async () => {
    // The organization's provider has the zone; that is no reason to write into it for everybody.
    const before = await seen();
    expect(before).toMatchObject({ domain: CONSOLE, dns: null, wildcard: null });
    expect(before.can.wildcard).toContain('provider');
    await expect(wantOne()).rejects.toMatchObject({ code: 'state_conflict' });
    const other = await home.owner.addStranger();
    for (const route of [api.platformCertificateGet, api.platformCertificateUpdate] as const)
      expect((await other.owner.try(route, { body: { wildcard: true } } as never)).statusCode).toBe(404);
    await home.owner.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
    await home.owner.call(api.platformDnsProvidersCreate, {
      body: { ...rfc2136Body(named, [ZONE]), title: 'Of the installation', shared: false },
    });
    expect(await seen()).toMatchObject({
      dns: { zone: ZONE, provider: 'Of the installation' },
      can: { wildcard: true },
    });
  });

  it('V5: refused or out of reach is told, names get their own certificates meanwhile, and it is tried again', {
    timeout: 120_000,
  }, async () => {
    const challenge = `_acme-challenge.${CONSOLE}`;
    await named.update(ZONE, dnsKey, [add(challenge, 'TXT', 1, 'of somebody else')]);
    expect(await wantOne()).toMatchObject({ wildcard: { state: 'waiting', expiresAt: null, problem: null } });
    expect(await keep()).toBe('made 0 of 1 wildcard certificates');
    expect((await seen()).wildcard).toMatchObject({
      state: 'failing',
      problem: expect.stringContaining('did not make'),
    });
    await named.update(ZONE, dnsKey, [drop(challenge, 'TXT')]);
    clock.advance({ minutes: 11 });
    await named.pause(async () => {
      expect(await keep()).toBe('made 0 of 1 wildcard certificates');
    });
    expect((await seen()).wildcard).toMatchObject({ state: 'failing', expiresAt: null });
    const name = below();
    await addRoute(name);
    await visited(name, `true DNS:${name}`);
  });

  it('V5: one is made though two try at once, together with one of a claimed domain, and serves every name below', {
    timeout: 120_000,
  }, async () => {
    clock.advance({ minutes: 11 });
    const made = await proven(fresh());
    await want(made.id);
    const asked = orders();
    const both = await Promise.all([keep(), keep()]);
    expect(both.map((line) => Number(/made (\d)/.exec(line ?? '')?.[1] ?? 0)).reduce((a, b) => a + b)).toBe(2);
    // The order of the attempts that failed goes on.
    expect(orders() - asked).toBe(1);
    expect((await seen()).wildcard).toMatchObject({ state: 'valid', issuer: expect.stringMatching(/pebble/i) });
    expect((await domain(made.id)).wildcard).toMatchObject({ state: 'valid' });
    await want(made.id, false);
    const caddyPid = ingress.caddyPid;
    const names = `true DNS:${CONSOLE}, DNS:*.${CONSOLE}`;
    const first = below();
    await addRoute(first);
    await visited(first, names);
    const second = below();
    await addRoute(second);
    expect(await shown(second)).toBe(names);
    const answer = await ingress.ask(ingress.url(second), { ca: root });
    expect([answer.status, answer.body]).toEqual([200, `hello ${second}:${ingress.ports.https}`]);
    // A name that nothing has says so on a page; two labels below are not covered.
    expect(await shown(below())).toBe(names);
    expect((await ingress.ask(ingress.url(below()), { ca: root })).status).toBe(404);
    expect(await shown(`x.${below()}`)).toBe('none');
    // No name cost a certificate of its own.
    expect(orders() - asked).toBe(1);
    expect(ingress.caddyPid).toBe(caddyPid);
    await ingress.stopEdge('SIGTERM');
    await ingress.startEdge();
    expect(await shown(second)).toBe(names);
    await keepDns();
    expect(await digger(named).txt(`_acme-challenge.${CONSOLE}`)).toEqual([]);
    expect(await audited('platform.certificate.made')).toEqual([[`*.${CONSOLE}`, expect.stringContaining('wildcard')]]);
  });

  it('V5: an installation with another domain has one made for that', { timeout: 120_000 }, async () => {
    expect(await keep({ platform: `moved.${ZONE}` })).toBe('made 1 of 1 wildcard certificates');
    const { platform_domain: name } = await server.app.db
      .selectFrom('wildcard_certificate')
      .select('platform_domain')
      .where('id', '=', 'platform')
      .executeTakeFirstOrThrow();
    expect(name).toBe(`moved.${ZONE}`);
    expect(await keep()).toBe('made 1 of 1 wildcard certificates');
    expect((await seen()).wildcard).toMatchObject({ state: 'valid' });
  });

  it('V5: switched off, it is gone, and each name gets its own again', { timeout: 120_000 }, async () => {
    expect(await wantOne(false)).toMatchObject({ wildcard: null, can: { wildcard: true } });
    const rows = await server.app.db
      .selectFrom('wildcard_certificate')
      .selectAll()
      .where('id', '=', 'platform')
      .execute();
    expect(rows).toEqual([]);
    const name = below();
    await addRoute(name);
    await visited(name, `true DNS:${name}`);
    expect(await keep()).toBeNull();
    expect((await audited('platform.certificate.update')).length).toBe(2);
  });
});
