/** The agent's door on a real engine: what must not get in, what each token may do, sessions, and being killed. */
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { agentVerbs } from '#contract/agent.ts';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { INCUS_SOCKET, startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { type EngineProxy, engineProxy } from '#testkit/engine-proxy.ts';

let proxy: EngineProxy;
let agent: TestAgent;
let network: NetworkSpec;
let guest: GuestSpec;

type Answer = { status: number; body: string };
type Ask = {
  method?: string;
  path: string;
  token?: string | null;
  body?: string | Buffer;
  headers?: Record<string, string>;
};

function ask({ method = 'POST', path, token, body = '{}', headers = {} }: Ask): Promise<Answer> {
  const bearer = token === undefined ? agent.tokens.server : token;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath: agent.socket,
        method,
        path,
        headers: {
          'content-type': 'application/json',
          ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
          ...(method === 'POST' && headers['transfer-encoding'] === undefined
            ? { 'content-length': String(Buffer.byteLength(body)) }
            : {}),
          ...headers,
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
      },
    );
    request.on('error', reject);
    request.end(method === 'POST' ? body : undefined);
  });
}

/** Writes bytes as they are and answers the status line. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(agent.socket);
    let answer = '';
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
    socket.write(text);
  });
}

function socketTo(path: string, token = agent.tokens.edge): WebSocket {
  return new WebSocket(`ws+unix:${agent.socket}:${path}`, { headers: { authorization: `Bearer ${token}` } });
}

const until = async (what: () => boolean, milliseconds = 15_000): Promise<void> => {
  const limit = Date.now() + milliseconds;
  while (!what()) {
    if (Date.now() > limit) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

beforeAll(async () => {
  proxy = await engineProxy(join(tmpdir(), `berth-engine-${randomBytes(4).toString('hex')}.sock`), INCUS_SOCKET);
  agent = await startAgent({ engineSocket: proxy.path });
  const image = await agent.image('desktop');
  network = await agent.network();
  guest = agent.spec(network, 10, image, { kind: 'desktop' });
  await agent.driver.createGuest(guest);
  await agent.driver.power(guest.instance, 'start', {});
  await until(() => false, 3_000).catch(() => undefined);
});
afterAll(async () => {
  await agent?.close();
  await proxy?.close();
});

describe('A2: what must not get in never reaches the engine', () => {
  const valid = (): Record<string, unknown> => ({ ...agent.spec(network, 99, guest.imageFingerprint) });
  const create = (change: (spec: Record<string, unknown>) => unknown): string =>
    JSON.stringify(change(valid()) ?? null);

  const bodies: [string, () => string | Buffer][] = [
    ['an unknown key', () => create((spec) => ({ ...spec, config: { 'security.privileged': 'true' } }))],
    [
      'raw engine configuration',
      () => create((spec) => ({ ...spec, 'raw.lxc': 'lxc.mount.entry = / mnt none bind 0 0' })),
    ],
    ['devices', () => create((spec) => ({ ...spec, devices: { host: { type: 'disk', source: '/', path: '/mnt' } } }))],
    ['profiles', () => create((spec) => ({ ...spec, profiles: ['default'] }))],
    ['another case of a known key', () => create(({ instance, ...spec }) => ({ ...spec, Instance: instance }))],
    ['a key twice', () => create((spec) => spec).replace('{', `{"hostname":"first",`)],
    ['a key twice, spelled with an escape', () => create((spec) => spec).replace('{', `{"host\\u006eame":"first",`)],
    ['__proto__', () => create((spec) => spec).replace('{', '{"__proto__":{"kind":"server"},')],
    [
      'a nested unknown key',
      () => create((spec) => ({ ...spec, size: { cpus: 1, memoryBytes: 2 ** 30, diskBytes: 2 ** 33, swap: true } })),
    ],
    ['an image by name', () => create((spec) => ({ ...spec, imageFingerprint: 'debian/12' }))],
    ['an image prefix', () => create((spec) => ({ ...spec, imageFingerprint: guest.imageFingerprint.slice(0, 12) }))],
    ['an image that is not allowed', () => create((spec) => ({ ...spec, imageFingerprint: 'a'.repeat(64) }))],
    ['an address of another network', () => create((spec) => ({ ...spec, address4: '10.1.2.3' }))],
    ['the gateway as address', () => create((spec) => ({ ...spec, address4: network.subnet4.replace('.0/24', '.1') }))],
    ['a broadcast address', () => create((spec) => ({ ...spec, address4: network.subnet4.replace('.0/24', '.255') }))],
    [
      'an address with leading zeros',
      () => create((spec) => ({ ...spec, address4: network.subnet4.replace('.0/24', '.010') })),
    ],
    ['an IPv6 address of another network', () => create((spec) => ({ ...spec, address6: 'fd00::5' }))],
    [
      'the IPv6 gateway, spelled long',
      () => create((spec) => ({ ...spec, address6: network.subnet6.replace('::/64', ':0:0:0:1') })),
    ],
    ['a mapped IPv4 address', () => create((spec) => ({ ...spec, address6: '::ffff:10.0.0.1' }))],
    ['a host name with a dot', () => create((spec) => ({ ...spec, hostname: 'a.b' }))],
    ['a host name with a line break', () => create((spec) => ({ ...spec, hostname: 'a\nroot::0:0' }))],
    ['a host name that climbs', () => create((spec) => ({ ...spec, hostname: '../../etc' }))],
    ['an instance id that climbs', () => create((spec) => ({ ...spec, instance: 'ins_../../../../projects' }))],
    [
      'an instance id with a query',
      () => create((spec) => ({ ...spec, instance: `${String(spec['instance'])}?project=default` })),
    ],
    ['a project that is not known', () => create((spec) => ({ ...spec, project: testId('prj') }))],
    ['an engine project by name', () => create((spec) => ({ ...spec, project: 'default' }))],
    ['no memory limit', () => create((spec) => ({ ...spec, size: { cpus: 1, diskBytes: 2 ** 33 } }))],
    [
      'too much memory',
      () => create((spec) => ({ ...spec, size: { cpus: 1, memoryBytes: 2 ** 50, diskBytes: 2 ** 33 } })),
    ],
    [
      'half a CPU',
      () => create((spec) => ({ ...spec, size: { cpus: 0.5, memoryBytes: 2 ** 30, diskBytes: 2 ** 33 } })),
    ],
    [
      'numbers as text',
      () => create((spec) => ({ ...spec, size: { cpus: '1', memoryBytes: 2 ** 30, diskBytes: 2 ** 33 } })),
    ],
    ['an unknown kind', () => create((spec) => ({ ...spec, kind: 'virtual-machine' }))],
    ['an array', () => '[]'],
    ['null', () => 'null'],
    ['nothing', () => ''],
    ['half an object', () => '{"instance":'],
    ['two objects', () => '{}{}'],
    ['deep nesting', () => `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
    ['two megabytes', () => create((spec) => ({ ...spec, hostname: 'a'.repeat(2 * 1024 * 1024) }))],
    ['bytes that are not text', () => Buffer.from([0xff, 0xfe, 0x00, 0x7b])],
  ];
  it.each(bodies)('%s', async (_, body) => {
    const before = proxy.requests.length;
    const answer = await ask({ path: '/v1/createGuest', body: body() });
    expect([400, 409, 413], answer.body).toContain(answer.status);
    expect(JSON.parse(answer.body).error.code).toMatch(/^(invalid_input|too_large|conflict)$/);
    expect(proxy.since(before)).toEqual([]);
  });

  const paths = [
    '/v1/../v1/list',
    '//v1/list',
    '/v1//list',
    '/v1/list/',
    '/v1/list?x=1',
    '/v1/LIST',
    '/v1/%6cist',
    '/v1/list%00',
    '/v1/constructor',
    '/v1/__proto__',
    '/v1/toString',
    '/v1/exec',
    '/v1/',
    '/v1',
    '/',
    '/1.0/instances',
    '/v1/../../1.0/instances',
    '/v1/list#x',
    '/v1/list;a',
    'http://x/v1/list',
  ];
  it.each(paths)('path %s', async (path) => {
    const before = proxy.requests.length;
    const answer = await raw(
      `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${agent.tokens.server}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 40[04]/);
    expect(proxy.since(before)).toEqual([]);
  });

  it('a chunked body, two lengths, a length that lies, another type, a GET on a verb', async () => {
    const before = proxy.requests.length;
    const head = `POST /v1/list HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${agent.tokens.server}\r\nConnection: close\r\n`;
    const json = 'Content-Type: application/json\r\n';
    expect(await raw(`${head}${json}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 400/,
    );
    expect(
      await raw(`${head}${json}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`),
    ).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(`${head}${json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 400/);
    expect(await raw(`${head}${json}Content-Length: 99999999\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 413/);
    expect(await raw(`${head}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 400/);
    expect((await ask({ method: 'GET', path: '/v1/list' })).status).toBe(404);
    expect((await ask({ method: 'PUT', path: '/v1/list' })).status).toBe(404);
    expect(proxy.since(before)).toEqual([]);
  });

  it('every verb refuses an unknown key', async () => {
    const before = proxy.requests.length;
    for (const verb of Object.keys(agentVerbs)) {
      const answer = await ask({ path: `/v1/${verb}`, body: '{"unheard":1}' });
      expect(answer.status, verb).toBe(400);
    }
    expect(proxy.since(before)).toEqual([]);
  });
});

describe('A2: who may ask what', () => {
  it('nobody without a valid token', async () => {
    const before = proxy.requests.length;
    for (const token of [
      null,
      '',
      'x',
      agent.tokens.server.slice(0, -1),
      `${agent.tokens.server}0`,
      agent.tokens.server.toUpperCase(),
    ]) {
      expect((await ask({ path: '/v1/list', token })).status).toBe(401);
    }
    expect((await ask({ method: 'GET', path: '/v1/events', token: null })).status).toBe(401);
    const refused = new WebSocket(
      `ws+unix:${agent.socket}:/v1/terminal?instance=${guest.instance}&user=root&cols=80&rows=24`,
    );
    const status = await new Promise((resolve) =>
      refused.on('unexpected-response', (_, response) => resolve(response.statusCode)),
    );
    expect(status).toBe(401);
    expect(proxy.since(before)).toEqual([]);
  });

  it("the edge's token: credentials, observation, logins by SSH and sessions, nothing else", async () => {
    const before = proxy.requests.length;
    const forEdge = ['screenCredentials', 'observe', 'sshLogin', 'sshSign', 'cutClients'];
    for (const verb of Object.keys(agentVerbs).filter((name) => !forEdge.includes(name))) {
      expect((await ask({ path: `/v1/${verb}`, token: agent.tokens.edge })).status, verb).toBe(404);
    }
    expect((await ask({ method: 'GET', path: '/v1/events', token: agent.tokens.edge })).status).toBe(404);
    expect(proxy.since(before)).toEqual([]);
    const body = JSON.stringify({ instance: guest.instance });
    const credentials = await ask({ path: '/v1/screenCredentials', token: agent.tokens.edge, body });
    expect(JSON.parse(credentials.body).result).toMatchObject({
      address: guest.address4,
      port: 5900,
      password: expect.stringMatching(/^[0-9a-f]{8}$/),
    });
    expect((await ask({ path: '/v1/observe', token: agent.tokens.edge, body })).status).toBe(200);
    expect(agent.log()).not.toContain(JSON.parse(credentials.body).result.password);
    expect(agent.log()).not.toContain(agent.tokens.edge);
    expect(agent.log()).not.toContain(agent.tokens.server);
  });
});

describe('V3: terminals and log tails', () => {
  it('types, resizes, speaks UTF-8, exits with its code', async () => {
    const socket = socketTo(`/v1/terminal?instance=${guest.instance}&user=berth&cols=100&rows=30`);
    let screen = '';
    const texts: string[] = [];
    socket.on('message', (data, isBinary) => {
      if (isBinary) screen += (data as Buffer).toString('utf8');
      else texts.push(String(data));
    });
    await until(() => socket.readyState === socket.OPEN);
    socket.send(Buffer.from('stty size; id -un; pwd; echo grüße-$((40+2))\r'));
    await until(() => screen.includes('grüße-42'));
    expect(screen).toMatch(/30 100/);
    expect(screen).toMatch(/berth\r?\n/);
    expect(screen).toContain('/home/berth');
    socket.send(JSON.stringify({ type: 'resize', cols: 132, rows: 50 }));
    await until(() => {
      socket.send(Buffer.from('stty size\r'));
      return screen.includes('50 132');
    });
    socket.send(Buffer.from('exit 7\r'));
    await until(() => socket.readyState === socket.CLOSED);
    expect(JSON.parse(texts.at(-1) ?? '{}')).toEqual({ type: 'exit', code: 7 });
  });

  it('kills what ran in it when the socket goes away', async () => {
    const socket = socketTo(`/v1/terminal?instance=${guest.instance}&user=root&cols=80&rows=24`);
    let screen = '';
    socket.on('message', (data, isBinary) => {
      if (isBinary) screen += String(data);
    });
    await until(() => socket.readyState === socket.OPEN);
    socket.send(Buffer.from('echo started-$((1+1)); sleep 4242\r'));
    await until(() => screen.includes('started-2'));
    const sleeping = async (): Promise<boolean> =>
      (await agent.inside(guest, ['pgrep', '-f', 'sleep 4242'])).code === 0;
    expect(await sleeping()).toBe(true);
    socket.terminate();
    const limit = Date.now() + 15_000;
    while (await sleeping()) if (Date.now() > limit) throw new Error('it still runs');
  });

  it('survives a flood without filling the memory', async () => {
    const socket = socketTo(`/v1/terminal?instance=${guest.instance}&user=root&cols=80&rows=24`);
    let bytes = 0;
    let tail = '';
    socket.on('message', (data, isBinary) => {
      if (!isBinary) return;
      bytes += (data as Buffer).length;
      tail = (tail + String(data)).slice(-200);
    });
    await until(() => socket.readyState === socket.OPEN);
    socket.send(Buffer.from('head -c 20000000 /dev/zero | tr "\\0" x; echo; echo flood-$((20+3))\r'));
    await until(() => tail.includes('flood-23'), 60_000);
    expect(bytes).toBeGreaterThan(20_000_000);
    socket.close();
  });

  it('refuses a bad query, an unknown instance, a frame that is no resize', async () => {
    const refused = async (path: string): Promise<number> => {
      const socket = socketTo(path);
      return new Promise((resolve) => {
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
        socket.on('close', (code) => resolve(code));
        socket.on('error', () => undefined);
      });
    };
    const id = guest.instance;
    expect(await refused(`/v1/terminal?instance=${id}&user=mallory&cols=80&rows=24`)).toBe(400);
    expect(await refused(`/v1/terminal?instance=${id}&user=root&cols=80&rows=24&argv=sh`)).toBe(400);
    expect(await refused(`/v1/terminal?instance=${id}&user=root&user=berth&cols=80&rows=24`)).toBe(400);
    expect(await refused(`/v1/terminal?instance=${id}&user=root&cols=0&rows=24`)).toBe(400);
    expect(await refused(`/v1/exec?instance=${id}`)).toBe(404);
    // Files are the server's alone; `socketTo` comes with the edge's token.
    expect(await refused(`/v1/files?instance=${id}`)).toBe(404);
    expect(await refused(`/v1/terminal?instance=${testId('ins')}&user=root&cols=80&rows=24`)).toBe(4404);
    const socket = socketTo(`/v1/terminal?instance=${id}&user=root&cols=80&rows=24`);
    let screen = '';
    socket.on('message', (data) => {
      screen += String(data);
    });
    await until(() => screen !== '');
    socket.send('{"type":"resize","cols":80,"rows":24,"signal":9}');
    expect(await new Promise((resolve) => socket.on('close', resolve))).toBe(1008);
  });

  it('follows the journal', async () => {
    const socket = socketTo(`/v1/logs/follow?instance=${guest.instance}&lines=2`);
    const entries: { message: string; unit: string; priority: number }[] = [];
    socket.on('message', (data) => entries.push(JSON.parse(String(data))));
    await until(() => entries.length >= 2);
    await agent.inside(guest, ['logger', '-p', 'user.err', '-t', 'probe', 'a line with "quotes" and ümlauts']);
    await until(() => entries.some((entry) => entry.message.includes('ümlauts')));
    expect(entries.find((entry) => entry.message.includes('ümlauts'))).toMatchObject({
      priority: 3,
      message: 'a line with "quotes" and ümlauts',
    });
    socket.terminate();
    const following = async (): Promise<boolean> =>
      (await agent.inside(guest, ['pgrep', '-f', 'journalctl.*--follow'])).code === 0;
    const limit = Date.now() + 15_000;
    while (await following()) if (Date.now() > limit) throw new Error('it still follows');
    const found = await agent.driver.logs(guest.instance, { lines: 10, search: 'WITH "quotes" and' });
    expect(found.map((entry) => entry.message)).toEqual(['a line with "quotes" and ümlauts']);
    expect(await agent.driver.logs(guest.instance, { lines: 10, search: '.*(' })).toEqual([]);
  });
});

describe('A2: being killed', () => {
  it('goes on after kill -9 with what it promised; guests never notice', async () => {
    const before = await agent.driver.observe(guest.instance);
    await agent.kill();
    await expect(agent.driver.observe(guest.instance)).rejects.toMatchObject({ code: 'unavailable' });
    await agent.start();
    expect((await agent.driver.observe(guest.instance))?.startedAt).toBe(before?.startedAt);
    // The allow-list and the network outlived it.
    const another = agent.spec(network, 20, guest.imageFingerprint);
    await agent.driver.createGuest(another);
    await agent.driver.destroyGuest(another.instance);
  });

  it('a watcher reconnects by itself and is told to look at everything', async () => {
    const actions: string[] = [];
    const abort = new AbortController();
    const watching = agent.driver.watch((event) => actions.push(event.type), abort.signal);
    await until(() => actions.includes('resync'));
    actions.length = 0;
    await agent.kill();
    await agent.start();
    await until(() => actions.includes('resync'));
    abort.abort();
    await watching;
  });
});
