/**
 * Downloads and uploads of people whose right to them ends, for real: Caddy, the edge process, PostgreSQL, and the agent
 * that cuts connections in this machine's kernel. Guests are programs of this test.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { type CaddyProgram, oldCaddy, testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { freePort, Ingress, until } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Guest, type Person, type SignedIn, type Tenant, Tenants } from '#testkit/tenants.ts';
import { RoutePasses } from './route-pass.ts';

/** What is promised; each cut alone may take longer while this machine is busy with other tests, most may not. */
const CUT_MS = 1_000;
const CUT_MS_MAX = 5_000;
const HOST = 'app.berth.localhost';
const PART = Buffer.alloc(16 * 1024, 7);
const EVERY_MS = 20;

type App = { port: number; server: Server; received: { bytes: number; ended: boolean }[] };

/** A program inside a guest: /slow/<n> sends n parts one after the other, a POST is read, anything else is short. */
async function listenAs(guest: Guest): Promise<App> {
  const received: App['received'] = [];
  const server = createServer((call, response) => {
    const parts = Number(/^\/slow\/(\d+)$/.exec(call.url ?? '')?.[1] ?? 0);
    if (call.method === 'POST') {
      const upload = { bytes: 0, ended: false };
      received.push(upload);
      call.on('data', (part: Buffer) => {
        upload.bytes += part.length;
      });
      call.on('error', () => undefined);
      call.on('close', () => {
        upload.ended = true;
      });
      call.on('end', () => response.end('thanks'));
      return;
    }
    if (parts === 0) {
      response.end('short');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/zip', 'content-length': parts * PART.length });
    let left = parts;
    const timer = setInterval(() => {
      response.write(PART);
      if (--left > 0) return;
      clearInterval(timer);
      response.end();
    }, EVERY_MS);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, guest.address, resolve));
  return { port: (server.address() as AddressInfo).port, server, received };
}

/** `closedAt`: when it ended; `whole`: all that was announced arrived. */
type Download = { bytes: number; closedAt: number | null; whole: boolean; stop(): void };

const caddys: { label: string; caddy: CaddyProgram }[] = [{ label: 'as wanted', caddy: await testCaddy() }];
const old = await oldCaddy();
if (old !== null) caddys.push({ label: 'of the distribution', caddy: old });

let agent: TestAgent;
let https: number;

beforeAll(async () => {
  https = await freePort();
  agent = await startAgent({ httpsPort: https });
});
afterAll(() => agent?.close());

describe.each(caddys)('behind Caddy $caddy.version ($label)', ({ caddy }) => {
  let ingress: Ingress;
  let tenants: Tenants;
  let tenant: Tenant;
  let owner: Person;
  let guest: Guest;
  let app: App;
  let routeId: string;
  let passes: RoutePasses;
  const open: Download[] = [];
  /** How long each cut took. */
  const took: number[] = [];

  beforeAll(async () => {
    const database = await withDatabase();
    tenants = await Tenants.connect(database.url);
    tenant = await tenants.tenant();
    owner = await tenants.person(tenant, 'owner');
    guest = await tenants.guest(tenant, owner);
    app = await listenAs(guest);
    routeId = await tenants.route(guest, HOST, app.port, 'private');
    ingress = await Ingress.start({
      caddy,
      databaseUrl: database.edgeUrl,
      agentSocket: agent.socket,
      agentToken: agent.tokens.edge,
      ports: { control: await freePort(), https, http: await freePort() },
    });
    passes = new RoutePasses(Buffer.from(readFileSync(`${ingress.dir}/edge.key`, 'utf8'), 'base64'));
  });
  afterAll(async () => {
    for (const one of open) one.stop();
    await ingress?.stop();
    await tenants?.end();
    app?.server.closeAllConnections();
    app?.server.close();
  });

  const cookie = (session: SignedIn, host = HOST): string =>
    `__Host-berth-route=${passes.issue(session.id, host, Date.now() + 3_600_000)}`;
  const tls = () => ({ ca: readFileSync(ingress.caFile), lookup: loopbackLookup });

  /** Begins a download on a connection of its own and answers once its first bytes are there. */
  async function download(headers: Record<string, string>, parts = 10_000, host = HOST): Promise<Download> {
    const one: Download = { bytes: 0, closedAt: null, whole: false, stop: () => call.destroy() };
    open.push(one);
    const ended = (): void => {
      one.closedAt ??= performance.now();
    };
    const call = request(ingress.url(host, `/slow/${parts}`), { ...tls(), agent: false, headers });
    await new Promise<void>((resolve, reject) => {
      call.on('error', (error) => {
        ended();
        reject(error);
      });
      call.on('response', (response) => {
        if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
        response.on('data', (part: Buffer) => {
          one.bytes += part.length;
          resolve();
        });
        response.on('error', ended);
        response.on('end', () => {
          one.whole = response.complete;
        });
        response.on('close', ended);
      });
      call.end();
    });
    return one;
  }

  /** Everything in `mine` ends within a second of `change`; what `others` load goes on. */
  async function cuts(mine: Download[], others: Download[], change: () => Promise<unknown>): Promise<void> {
    const started = performance.now();
    await change();
    await until('all are cut', () => mine.every(({ closedAt }) => closedAt !== null), CUT_MS_MAX);
    for (const { closedAt, whole } of mine) {
      took.push(closedAt! - started);
      expect(whole).toBe(false);
    }
    const before = others.map(({ bytes }) => bytes);
    await sleep(500);
    for (const [at, { bytes, closedAt }] of others.entries()) {
      expect(closedAt).toBeNull();
      expect(bytes).toBeGreaterThan(before[at] ?? 0);
    }
  }

  it('I4: a download under way is cut within a second when the person signs out; another one of theirs and of others goes on', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const mine = [await download({ cookie: cookie(session) }), await download({ cookie: cookie(session) })];
    const others = [
      await download({ cookie: cookie(await tenants.session(person)) }),
      await download({ cookie: cookie(await tenants.session(owner)) }),
    ];
    await cuts(mine, others, () => tenants.revokeSession(session, person));
    await expect(download({ cookie: cookie(session) })).rejects.toThrow('status 401');
    for (const other of others) other.stop();
  });

  it('A7: so it is when a grant is revoked, the membership or the token ends; an upload is cut as well', async () => {
    const stranger = await download({ cookie: cookie(await tenants.session(owner)) });
    const person = await tenants.person(tenant, 'guest');
    const session = await tenants.session(person);
    const grant = tenants.newId('grt');
    await tenants.query(
      `insert into app_grant (id, organization_id, app, user_id, permissions, granted_by) values ($1, $2, $3, $4, '{open}', $5)`,
      [grant, tenant.organizationId, guest.id, person.id, owner.id],
    );
    await tenants.hint('member', person.id, tenant.organizationId);
    let mine: Download | null = null;
    await until('the grant works', async () => {
      mine = await download({ cookie: cookie(session) }).catch(() => null);
      return mine !== null;
    });
    await cuts([mine!], [stranger], async () => {
      await tenants.query('delete from app_grant where id = $1', [grant]);
      await tenants.hint('member', person.id, tenant.organizationId);
    });

    const member = await tenants.person(tenant, 'member');
    const token = await tenants.token(member);
    const program = await download({ authorization: `Bearer ${token.secret}` });
    await cuts([program], [stranger], async () => {
      await tenants.query('update api_token set revoked_at = now() where id = $1', [token.id]);
      await tenants.hint('session', member.id);
    });

    const headers = { cookie: cookie(await tenants.session(member)) };
    const loads = await download(headers);
    const call = request(ingress.url(HOST, '/up'), { ...tls(), agent: false, method: 'POST', headers });
    let uploadEndedAt: number | null = null;
    call.on('error', () => undefined);
    call.on('close', () => {
      uploadEndedAt = performance.now();
    });
    const timer = setInterval(() => call.write(PART), EVERY_MS);
    try {
      await until('the app reads', () => (app.received.at(-1)?.bytes ?? 0) > 0, 3_000);
      await cuts([loads], [stranger], async () => {
        await tenants.query('delete from membership where user_id = $1', [member.id]);
        await tenants.hint('member', member.id, tenant.organizationId);
      });
      await until('the upload is cut', () => uploadEndedAt !== null && app.received.at(-1)?.ended === true, CUT_MS_MAX);
    } finally {
      clearInterval(timer);
      call.destroy();
      stranger.stop();
    }
  });

  it('V5: a public address that is made private cuts who may not enter; so do its end and a narrower allow-list', async () => {
    const at = 'goes.berth.localhost';
    const goes = await tenants.route(guest, at, app.port, 'public');
    const stays = await download({ cookie: cookie(await tenants.session(owner)) });
    const session = await tenants.session(await tenants.person(tenant, 'member'));
    const member = { cookie: cookie(session, at) };
    // Where nobody has to sign in, only who is known already is somebody.
    (await download({ cookie: cookie(session) })).stop();
    const change = (text: string) => async (): Promise<void> => {
      await tenants.query(`${text} where id = $1`, [goes]);
      await tenants.hint('route', goes, tenant.organizationId);
    };
    const there = async (): Promise<Download> => {
      let found: Download | null = null;
      await until('it answers', async () => {
        found = await download(member, 10_000, at).catch(() => null);
        return found !== null;
      });
      return found!;
    };
    const theirs = await there();
    const anonymous = await download({}, 10_000, at);
    await cuts([anonymous], [stays, theirs], change(`update route set visibility = 'private'`));
    await cuts([theirs], [stays], change('update route set enabled = false'));
    await change('update route set enabled = true')();
    await cuts([await there()], [stays], change(`update route set options = '{"allow":["192.0.2.0/24"]}'`));
    await change(`update route set options = '{}'`)();
    await cuts([await there()], [stays], change('delete from route'));
    expect(routeId).not.toBe(goes);
    stays.stop();
  });

  it('I4: over HTTP/2 a connection carries many requests: it is cut with what is under way', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const origin = `https://${HOST}:${https}`;
    const dial = () => connect(origin, { ca: readFileSync(ingress.caFile), lookup: loopbackLookup as never });
    const load = async (by: ReturnType<typeof dial>, headers: Record<string, string>, path: string) => {
      const stream = by.request({ ':path': path, ...headers });
      const one: Download = { bytes: 0, closedAt: null, whole: false, stop: () => by.destroy() };
      open.push(one);
      stream.on('data', (part: Buffer) => {
        one.bytes += part.length;
      });
      stream.on('end', () => {
        one.whole = true;
      });
      stream.on('error', () => undefined);
      stream.on('close', () => {
        one.closedAt ??= performance.now();
      });
      const answer = await new Promise<IncomingHttpHeaders>((resolve) => stream.on('response', resolve));
      expect(answer[':status']).toBe(200);
      return { one, stream };
    };
    const [mine, other] = [dial(), dial()];
    for (const each of [mine, other]) each.on('error', () => undefined);
    try {
      const big = await load(mine, { cookie: cookie(session) }, '/slow/10000');
      const allowed = await load(other, { cookie: cookie(await tenants.session(owner)) }, '/slow/10000');
      // Short ones beside it do not make it forgotten.
      for (let n = 0; n < 3; n++) await load(mine, { cookie: cookie(session) }, '/short');
      await until('bytes', () => big.one.bytes > 0 && allowed.one.bytes > 0, 2_000);
      const started = performance.now();
      await tenants.revokeSession(session, person);
      await until('it is cut', () => mine.destroyed && big.one.closedAt !== null, CUT_MS_MAX);
      took.push(big.one.closedAt! - started);
      const before = allowed.one.bytes;
      await until('the other goes on', () => allowed.one.bytes > before, 3_000);
    } finally {
      mine.destroy();
      other.destroy();
    }
  });

  it('I4: what is allowed arrives whole, whatever changes meanwhile', async () => {
    const session = await tenants.session(owner);
    const parts = 75;
    const mine = await download({ cookie: cookie(session) }, parts);
    for (let n = 0; n < 5; n++) {
      const person = await tenants.person(tenant, 'member');
      const theirs = await tenants.session(person);
      const [one] = [await download({ cookie: cookie(theirs) })];
      await cuts([one], [], () => tenants.revokeSession(theirs, person));
    }
    await until('the end', () => mine.closedAt !== null, 10_000);
    expect([mine.whole, mine.bytes]).toEqual([true, parts * PART.length]);
  });

  it('I4: a connection whose answer has arrived is left alone: the next request on it gets the page that refuses', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const keep = new Agent({ keepAlive: true, maxSockets: 1, ...tls() });
    const ports = new Set<number>();
    const ask = () =>
      new Promise<number>((resolve, reject) => {
        const call = request(
          ingress.url(HOST, '/short'),
          { agent: keep, headers: { cookie: cookie(session) } },
          (response) => {
            ports.add(response.socket.localPort ?? 0);
            response.resume();
            response.on('error', reject);
            response.on('end', () => resolve(response.statusCode ?? 0));
          },
        );
        call.on('error', reject);
        call.end();
      });
    try {
      const seen: number[] = [await ask()];
      await tenants.revokeSession(session, person);
      const end = performance.now() + 1_500;
      while (performance.now() < end) {
        seen.push(await ask());
        await sleep(40);
      }
      expect([seen[0], seen.at(-1)]).toEqual([200, 401]);
      expect(ports.size).toBe(1);
    } finally {
      keep.destroy();
    }
  });

  it('D7: what could not be cut while the agent was away is cut when it is back', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const mine = await download({ cookie: cookie(session) });
    await agent.kill();
    try {
      await tenants.revokeSession(session, person);
      await sleep(1_500);
      expect(mine.closedAt).toBeNull();
    } finally {
      await agent.start();
    }
    await until('it is cut', () => mine.closedAt !== null, CUT_MS_MAX);
    expect(mine.whole).toBe(false);
  });

  it('I4: a cut takes less than a second', () => {
    expect(took.length).toBeGreaterThan(10);
    const sorted = took.toSorted((one, other) => one - other);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(CUT_MS);
  });
});
