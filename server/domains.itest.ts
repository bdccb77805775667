/**
 * V5 from one end to the other: a name of one's own, proven through a real BIND, served over HTTPS by a real Caddy and
 * the real edge; and everything that must not happen on the way.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { api } from '#contract/api.ts';
import { DOMAIN_GRACE_DAYS, DOMAINS_PER_PROJECT_MAX } from '#domain/domains.ts';
import type { DomainId } from '#domain/ids.ts';
import { testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { makeDomain, type Place } from '#testkit/factories.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { Named } from '#testkit/named.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, TestClock, type TestServer } from '#testkit/server.ts';
import { type Guest, Tenants } from '#testkit/tenants.ts';
import { domainKeeper } from './reconcilers/domain-keeper.ts';
import { createDns } from './runtime/dns.ts';
import { dueDomains } from './store/domains.ts';
import { checkDomain } from './workflows/domain-check.ts';

const ZONE = 'example.test';
const clock = new TestClock();
const masterKey = randomBytes(32).toString('base64');
let named: Named;
let database: Awaited<ReturnType<typeof withDatabase>>;
let server: TestServer;
let ingress: Ingress;
let tenants: Tenants;
let setUp: SetUp;
let home: SetUp;
let other: SetUp;
let third: SetUp;
let guest: Guest;
let otherGuest: Guest;
let program: Server;
let port: number;

beforeAll(async () => {
  [named, database] = await Promise.all([Named.start({ [ZONE]: [] }), withDatabase()]);
  server = await startTestServer({
    database,
    startWork: idleWork,
    clock,
    masterKey,
    config: { resolvers: [named.server] },
  });
  setUp = await server.setUp();
  home = setUp;
  other = await home.owner.addStranger('other');
  third = await setUp.owner.addStranger('third');
  // Tokens: the clock moves by days, and sessions end.
  home = { ...home, owner: await home.owner.program() };
  other = { ...other, owner: await other.owner.program() };
  third = { ...third, owner: await third.owner.program() };
  tenants = await Tenants.connect(database.url);
  guest = await guestOf(home);
  otherGuest = await guestOf(other);
  program = createServer((request, response) => response.end(`${request.headers.host} ${request.url}`));
  const echo = new WebSocketServer({ server: program });
  echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data, { binary: false })));
  await new Promise<void>((resolve) => program.listen(0, guest.address, resolve));
  port = (program.address() as AddressInfo).port;
  ingress = await Ingress.start({ caddy: await testCaddy(), databaseUrl: database.edgeUrl });
});
afterAll(async () => {
  await ingress?.stop();
  await tenants?.end();
  program?.close();
  await server?.stop();
  await named?.stop();
});

/** The same person's program, calling the server that runs now. */
function onServer(tenant: SetUp): TestClient {
  const client = new TestClient(server);
  client.token = tenant.owner.token;
  client.userId = tenant.owner.userId;
  return client;
}
const guestOf = (tenant: SetUp) =>
  tenants.guest(
    { organizationId: tenant.organization, projectId: tenant.project },
    { id: tenant.owner.userId ?? '', email: '' },
  );
const claim = (name: string, by: SetUp = home) =>
  by.owner.call(api.domainsCreate, { params: { project: by.project }, body: { name } });
const check = (domain: { id: string }, by: SetUp = home) =>
  by.owner.call(api.domainsCheck, { params: { domain: domain.id } });
const txt = (domain: { challenge: { name: string; value: string } }) =>
  `${domain.challenge.name}. IN TXT "${domain.challenge.value}"`;
const addRoute = (hostname: string, more: object = {}, by: SetUp = home, to: Guest = guest) =>
  by.owner.call(api.routesCreate, {
    params: { instance: to.id },
    body: { hostname, port, visibility: 'public', ...more },
  });
const fresh = () => `n${randomBytes(4).toString('hex')}.${ZONE}`;
const checker = () => ({
  db: server.app.db,
  dns: server.app.dns,
  platform: server.app.config.domain,
  now: server.app.services.now,
});
/** Zone and claim in one go. */
async function proven(name: string, by: SetUp = home) {
  const domain = await claim(name, by);
  await named.set(ZONE, [txt(domain)]);
  return check(domain, by);
}
const served = (hostname: string) =>
  ingress.ask(ingress.url(hostname)).then(
    (answer) => answer.status,
    () => 'no certificate',
  );

describe('V5: domains of tenants', () => {
  it('V5: a name is claimed, proven by its TXT record, routed, and served over HTTPS; without proof it is not', async () => {
    const name = `shop.${ZONE}`;
    const domain = await claim(name);
    expect(domain).toMatchObject({ state: 'pending', proof: null });
    expect(await check(domain)).toMatchObject({ state: 'pending', reason: expect.stringContaining('no TXT record') });
    await expect(addRoute(name)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await served(name)).toBe('no certificate');

    await named.set(ZONE, [`${domain.challenge.name}. IN TXT "berth-verify=something else"`]);
    expect(await check(domain)).toMatchObject({ state: 'pending', reason: expect.stringContaining('right value') });
    await named.set(ZONE, [`${domain.challenge.name}. IN TXT "v=spf1 -all"`, txt(domain)]);
    expect(await check(domain)).toMatchObject({ state: 'verified', proof: 'txt', reason: null, expiresAt: null });

    const route = await addRoute(name);
    expect(route).toMatchObject({ domain: domain.id, url: `https://${name}` });
    // That there is none was believed for a second.
    await until('edge has heard of it', async () => (await served(name)) === 200, 5_000);
    const answer = await ingress.ask(ingress.url(name, '/hello'));
    expect([answer.status, answer.body]).toEqual([200, `${name}:${ingress.ports.https} /hello`]);
    // A proven domain covers what lies below it, and nothing beside it.
    await addRoute(`deep.api.${name}`);
    expect(await served(`deep.api.${name}`)).toBe(200);
    await expect(addRoute(`other.${ZONE}`)).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await served(`unknown.${name}`)).toBe('no certificate');
    const actions = await tenantActions();
    expect(actions).toEqual(expect.arrayContaining(['domain.create', 'domain.verify', 'route.create']));
  });

  it('V5: an alias of an address of the same project proves a name; of another project it does not', async () => {
    const own = await addRoute(`mine-${randomBytes(3).toString('hex')}.berth.localhost`);
    const name = fresh();
    const [mine, theirs] = [await claim(name), await claim(name, other)];
    await named.set(ZONE, [`${name}. IN CNAME ${own.hostname}.`]);
    expect(await check(theirs, other)).toMatchObject({ state: 'pending', pointsHere: true });
    expect(await check(mine)).toMatchObject({ state: 'verified', proof: 'cname', pointsHere: true });
  });

  it('V5: a name with this installation’s addresses is proven by them only while nobody else claims it', async () => {
    const [name, contested] = [fresh(), fresh()];
    const dns = createDns([named.server]);
    const here = { ...checker(), platform: ZONE, dns };
    const [alone, first] = [await claim(name), await claim(contested)];
    await claim(contested, other);
    const records = ['@ IN A 192.0.2.80', `${name}. IN A 192.0.2.80`, `${contested}. IN A 192.0.2.80`];
    await named.set(ZONE, records);
    expect(await checkDomain(here, first.id as DomainId)).toMatchObject({
      state: 'pending',
      reason: expect.stringContaining('TXT'),
    });
    expect(await checkDomain(here, alone.id as DomainId)).toMatchObject({ state: 'verified', proof: 'address' });
    // Whoever can write to the zone wins over whoever was merely first.
    const late = await claim(name, other);
    await named.set(ZONE, [...records, txt(late)]);
    expect(await check(late, other)).toMatchObject({ state: 'verified', proof: 'txt' });
    const lost = await home.owner.call(api.domainsList, { params: { project: home.project } });
    expect(lost.items.find((each) => each.id === alone.id)).toMatchObject({ state: 'lost', proof: null });
  });

  it('V5: a proven name is not taken over while its record stands; it changes hands when DNS says so', async () => {
    const name = fresh();
    const mine = await proven(name);
    await addRoute(name);
    expect(await served(name)).toBe(200);
    const theirs = await claim(name, other);
    await named.set(ZONE, [txt(mine), txt(theirs)]);
    expect(await check(theirs, other)).toMatchObject({ state: 'pending', reason: expect.stringContaining('Another') });
    await expect(addRoute(name, {}, other, otherGuest)).rejects.toMatchObject({ code: 'invalid_input' });
    // A resolver that does not answer takes nothing away.
    await named.set(ZONE, [txt(theirs)]);
    await named.pause(async () => {
      expect(await check(mine)).toMatchObject({ state: 'verified', reason: expect.stringContaining('No name server') });
    });
    // The old owner's routes go first: nobody inherits what leads to somebody else.
    expect(await check(theirs, other)).toMatchObject({ state: 'pending', reason: expect.stringContaining('routes') });
    const routes = await home.owner.call(api.routesList, { params: { instance: guest.id } });
    const route = routes.items.find((each) => each.hostname === name);
    await home.owner.call(api.routesDelete, { params: { route: route?.id ?? '' } });
    expect(await check(theirs, other)).toMatchObject({ state: 'verified', proof: 'txt' });
    expect(await check(mine)).toMatchObject({ state: 'lost' });
  });

  it('V5: a domain whose record is gone stops after the grace, with its certificate and routes, and comes back', async () => {
    const name = fresh();
    const domain = await proven(name);
    await addRoute(name);
    expect(await served(name)).toBe(200);
    await named.set(ZONE, []);
    expect(await check(domain)).toMatchObject({ state: 'verified', failingSince: expect.any(String) });
    expect(await served(name)).toBe(200);
    clock.advance({ days: DOMAIN_GRACE_DAYS, minutes: 1 });
    expect(await check(domain)).toMatchObject({ state: 'lost' });
    await until('edge has forgotten it', async () => (await served(name)) !== 200, 3_000);
    await named.set(ZONE, [txt(domain)]);
    expect(await check(domain)).toMatchObject({ state: 'verified' });
    await until('edge has it again', async () => (await served(name)) === 200, 3_000);
  });

  it('V5: the keeper proves claims by itself and ends those that nobody proves', async () => {
    const [waiting, forgotten] = [await claim(fresh()), await claim(fresh())];
    await named.set(ZONE, [txt(waiting)]);
    const keeper = domainKeeper(server.app.services, server.app.dns);
    await keeper.run(new AbortController().signal);
    const states = async () => {
      const { items } = await home.owner.call(api.domainsList, { params: { project: home.project } });
      return [waiting, forgotten].map((each) => items.find(({ id }) => id === each.id)?.state);
    };
    expect(await states()).toEqual(['verified', 'pending']);
    clock.advance({ days: 8 });
    await Promise.all([keeper.run(new AbortController().signal), keeper.run(new AbortController().signal)]);
    expect(await states()).toEqual(['verified', undefined]);
    expect(await dueDomains(server.app.db, clock.now(), 100)).toEqual([]);
    expect(await tenantActions()).toContain('domain.expire');
  });

  it('V5: races: one of two projects proves a name, one of many routes gets it, and the limit of a project holds', async () => {
    const name = fresh();
    const [mine, theirs] = [await claim(name), await claim(name, other)];
    await named.set(ZONE, [txt(mine), txt(theirs)]);
    const settled = await Promise.all([check(mine), check(theirs, other), check(mine), check(theirs, other)]);
    const owner = new Set(settled.filter((each) => each.state === 'verified').map((each) => each.project));
    expect(owner.size).toBe(1);
    const by = owner.has(home.project) ? home : other;
    const to = by === home ? [guest, await guestOf(home)] : [otherGuest, await guestOf(other)];
    // All paths of a name lead to one instance, also when they are added at once.
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, at) =>
        addRoute(name, { path: at % 3 === 0 ? '/' : `/p${at % 3}` }, by, to[at % 2] as Guest),
      ),
    );
    const made = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(new Set(made.map((route) => route.instance)).size).toBe(1);
    expect(new Set(made.map((route) => route.path)).size).toBe(made.length);
    for (const each of results) if (each.status === 'rejected') expect(each.reason.code).toBe('name_taken');

    const place: Place = {
      organization: third.organization,
      project: third.project,
      person: third.owner.userId ?? ('' as never),
    };
    for (let n = 0; n < DOMAINS_PER_PROJECT_MAX - 5; n++) await makeDomain(server.app.db, place);
    const claims = await Promise.allSettled(Array.from({ length: 20 }, () => claim(fresh(), third)));
    expect(claims.filter((each) => each.status === 'fulfilled')).toHaveLength(5);
  });

  it('V5: 1,000 changes of routes cut none of 50 open WebSockets, and routes go on while the server is away', async () => {
    const name = fresh();
    await proven(name);
    await addRoute(name);
    expect(await served(name)).toBe(200);
    const sockets = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = new WebSocket(ingress.url(name).replace('https', 'wss'), {
          ca: readFileSync(ingress.caFile),
          lookup: loopbackLookup,
        });
        await once(socket, 'open');
        return socket;
      }),
    );
    let closed = 0;
    for (const socket of sockets) socket.on('close', () => closed++);
    const caddyPid = ingress.caddyPid;
    const { owner } = home;
    const spare = await guestOf(home);
    for (let round = 0; round < 50; round++) {
      const made = await Promise.all(
        Array.from({ length: 5 }, (_, n) =>
          addRoute(`r${n}.${name}`, { port: 4000 + n, path: `/x${round}` }, home, spare),
        ),
      );
      const change = (route: { id: string }, body: object) =>
        owner.call(api.routesUpdate, { params: { route: route.id }, body });
      await Promise.all(made.map((route) => change(route, { port: 5000 + round })));
      await Promise.all(made.map((route) => change(route, { rules: { allow: ['192.0.2.0/24'] } })));
      await Promise.all(made.map((route) => owner.call(api.routesDelete, { params: { route: route.id } })));
    }
    const heard = sockets.map((socket, n) => {
      const answer = once(socket, 'message').then(([data]) => String(data));
      socket.send(`message ${n}`);
      return answer;
    });
    expect(await Promise.all(heard)).toEqual(sockets.map((_, n) => `message ${n}`));
    expect([closed, ingress.caddyPid]).toEqual([0, caddyPid]);

    // No server, and edge started anew: what it knew is on its disk.
    await server.stop();
    expect(await served(name)).toBe(200);
    await ingress.stopEdge();
    await ingress.startEdge();
    expect(await served(name)).toBe(200);
    expect(await served(`unknown.${fresh()}`)).toBe('no certificate');
    for (const socket of sockets) socket.terminate();
    server = await startTestServer({
      database,
      startWork: idleWork,
      clock,
      config: { resolvers: [named.server] },
      masterKey,
    });
    home = { ...home, owner: onServer(home) };
  });

  it('V5: names that are nobody’s to claim, and the same name twice', async () => {
    for (const name of ['berth.localhost', 'x.berth.localhost', 'localhost', '192.0.2.1', 'a_b.example.test', '*.a.b'])
      await expect(claim(name), name).rejects.toMatchObject({ code: 'invalid_input' });
    const name = fresh();
    await claim(name);
    await expect(claim(name.toUpperCase())).rejects.toMatchObject({ code: 'name_taken' });
  });
});

async function tenantActions(): Promise<string[]> {
  const rows = await server.app.db
    .selectFrom('audit')
    .select('action')
    .where('organization_id', '=', home.organization)
    .execute();
  return rows.map((row) => row.action);
}
