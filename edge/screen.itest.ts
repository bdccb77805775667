/** Screens for real: browser side over TLS through Caddy, desktop side a TigerVNC server with a password. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { edgePath, SESSION_COOKIE, THUMBNAIL_WIDTH } from '#contract/edge.ts';
import { testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { makeMmdb } from '#testkit/mmdb.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Guest, type Person, type SignedIn, type Tenant, Tenants } from '#testkit/tenants.ts';
import { canRunVnc, VncDesktop } from '#testkit/vnc.ts';
import { ByteQueue } from './rfb/byte-queue.ts';
import { grabFramebuffer } from './rfb/framebuffer.ts';
import { clientHandshake } from './rfb/handshake.ts';

const PASSWORD = 'pa55w0rd';
const AGENT_TOKEN = 'a'.repeat(64);

/** A viewer as noVNC is one: binary frames, RFB inside. */
class Viewer {
  readonly socket: WebSocket;
  readonly input = new ByteQueue(64 * 1024 * 1024);
  readonly closed: Promise<{ code: number; reason: string }>;
  width = 0;
  height = 0;

  constructor(url: string, options: ConstructorParameters<typeof WebSocket>[2]) {
    this.socket = new WebSocket(url, ['binary'], options);
    this.socket.on('message', (data) => this.input.push(data as Buffer));
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        this.input.fail(new Error(`closed ${code}`));
        resolve({ code, reason: reason.toString() });
      });
      this.socket.on('error', () => {});
    });
  }

  send(bytes: Buffer): void {
    this.socket.send(bytes);
  }

  async open(): Promise<void> {
    await clientHandshake(this, 'the browser knows no password');
    this.send(Buffer.from([0]));
    const init = await this.input.read(24);
    this.width = init.readUInt16BE(0);
    this.height = init.readUInt16BE(2);
    await this.input.read(init.readUInt32BE(20));
    // 32 bits, red in the lowest byte; raw.
    this.send(Buffer.from([0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0]));
    this.send(Buffer.from([2, 0, 0, 1, 0, 0, 0, 0]));
  }

  /** The colour of the pixel at 10, 10. */
  async pixel(): Promise<string> {
    const message = Buffer.alloc(10);
    message[0] = 3;
    message.writeUInt16BE(10, 2);
    message.writeUInt16BE(10, 4);
    message.writeUInt16BE(1, 6);
    message.writeUInt16BE(1, 8);
    this.send(message);
    while ((await this.input.read(1))[0] !== 0);
    const rectangles = (await this.input.read(3)).readUInt16BE(1);
    let color = '';
    for (let n = 0; n < rectangles; n++) {
      const head = await this.input.read(12);
      const data = await this.input.read(head.readUInt16BE(4) * head.readUInt16BE(6) * 4);
      color = `#${data.subarray(0, 3).toString('hex')}`;
    }
    return color;
  }

  move(x: number, y: number): void {
    const message = Buffer.alloc(6);
    message[0] = 5;
    message.writeUInt16BE(x, 2);
    message.writeUInt16BE(y, 4);
    this.send(message);
  }
}

describe.skipIf(!canRunVnc)('screens', () => {
  let dir: string;
  let agent: Server;
  let calls: { authorization: string; body: string }[];
  let desktop: VncDesktop;
  let ingress: Ingress;
  let tenants: Tenants;
  let tenant: Tenant;
  let member: Person;
  let session: SignedIn;
  let guest: Guest;

  const connect = (options: { cookie?: string; origin?: string; bearer?: string; path?: string } = {}) =>
    new Viewer(`wss://${ingress.domain}:${ingress.ports.control}${options.path ?? edgePath('screen', guest.id)}`, {
      ca: readFileSync(ingress.caFile),
      lookup: loopbackLookup,
      headers: {
        ...(options.bearer === undefined ? {} : { authorization: `Bearer ${options.bearer}` }),
        ...(options.cookie === undefined ? {} : { cookie: `${SESSION_COOKIE}=${options.cookie}` }),
        ...(options.origin === undefined ? {} : { origin: options.origin }),
      },
    });
  const asMember = (path?: string) =>
    connect({ cookie: session.secret, origin: ingress.consoleOrigin, ...(path === undefined ? {} : { path }) });

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'berth-screen-'));
    calls = [];
    const database = await withDatabase();
    tenants = await Tenants.connect(database.url);
    tenant = await tenants.tenant();
    member = await tenants.person(tenant);
    session = await tenants.session(member);
    guest = await tenants.guest(tenant, member, { kind: 'desktop' });
    desktop = await VncDesktop.start(guest.address, 5900, PASSWORD);
    // The agent's wire: what it reads from the guest on a real host, here said for the TigerVNC of this test.
    agent = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        calls.push({ authorization: request.headers.authorization ?? '', body });
        response.end(JSON.stringify({ result: { address: guest.address, port: 5900, password: PASSWORD } }));
      });
    });
    writeFileSync(join(dir, 'country.mmdb'), makeMmdb({ '203.0.113.0/24': 'DE' }));
    const agentSocket = join(dir, 'agent.sock');
    await new Promise<void>((resolve) => agent.listen(agentSocket, resolve));
    ingress = await Ingress.start({
      caddy: await testCaddy(),
      databaseUrl: database.edgeUrl,
      agentSocket,
      agentToken: AGENT_TOKEN,
      countryFile: join(dir, 'country.mmdb'),
    });
  });
  afterAll(async () => {
    await ingress?.stop();
    await tenants?.end();
    await desktop?.stop();
    agent?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('D7: the own RFB client reads the pixels of a TigerVNC server, and a wrong password is refused', async () => {
    await desktop.paint('#3366cc');
    const frame = await grabFramebuffer(guest.address, 5900, PASSWORD);
    expect([frame.width, frame.height]).toEqual([800, 600]);
    expect(frame.pixels.subarray(0, 3).toString('hex')).toBe('3366cc');
    expect(frame.pixels.subarray(-4, -1).toString('hex')).toBe('3366cc');
    await expect(grabFramebuffer(guest.address, 5900, 'wrong')).rejects.toThrow(/refused/);
  });

  it('D7: a viewer sees the desktop change and moves its pointer, without knowing any password', async () => {
    const viewer = asMember();
    await viewer.open();
    expect([viewer.width, viewer.height]).toEqual([800, 600]);
    await desktop.paint('#ff0000');
    expect(await viewer.pixel()).toBe('#ff0000');
    await desktop.paint('#00ff00');
    expect(await viewer.pixel()).toBe('#00ff00');
    viewer.move(123, 77);
    await until('the pointer moved', async () => (await desktop.pointer()).x === 123, 2_000);
    viewer.socket.close();
    expect(calls.at(-1)).toEqual({
      authorization: `Bearer ${AGENT_TOKEN}`,
      body: JSON.stringify({ instance: guest.id }),
    });
  });

  it('D7: a view-only viewer sees, and cannot move the pointer', async () => {
    const viewer = asMember(`${edgePath('screen', guest.id)}?view_only=1`);
    await viewer.open();
    const before = await desktop.pointer();
    viewer.move(300, 300);
    // Clipboard and keys go the same way; the screen still answers after them.
    viewer.send(Buffer.from([4, 1, 0, 0, 0, 0, 0, 97]));
    viewer.send(Buffer.concat([Buffer.from([6, 0, 0, 0, 0, 0, 0, 3]), Buffer.from('abc')]));
    await desktop.paint('#112233');
    expect(await viewer.pixel()).toBe('#112233');
    expect(await desktop.pointer()).toEqual(before);
    viewer.socket.close();
  });

  it('I6: nobody else gets in: no sign-in, another origin, another tenant, a viewer role', async () => {
    expect((await connect({ origin: ingress.consoleOrigin }).closed).code).toBe(4401);
    const foreign = connect({ cookie: session.secret, origin: 'https://evil.example' });
    expect((await foreign.closed).code).toBe(1006);
    for (const person of [
      await tenants.person(await tenants.tenant(), 'owner'),
      await tenants.person(tenant, 'viewer'),
    ]) {
      const { secret } = await tenants.session(person);
      expect((await connect({ cookie: secret, origin: ingress.consoleOrigin }).closed).code).toBe(4403);
    }
    const absent = asMember(edgePath('screen', `ins_${'0'.repeat(26)}`));
    expect((await absent.closed).code).toBe(4403);
  });

  it('V6: a change of the list of networks or countries ends open screens of whoever may no longer enter, and only those', async () => {
    const from = (address: string) =>
      new Viewer(`ws+unix:${ingress.socket('edge')}:${edgePath('screen', guest.id)}`, {
        headers: { cookie: `${SESSION_COOKIE}=${session.secret}`, 'x-forwarded-for': address, host: ingress.domain },
      });
    const [office, abroad] = [from('192.0.2.9'), from('203.0.113.9')];
    await Promise.all([office.open(), abroad.open()]);
    // In Germany, as the database says.
    await tenants.setControlAccess({ networks: ['192.0.2.0/24'], countries: ['DE'] });
    const stranger = from('198.51.100.9');
    expect([1006, 4403]).toContain((await stranger.closed).code);
    await desktop.paint('#223344');
    expect(await abroad.pixel()).toBe('#223344');
    const started = performance.now();
    await tenants.setControlAccess({ networks: ['192.0.2.0/24'], countries: ['FR'] });
    const end = await abroad.closed;
    expect([end.code, performance.now() - started < 1_500]).toEqual([4403, true]);
    expect(end.reason).toContain('203.0.113.9');
    await desktop.paint('#445566');
    expect(await office.pixel()).toBe('#445566');
    office.socket.close();
    await tenants.setControlAccess({ networks: [], countries: [] });
  });

  it('I2: a session revoked in the database ends the open screen within a second', async () => {
    const own = await tenants.session(member);
    const viewer = connect({ cookie: own.secret, origin: ingress.consoleOrigin });
    await viewer.open();
    const started = performance.now();
    await tenants.revokeSession(own, member);
    expect((await viewer.closed).code).toBe(4401);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('I2: an expired session ends the open screen', async () => {
    const own = await tenants.session(member, { seconds: 2 });
    const viewer = connect({ cookie: own.secret, origin: ingress.consoleOrigin });
    await viewer.open();
    const started = performance.now();
    expect((await viewer.closed).code).toBe(4401);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it('I4: losing the membership ends the open screen, an API token works as well as a cookie', async () => {
    const person = await tenants.person(tenant, 'operator');
    const token = await tenants.token(person);
    const viewer = connect({ bearer: token.secret });
    await viewer.open();
    await tenants.query('delete from membership where user_id = $1', [person.id]);
    await tenants.hint('member', person.id, tenant.organizationId);
    expect((await viewer.closed).code).toBe(4403);
  });

  it('A7: a grant opens the screen for a guest, alone and by a group; taking it away ends the open one within a second', async () => {
    const [alone, grouped] = [await tenants.person(tenant, 'guest'), await tenants.person(tenant, 'guest')];
    const group = tenants.newId('grp');
    await tenants.query(`insert into user_group (id, organization_id, name, title) values ($1, $2, 'g', 'G')`, [
      group,
      tenant.organizationId,
    ]);
    await tenants.query('insert into user_group_member (organization_id, group_id, user_id) values ($1, $2, $3)', [
      tenant.organizationId,
      group,
      grouped.id,
    ]);
    for (const [person, column, subject] of [
      [alone, 'user_id', alone.id],
      [grouped, 'group_id', group],
    ] as const) {
      const { secret } = await tenants.session(person);
      const asGuest = () => connect({ cookie: secret, origin: ingress.consoleOrigin });
      expect((await asGuest().closed).code).toBe(4403);
      await tenants.query(
        `insert into app_grant (id, organization_id, app, ${column}, permissions, granted_by) values ($1, $2, $3, $4, '{open}', $5)`,
        [tenants.newId('grt'), tenant.organizationId, guest.id, subject, member.id],
      );
      await tenants.hint('member', person.id, tenant.organizationId);
      let viewer = asGuest();
      const opened = async () => {
        viewer = asGuest();
        return viewer.open().then(
          () => true,
          () => false,
        );
      };
      await until('the grant is felt', opened, 1_000);
      const started = performance.now();
      await tenants.query('delete from app_grant where app = $1', [guest.id]);
      await tenants.hint('member', person.id, tenant.organizationId);
      expect((await viewer.closed).code).toBe(4403);
      expect(performance.now() - started).toBeLessThan(1_000);
    }
  });

  it('V10: stopping the desktop closes its screens with a reason of their own', async () => {
    const viewer = asMember();
    await viewer.open();
    await tenants.observed(guest, 'stopped');
    expect((await viewer.closed).code).toBe(4409);
    expect((await asMember().closed).code).toBe(4409);
    await tenants.observed(guest, 'running');
    await until(
      'it opens again',
      async () => {
        const again = asMember();
        const opened = await again.open().then(
          () => true,
          () => false,
        );
        again.socket.close();
        return opened;
      },
      2_000,
    );
  });

  it('D7: a thumbnail is a small PNG of what the screen shows', async () => {
    await desktop.paint('#cc6633');
    const url = `${ingress.consoleOrigin}${edgePath('thumbnail', guest.id)}`;
    const png = await new Promise<Buffer>((resolve, reject) => {
      get(
        url,
        {
          ca: readFileSync(ingress.caFile),
          lookup: loopbackLookup,
          agent: false,
          headers: { cookie: `${SESSION_COOKIE}=${session.secret}` },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () => resolve(Buffer.concat(parts)));
        },
      ).on('error', reject);
    });
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    const width = png.readUInt32BE(16);
    expect([width, png.readUInt32BE(20)]).toEqual([THUMBNAIL_WIDTH, 360]);
    const data = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)));
    // First row: filter number, then the first pixel as it is or as a difference to nothing.
    expect(data.subarray(1, 4).toString('hex')).toBe('cc6633');
    const before = calls.length;
    const cached = await ingress.ask(url, { headers: { cookie: `${SESSION_COOKIE}=${session.secret}` } });
    expect([cached.status, calls.length]).toEqual([200, before]);
    expect((await ingress.ask(url)).status).toBe(401);
    const stranger = await tenants.session(await tenants.person(null));
    const refused = await ingress.ask(url, { headers: { cookie: `${SESSION_COOKIE}=${stranger.secret}` } });
    expect(refused.status).toBe(404);
  });

  it('D7: the desktop going away closes the viewer with the upstream code', async () => {
    const viewer = asMember();
    await viewer.open();
    await desktop.stop();
    expect((await viewer.closed).code).toBe(4502);
    expect((await asMember().closed).code).toBe(4502);
    desktop = await VncDesktop.start(guest.address, 5900, PASSWORD);
  });
});
