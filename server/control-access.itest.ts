/** V6: the control plane is open to chosen networks only, in the server and in edge, and nobody locks themselves out unawares. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { controlGate, parseControlAccess } from '#domain/control-access.ts';
import { testCaddy } from '#testkit/caddy.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { makeMmdb } from '#testkit/mmdb.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let second: TestServer;
let ingress: Ingress;
let home: SetUp;
let dir: string;
let file: string;

beforeAll(async () => {
  const database = await withDatabase();
  dir = mkdtempSync(join(tmpdir(), 'berth-countries-'));
  file = join(dir, 'country.mmdb');
  server = await startTestServer({ database, startWork: idleWork, config: { countryFile: file } });
  second = await startTestServer({ database, startWork: idleWork, config: { countryFile: file } });
  home = await server.setUp();
  ingress = await Ingress.start({ caddy: await testCaddy(), databaseUrl: database.edgeUrl, countryFile: file });
});
afterAll(async () => {
  await ingress?.stop();
  await second?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Edge as Caddy asks it for a client at `address`. */
const edgeStatus = (address: string, path = '/edge/v1/sign-in'): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = { 'x-forwarded-for': `192.0.2.1, ${address}`, host: 'berth.localhost' };
    const call = request({ socketPath: ingress.socket('edge'), path, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('error', reject);
    call.end();
  });
const socketStatus = (address: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = {
      'x-forwarded-for': address,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const path = '/edge/v1/instances/ins_00000000000000000000000000/logs';
    const call = request({ socketPath: ingress.socket('edge'), path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end();
  });
const statusFrom = async (address: string, at: TestServer = server, url: string = api.setupState.path) =>
  (await at.http.fastify.inject({ url, headers: { 'x-forwarded-for': `127.0.0.1, ${address}` } })).statusCode;
const set = (networks: string[], evenMe = false, countries: string[] = []) =>
  home.owner.call(api.controlAccessUpdate, { body: { networks, countries, evenMe } });

describe('V6: allow-list of the control plane', () => {
  it('V6: nobody locks themselves out without saying so', async () => {
    expect(await home.owner.call(api.controlAccessGet, {})).toMatchObject({
      networks: [],
      countries: [],
      address: '192.0.2.7',
    });
    await expect(set(['198.51.100.0/24'])).rejects.toMatchObject({ code: 'state_conflict' });
    expect(await statusFrom('203.0.113.9')).toBe(200);
    await expect(set(['not a network'])).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('V6: server and edge let in who is on the list and refuse the rest, on every replica, pages and sockets alike', async () => {
    await set(['192.0.2.0/24', '2001:db8::/32']);
    for (const url of [api.setupState.path, '/', '/api/v1/setup', '/.well-known/jwks.json', '/docs/'])
      expect(await statusFrom('203.0.113.9', server, url), url).toBe(403);
    for (const address of ['192.0.2.200', '2001:db8::7', '127.0.0.1', '::1'])
      expect(await statusFrom(address), address).toBe(200);
    // What the client itself says does not count.
    const forged = await server.http.fastify.inject({
      url: api.setupState.path,
      headers: { 'x-forwarded-for': '192.0.2.1, 203.0.113.9', 'x-real-ip': '192.0.2.1' },
    });
    expect([forged.statusCode, forged.json().code]).toEqual([403, 'forbidden']);
    await until('the other replica knows', async () => (await statusFrom('203.0.113.9', second)) === 403, 6_000);
    await until('edge knows', async () => (await edgeStatus('203.0.113.9')) === 403, 3_000);
    expect(await socketStatus('203.0.113.9')).toBe(403);
    expect(await edgeStatus('192.0.2.200')).not.toBe(403);
    expect(await socketStatus('192.0.2.200')).toBe(101);
  });

  it('V6: edge remembers it when it starts without a database; user plane and health are not concerned', async () => {
    expect(await edgeStatus('203.0.113.9', '/healthz')).toBe(200);
    expect(await edgeStatus('203.0.113.9', '/internal/ask?domain=berth.localhost')).toBe(200);
    await ingress.stopEdge('SIGTERM');
    await ingress.startEdge();
    expect(await edgeStatus('203.0.113.9')).toBe(403);
  });

  it('V6: whoever locked themselves out opens it again from the machine itself', async () => {
    await set(['198.51.100.0/24'], true);
    expect((await home.owner.try(api.whoami, {})).statusCode).toBe(403);
    home.owner.address = '127.0.0.1';
    await set([]);
    home.owner.address = '192.0.2.7';
    expect((await home.owner.try(api.whoami, {})).statusCode).toBe(200);
    await until('edge knows', async () => (await edgeStatus('203.0.113.9')) !== 403, 3_000);
  });

  it('V6: a setting that cannot be understood lets nobody in but the machine itself', () => {
    for (const broken of [{}, { networks: 'x' }, { networks: [1] }, { networks: [], countries: [1] }, 'x', 7]) {
      const gate = controlGate(
        parseControlAccess(broken),
        (address) => address === '127.0.0.1',
        () => null,
      );
      expect([gate('192.0.2.1'), gate('127.0.0.1')]).toEqual([false, true]);
    }
    expect(
      controlGate(
        { networks: ['nonsense'], countries: [] },
        () => false,
        () => null,
      )('192.0.2.1'),
    ).toBe(false);
  });
});

describe('V6: countries', () => {
  const here = { '192.0.2.0/24': 'FR', '203.0.113.0/24': 'DE', '198.51.100.128/25': 'DE', '2001:db8:49::/48': 'DE' };
  /** As a program that updates it does: beside, then in its place. */
  const put = (bytes: Buffer) => {
    writeFileSync(`${file}.new`, bytes);
    renameSync(`${file}.new`, file);
  };
  const database = async () => (await home.owner.call(api.controlAccessGet, {})).database;

  it('V6: countries are refused while there is no database, or one that is none, so that nobody is locked out', async () => {
    expect(await database()).toMatchObject({ state: 'none' });
    await expect(set([], false, ['FR'])).rejects.toMatchObject({ code: 'state_conflict' });
    put(Buffer.from('no database'));
    expect(await database()).toMatchObject({ state: 'broken', problem: expect.any(String) });
    await expect(set([], true, ['FR'])).rejects.toMatchObject({ code: 'state_conflict' });
    put(makeMmdb(here, 'GeoLite2-ASN'));
    expect(await database()).toMatchObject({ state: 'broken', problem: expect.stringContaining('countries') });
    put(makeMmdb(here));
    expect(await database()).toMatchObject({ state: 'ready', builtAt: expect.any(String) });
    expect(await home.owner.call(api.controlAccessGet, {})).toMatchObject({ address: '192.0.2.7', country: 'FR' });
    await expect(set([], false, ['Germany'])).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(set([], false, ['DE'])).rejects.toMatchObject({ code: 'state_conflict' });
  });

  it('V6: server and edge let in who is in one of the countries or networks, and nobody whose country is unknown', async () => {
    await set(['192.0.2.0/24'], false, ['DE']);
    const allowed = [
      '192.0.2.200',
      '203.0.113.9',
      '198.51.100.200',
      '2001:db8:49::1',
      '::ffff:203.0.113.9',
      '127.0.0.1',
    ];
    for (const address of allowed) expect(await statusFrom(address), address).toBe(200);
    for (const address of ['198.51.100.1', '2001:db8:50::1', '::ffff:198.51.100.1', '100.64.0.1']) {
      expect(await statusFrom(address), address).toBe(403);
    }
    await until('the other replica knows', async () => (await statusFrom('198.51.100.1', second)) === 403, 6_000);
    await until('and who may enter', async () => (await statusFrom('203.0.113.9', second)) === 200, 6_000);
    await until(
      'edge knows',
      async () => (await edgeStatus('198.51.100.1')) === 403 && (await edgeStatus('203.0.113.9')) !== 403,
      6_000,
    );
  });

  it('V6: a database that is changed is read; one that is damaged or gone does not replace it, and after a restart lets in networks only', async () => {
    put(makeMmdb({ '198.51.100.0/24': 'DE' }));
    await until(
      'server and edge have read it',
      async () => (await statusFrom('198.51.100.1')) === 200 && (await edgeStatus('198.51.100.1')) !== 403,
      8_000,
    );
    expect(await edgeStatus('203.0.113.9')).toBe(403);
    put(makeMmdb({ '198.51.100.0/24': 'DE' }).subarray(0, 100));
    expect(await database()).toMatchObject({ state: 'broken' });
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect([await statusFrom('198.51.100.1'), (await edgeStatus('198.51.100.1')) !== 403]).toEqual([200, true]);
    rmSync(file);
    await ingress.stopEdge('SIGTERM');
    await ingress.startEdge();
    expect(await edgeStatus('198.51.100.1')).toBe(403);
    expect(await edgeStatus('192.0.2.9')).not.toBe(403);
    expect(await edgeStatus('127.0.0.1')).not.toBe(403);
    await set([]);
    await until('edge knows', async () => (await edgeStatus('198.51.100.1')) !== 403, 3_000);
  });
});
