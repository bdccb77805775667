/** WebSockets and event streams of private routes for real: Caddy, the edge process, PostgreSQL; guests are programs of this test. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request as plain, type Server } from 'node:http';
import { get } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type CaddyProgram, oldCaddy, testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Guest, type Person, type SignedIn, type Tenant, Tenants } from '#testkit/tenants.ts';
import { BRIDGED_PER_USER_MAX } from './bridge.ts';
import { RoutePasses } from './route-pass.ts';

const CUT_MS_MAX = 1_000;
const HOST = 'app.berth.localhost';

type App = { port: number; server: Server; seen: IncomingMessage[]; asked: { body: string }[] };

/** A program inside a guest: echoes WebSocket frames, streams events, refuses upgrades at /no, floods at /flood. */
async function listenAs(guest: Guest): Promise<App> {
  const seen: IncomingMessage[] = [];
  const asked: { body: string }[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    if (request.url?.startsWith('/events')) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-app': 'yes', connection: 'keep-alive' });
      response.write('data: hello\n\n');
      const timer = setInterval(() => response.write('data: tick\n\n'), 100);
      response.on('close', () => clearInterval(timer));
      return;
    }
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      asked.push({ body: Buffer.concat(parts).toString() });
      response.writeHead(201, { 'content-type': 'text/event-stream' });
      response.end(`data: ${Buffer.concat(parts).length}\n\n`);
    });
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 });
  server.on('upgrade', (request, socket, head) => {
    seen.push(request);
    if (request.url === '/no') {
      socket.end('HTTP/1.1 418 Teapot\r\nX-App: no\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (peer) => {
      peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, guest.address, resolve));
  return { port: (server.address() as AddressInfo).port, server, seen, asked };
}

const caddys: { label: string; caddy: CaddyProgram }[] = [{ label: 'as wanted', caddy: await testCaddy() }];
const old = await oldCaddy();
if (old !== null) caddys.push({ label: 'of the distribution', caddy: old });

describe.each(caddys)('the bridge behind Caddy $caddy.version ($label)', ({ caddy }) => {
  let ingress: Ingress;
  let tenants: Tenants;
  let tenant: Tenant;
  let owner: Person;
  let guest: Guest;
  let app: App;
  let routeId: string;
  let passes: RoutePasses;
  const open: { terminate(): void }[] = [];

  beforeAll(async () => {
    const database = await withDatabase();
    tenants = await Tenants.connect(database.url);
    tenant = await tenants.tenant();
    owner = await tenants.person(tenant, 'owner');
    guest = await tenants.guest(tenant, owner);
    app = await listenAs(guest);
    routeId = await tenants.route(guest, HOST, app.port, 'private');
    ingress = await Ingress.start({ caddy, databaseUrl: database.edgeUrl });
    passes = new RoutePasses(Buffer.from(readFileSync(`${ingress.dir}/edge.key`, 'utf8'), 'base64'));
  });
  beforeEach(async () => {
    for (const one of open.splice(0)) one.terminate();
    await until('nothing is open', async () => (await bridged()) === 0, 3_000);
    app.seen.length = 0;
    app.asked.length = 0;
  });
  afterAll(async () => {
    for (const one of open) one.terminate();
    await ingress?.stop();
    await tenants?.end();
    app?.server.closeAllConnections();
    app?.server.close();
  });

  const cookie = (session: SignedIn, host = HOST): string =>
    `__Host-berth-route=${passes.issue(session.id, host, Date.now() + 3_600_000)}`;
  const tls = () => ({ ca: readFileSync(ingress.caFile), lookup: loopbackLookup });

  type Opened = { socket: WebSocket; closedAt: number | null };
  async function webSocket(headers: Record<string, string>, path = '/ws', host = HOST): Promise<Opened> {
    const url = `wss://${host}:${ingress.ports.https}${path}`;
    const socket = new WebSocket(url, { ...tls(), headers, maxPayload: 64 * 1024 * 1024 });
    const opened: Opened = { socket, closedAt: null };
    open.push(socket);
    socket.on('close', () => {
      opened.closedAt = performance.now();
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_request, response) => {
        response.resume();
        reject(new Error(`status ${response.statusCode}`));
      });
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    return opened;
  }

  async function events(headers: Record<string, string>, path = '/events'): Promise<Opened & { text: string }> {
    const stream = { closedAt: null as number | null, text: '' } as Opened & { text: string };
    await new Promise<void>((resolve, reject) => {
      const call = get(
        ingress.url(HOST, path),
        { ...tls(), agent: false, headers: { accept: 'text/event-stream', ...headers } },
        (response) => {
          if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
          const ended = (): void => {
            stream.closedAt ??= performance.now();
          };
          response.on('data', (part: Buffer) => {
            stream.text += part.toString();
            resolve();
          });
          response.on('error', ended);
          response.on('close', ended);
        },
      );
      open.push({ terminate: () => call.destroy() });
      call.on('error', reject);
    });
    return stream;
  }

  async function echo({ socket }: Opened, message: string | Buffer): Promise<string | Buffer> {
    const answer = new Promise<string | Buffer>((resolve) =>
      socket.once('message', (data: Buffer, isBinary) => resolve(isBinary ? data : data.toString())),
    );
    socket.send(message);
    return answer;
  }

  const bridged = async (): Promise<number> => (await ingress.edgeHealth())?.bridged ?? -1;

  /** Everything that is open ends within a second of `change`; what `others` have open stays and works. */
  async function cuts(mine: Opened[], others: Opened[], change: () => Promise<unknown>): Promise<void> {
    const started = performance.now();
    await change();
    await until('all are cut', () => mine.every(({ closedAt }) => closedAt !== null), CUT_MS_MAX);
    for (const { closedAt } of mine) expect(closedAt! - started).toBeLessThan(CUT_MS_MAX);
    for (const other of others) {
      expect(other.closedAt).toBeNull();
      if (other.socket !== undefined) expect(await echo(other, 'still here')).toBe('still here');
    }
  }

  it('D7: text, binary, empty and big frames pass unchanged, in order, and the app sees what it would see without', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const one = await webSocket({
      cookie: `own=1; ${cookie(session)}`,
      'X-Berth-User': 'forged',
      'X-Berth-Bridge': 'forged',
    });
    expect(await echo(one, 'grüße')).toBe('grüße');
    expect(await echo(one, Buffer.from([0, 255, 1]))).toEqual(Buffer.from([0, 255, 1]));
    expect(await echo(one, '')).toBe('');
    const big = Buffer.alloc(8 * 1024 * 1024, 7);
    for (let at = 0; at < big.length; at += 4_096) big.writeUInt32BE(at, at);
    const back = (await echo(one, big)) as Buffer;
    expect(back.equals(big)).toBe(true);
    const got: string[] = [];
    one.socket.on('message', (data) => got.push(String(data)));
    for (let n = 0; n < 500; n++) one.socket.send(`m${n}`);
    await until('all echoes', () => got.length === 500, 5_000);
    expect(got).toEqual(Array.from({ length: 500 }, (_, n) => `m${n}`));

    expect(await bridged()).toBe(1);
    const headers = app.seen[0]?.headers ?? {};
    expect(headers).toMatchObject({
      host: `${HOST}:${ingress.ports.https}`,
      cookie: 'own=1',
      'x-berth-user': person.id,
      'x-berth-email': person.email,
      'x-berth-role': 'member',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
      upgrade: 'websocket',
    });
    expect(Object.keys(headers).filter((name) => /bridge|upstream/.test(name))).toEqual([]);
    expect(JSON.stringify(app.seen[0]?.rawHeaders)).not.toContain('forged');
    one.socket.close(1000, 'done');
    await until('closed', () => one.closedAt !== null, 2_000);
    await until('the place is free', async () => (await bridged()) === 0, 2_000);
  });

  it('D7: events come as they are sent; a body goes along with a question for events', async () => {
    const session = await tenants.session(await tenants.person(tenant, 'member'));
    const stream = await events({ cookie: cookie(session) });
    await until('ticks', () => stream.text.includes('tick'), 1_000);
    expect(await bridged()).toBe(1);
    const body = 'x'.repeat(300_000);
    const answer = await ingress.ask(ingress.url(HOST, '/mcp'), {
      method: 'POST',
      body,
      headers: { cookie: cookie(session), accept: 'application/json, text/event-stream' },
    });
    expect([answer.status, answer.body]).toEqual([201, 'data: 300000\n\n']);
    expect(app.asked[0]?.body).toBe(body);
    const chunked = await ingress.ask(ingress.url(HOST, '/mcp'), {
      method: 'DELETE',
      body: 'abc',
      headers: { cookie: cookie(session), accept: 'text/event-stream', 'transfer-encoding': 'chunked' },
    });
    expect([chunked.status, app.asked[1]?.body]).toEqual([201, 'abc']);
  });

  it('I4: what an app gave is cut within a second when the person signs out, and only theirs', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const [mine, stream] = [await webSocket({ cookie: cookie(session) }), await events({ cookie: cookie(session) })];
    const other = await webSocket({ cookie: cookie(await tenants.session(person)) });
    const stranger = await webSocket({ cookie: cookie(await tenants.session(owner)) });
    await cuts([mine, stream], [other, stranger], () => tenants.revokeSession(session, person));
    await expect(webSocket({ cookie: cookie(session) })).rejects.toThrow('status 401');
    for (const { socket } of [other, stranger]) socket.terminate();
  });

  it('A7: revoking a grant, also one of a group, cuts what it opened', async () => {
    const person = await tenants.person(tenant, 'guest');
    const session = await tenants.session(person);
    await expect(webSocket({ cookie: cookie(session) })).rejects.toThrow('status 403');
    const stranger = await webSocket({ cookie: cookie(await tenants.session(owner)) });
    const group = tenants.newId('grp');
    await tenants.query(`insert into user_group (id, organization_id, name, title) values ($1, $2, $3, 'G')`, [
      group,
      tenant.organizationId,
      `g-${group.slice(-8)}`,
    ]);
    await tenants.query('insert into user_group_member (organization_id, group_id, user_id) values ($1, $2, $3)', [
      tenant.organizationId,
      group,
      person.id,
    ]);
    for (const [column, subject] of [
      ['user_id', person.id],
      ['group_id', group],
    ] as const) {
      const grant = tenants.newId('grt');
      await tenants.query(
        `insert into app_grant (id, organization_id, app, ${column}, permissions, granted_by) values ($1, $2, $3, $4, '{open}', $5)`,
        [grant, tenant.organizationId, guest.id, subject, owner.id],
      );
      await tenants.hint('member', person.id, tenant.organizationId);
      let mine: Opened | null = null;
      await until('the grant works', async () => {
        mine = await webSocket({ cookie: cookie(session) }).catch(() => null);
        return mine !== null;
      });
      const stream = await events({ cookie: cookie(session) });
      await cuts([mine!, stream], [stranger], async () => {
        await tenants.query('delete from app_grant where id = $1', [grant]);
        await tenants.hint('member', subject, tenant.organizationId);
      });
    }
    stranger.socket.terminate();
  });

  it('I4: leaving the organization, losing the role and a changed role cut; an API token too when it is revoked', async () => {
    const stranger = await webSocket({ cookie: cookie(await tenants.session(owner)) });
    const changes: Record<string, (person: Person) => Promise<unknown>> = {
      left: (person) => tenants.query('delete from membership where user_id = $1', [person.id]),
      viewer: (person) => tenants.query(`update membership set role = 'viewer' where user_id = $1`, [person.id]),
      // Still allowed, but the app was told another role.
      operator: (person) => tenants.query(`update membership set role = 'operator' where user_id = $1`, [person.id]),
      disabled: (person) => tenants.query('update app_user set disabled_at = now() where id = $1', [person.id]),
    };
    for (const [name, change] of Object.entries(changes)) {
      const person = await tenants.person(tenant, 'admin');
      const mine = await webSocket({ cookie: cookie(await tenants.session(person)) });
      await cuts([mine], [stranger], async () => {
        await change(person);
        await tenants.hint('member', person.id, tenant.organizationId);
      });
      expect([name, mine.closedAt !== null]).toEqual([name, true]);
    }
    const person = await tenants.person(tenant, 'member');
    const token = await tenants.token(person);
    const program = await webSocket({ authorization: `Bearer ${token.secret}` });
    expect(app.seen.at(-1)?.headers.authorization).toBeUndefined();
    await cuts([program], [stranger], async () => {
      await tenants.query('update api_token set revoked_at = now() where id = $1', [token.id]);
      await tenants.hint('session', person.id);
    });
    const short = await webSocket({ cookie: cookie(await tenants.session(person, { seconds: 2 })) });
    await until('the end of the session', () => short.closedAt !== null, 3_000);
    stranger.socket.terminate();
  });

  it('I4: the end of the route, another port and the end of the instance cut everybody on it, and nobody elsewhere', async () => {
    const session = await tenants.session(owner);
    const second = await tenants.guest(tenant, owner);
    const elsewhere = await listenAs(second);
    const goes = await tenants.route(second, 'goes.berth.localhost', elsewhere.port, 'private');
    const at = 'goes.berth.localhost';
    const stays = await webSocket({ cookie: cookie(session) });
    const there = () => webSocket({ cookie: cookie(session, at) }, '/ws', at);
    const route = async (text: string, values: unknown[]): Promise<void> => {
      await tenants.query(text, values);
      await tenants.hint('route', goes, tenant.organizationId);
    };
    try {
      for (const [off, on] of [
        ['update route set enabled = false where id = $1', 'update route set enabled = true where id = $1'],
        ['update route set port = 9 where id = $1', `update route set port = ${elsewhere.port} where id = $1`],
      ] as const) {
        const mine = await there();
        await cuts([mine], [stays], () => route(off, [goes]));
        await route(on, [goes]);
        await until('it opens again', async () => (await there().catch(() => null)) !== null, 2_000);
      }
      const stopped = await there();
      await cuts([stopped], [stays], () => tenants.observed(second, 'stopped'));
      await tenants.observed(second, 'running');
      await until('it runs', async () => (await there().catch(() => null)) !== null, 2_000);
      const last = await there();
      await cuts([last], [stays], () => route('delete from route where id = $1', [goes]));
      expect(routeId).not.toBe(goes);
    } finally {
      stays.socket.terminate();
      elsewhere.server.closeAllConnections();
      elsewhere.server.close();
    }
  });

  it('D7: an app that refuses the upgrade answers itself; one that is not there gives the page that says so', async () => {
    const session = await tenants.session(owner);
    const refused = await new Promise<{ status: number; app: string; body: string }>((resolve, reject) => {
      const socket = new WebSocket(`wss://${HOST}:${ingress.ports.https}/no`, {
        ...tls(),
        headers: { cookie: cookie(session) },
      });
      socket.on('error', () => {});
      socket.on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (part: Buffer) => {
          body += part.toString();
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, app: String(response.headers['x-app']), body }),
        );
      });
    });
    expect(refused).toEqual({ status: 418, app: 'no', body: 'short' });
    await tenants.route(guest, 'dead.berth.localhost', 9, 'private');
    const ask = (accept: string) =>
      ingress.ask(ingress.url('dead.berth.localhost'), {
        headers: { cookie: cookie(session, 'dead.berth.localhost'), accept },
      });
    const json = await ask('text/event-stream');
    expect(JSON.parse(json.body)).toMatchObject({ code: 'upstream_failed', status: 502 });
    const page = await ask('text/html, text/event-stream');
    expect([page.status, page.body.includes(`Nothing listens on port 9 inside ${guest.name}`)]).toEqual([502, true]);
    await expect(
      webSocket({ cookie: cookie(session, 'dead.berth.localhost') }, '/', 'dead.berth.localhost'),
    ).rejects.toThrow('status 502');
    await until('no place is kept', async () => (await bridged()) === 0, 2_000);
  });

  /** One request to a socket of edge, as nobody but Caddy could send it. */
  function atSocket(
    socket: 'edge' | 'bridge',
    path: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; headers: IncomingMessage['headers'] }> {
    return new Promise((resolve, reject) => {
      const call = plain({ socketPath: ingress.socket(socket), path, headers, agent: false }, (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
        if (response.headers['x-app'] === 'yes') call.destroy();
      });
      call.on('error', reject);
      call.end();
    });
  }

  it('I6: no pass, a forged one, one used twice, one for another name and one of somebody who has gone lead nowhere', async () => {
    const person = await tenants.person(tenant, 'member');
    const session = await tenants.session(person);
    const pass = async (): Promise<string> => {
      const answer = await atSocket('edge', '/internal/authorize', {
        host: HOST,
        accept: 'text/event-stream',
        cookie: cookie(session),
        'x-forwarded-uri': '/events',
        'x-forwarded-method': 'GET',
      });
      expect([answer.status, answer.headers['x-berth-upstream']]).toEqual([200, '']);
      return String(answer.headers['x-berth-bridge']);
    };
    const knock = async (given: string | null, host = HOST): Promise<number> =>
      (await atSocket('bridge', '/events', { host, ...(given === null ? {} : { 'x-berth-bridge': given }) })).status;

    expect(await knock(null)).toBe(403);
    expect(await knock('A'.repeat(32))).toBe(403);
    expect(await knock('')).toBe(403);
    const elsewhere = await pass();
    expect(await knock(elsewhere, 'dead.berth.localhost')).toBe(403);
    expect(await knock(elsewhere)).toBe(403);
    expect(app.seen).toEqual([]);
    const good = await pass();
    expect(await knock(good)).toBe(200);
    expect(await knock(good)).toBe(403);
    const late = await pass();
    await tenants.revokeSession(session, person);
    await until(
      'edge knows',
      async () => (await ingress.ask(ingress.url(HOST), { headers: { cookie: cookie(session) } })).status === 401,
    );
    expect(await knock(late)).toBe(403);
    expect(app.seen.filter(({ url }) => url === '/events')).toHaveLength(1);
    // Nothing of edge's own is served there, and nothing of the bridge elsewhere.
    expect((await atSocket('bridge', '/healthz', { host: HOST })).status).toBe(403);
    expect((await atSocket('bridge', '/internal/authorize', { host: HOST })).status).toBe(403);
  });

  it('I6: a client that brings a pass of its own, in any spelling, is not believed', async () => {
    for (const name of ['X-Berth-Bridge', 'x_berth_bridge', 'X-Berth_Bridge', 'X-BERTH-BRIDGE']) {
      const answer = await ingress.ask(ingress.url(HOST, '/events'), {
        headers: { [name]: 'A'.repeat(32), accept: 'text/event-stream' },
      });
      expect([name, answer.status]).toEqual([name, 401]);
    }
    expect(app.seen).toEqual([]);
  });

  it('D7: an upgrade with a body is refused; whoever reads slowly is waited for, not buffered for', async () => {
    const session = await tenants.session(owner);
    const status = await new Promise<string>((resolve, reject) => {
      const socket = connect(ingress.socket('bridge'), async () => {
        const answer = await atSocket('edge', '/internal/authorize', {
          host: HOST,
          cookie: cookie(session),
          'x-forwarded-uri': '/ws',
          'x-forwarded-method': 'GET',
          'x-forwarded-upgrade': 'websocket',
        });
        socket.write(
          `POST /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\nX-Berth-Bridge: ${answer.headers['x-berth-bridge']}\r\n\r\nabc`,
        );
      });
      socket.once('data', (data) => resolve(data.toString().split('\r\n')[0] ?? ''));
      socket.on('error', reject);
    });
    expect(status).toMatch(/^HTTP\/1.1 400 /);
    expect(app.seen).toEqual([]);

    const before = edgeMemory();
    const one = await webSocket({ cookie: cookie(session) });
    const part = Buffer.alloc(1024 * 1024, 1);
    one.socket.pause();
    // 96 MiB of echoes that nobody reads.
    for (let n = 0; n < 96; n++) one.socket.send(part);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(edgeMemory() - before).toBeLessThan(64 * 1024 * 1024);
    let got = 0;
    one.socket.on('message', (data: Buffer) => {
      got += data.length;
    });
    one.socket.resume();
    await until('everything arrives', () => got === 96 * part.length, 20_000);
    one.socket.terminate();
  });

  function edgeMemory(): number {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${ingress.edgePid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  }

  it('D7: a person holds 100 open at most: the next is told 429, others still get in, and one that ends makes room', async () => {
    const mine = { cookie: cookie(await tenants.session(owner)) };
    const held: Opened[] = [];
    for (let at = 0; at < BRIDGED_PER_USER_MAX; at += 20) {
      held.push(...(await Promise.all(Array.from({ length: 20 }, () => webSocket(mine)))));
    }
    await expect(webSocket(mine)).rejects.toThrow('status 429');
    await expect(events(mine)).rejects.toThrow('status 429');
    const other = { cookie: cookie(await tenants.session(await tenants.person(tenant, 'member'))) };
    expect(await echo(await webSocket(other), 'hello')).toBe('hello');
    held[0]?.socket.terminate();
    await until('there is room', async () => (await bridged()) === BRIDGED_PER_USER_MAX, 3_000);
    expect(await echo(await webSocket(mine), 'again')).toBe('again');
  });

  it('D7: a public route goes straight: nothing of it is bridged, and edge may restart under it', async () => {
    await tenants.route(guest, 'open.berth.localhost', app.port, 'public');
    const straight = await webSocket({}, '/ws', 'open.berth.localhost');
    const session = await tenants.session(owner);
    const mine = await webSocket({ cookie: cookie(session) });
    expect(await bridged()).toBe(1);
    await ingress.stopEdge('SIGKILL');
    await until('the bridged one ended with edge', () => mine.closedAt !== null, CUT_MS_MAX);
    expect(straight.closedAt).toBeNull();
    const starting = ingress.startEdge();
    await starting;
    const again = await webSocket({ cookie: cookie(session) });
    expect(await echo(again, 'back')).toBe('back');
    expect(await echo(straight, 'never away')).toBe('never away');
    await ingress.stopEdge('SIGTERM');
    await until('it ends with edge', () => again.closedAt !== null, CUT_MS_MAX);
    await ingress.startEdge();
    expect(await echo(await webSocket({ cookie: cookie(session) }), 'again')).toBe('again');
    straight.socket.terminate();
  });
});
