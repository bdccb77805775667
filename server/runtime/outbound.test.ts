import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { BerthError } from '#domain/errors.ts';
import { createOutbound, type OutboundOptions, type ResolvedAddress } from './outbound.ts';
import { classifyAddress } from './outbound-addresses.ts';

const PUBLIC: ResolvedAddress = { address: '93.184.215.14', family: 4 };
const LOOPBACK: ResolvedAddress = { address: '127.0.0.1', family: 4 };

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
});

type Seen = { url: string; method: string; headers: Record<string, unknown>; body: string };

/** A real server on loopback; answers what `answer` says and keeps what it was asked. */
async function listen(answer: (url: string) => { status?: number; headers?: Record<string, string>; body?: string }) {
  const seen: Seen[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      seen.push({ url: request.url ?? '', method: request.method ?? '', headers: request.headers, body });
      const { status = 200, headers = {}, body: text = 'ok' } = answer(request.url ?? '');
      response.writeHead(status, headers).end(text);
    });
  });
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  servers.push(server);
  const { port } = server.address() as AddressInfo;
  return { seen, port, origin: `http://idp.example.test:${port}`, connections: () => connections };
}

function outbound(options: Partial<Omit<OutboundOptions, 'allowed'>> & { allowed?: string[] } = {}) {
  return createOutbound({
    resolve: async () => [LOOPBACK],
    ownAddresses: () => ['198.41.0.4', '2001:500:2::c'],
    ...options,
    allowed: async () => options.allowed ?? [],
  });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'passed',
    (error: unknown) => (error instanceof BerthError ? error.code : String(error)),
  );
}

describe('outbound calls: which addresses', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['127.0.0.1', 'private'],
    ['127.8.9.10', 'private'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['100.64.0.1', 'private'],
    ['192.88.99.1', 'private'],
    ['198.18.0.1', 'private'],
    ['::1', 'private'],
    ['fd42:1:2::5', 'private'],
    ['0.0.0.0', 'never'],
    ['169.254.169.254', 'never'],
    ['100.100.100.200', 'never'],
    ['192.0.0.192', 'never'],
    ['224.0.0.1', 'never'],
    ['240.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['fd00:ec2::254', 'never'],
    ['::', 'never'],
    ['::ffff:127.0.0.1', 'never'],
    ['::ffff:7f00:1', 'never'],
    ['::127.0.0.1', 'never'],
    ['64:ff9b::7f00:1', 'never'],
    ['64:ff9b:1::7f00:1', 'never'],
    ['2002:7f00:1::', 'never'],
    ['2001::7f00:1', 'never'],
    ['2001:db8::1', 'never'],
    ['fe80::1', 'never'],
    ['fe80::1%eth0', 'never'],
    ['fec0::1', 'never'],
    ['ff02::1', 'never'],
    ['not an address', 'never'],
    // This machine's own, although they are public ranges.
    ['198.41.0.4', 'private'],
    ['2001:500:2:0:0::c', 'private'],
  ])('%s is %s', (address, kind) => {
    expect(classifyAddress(address, ['198.41.0.4', '2001:500:2::c'])).toBe(kind);
  });

  it('no form of an IPv4 address inside an IPv6 address is public', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, octet, octet, (a, b, c, d) => {
        const hex = [a * 256 + b, c * 256 + d].map((part) => part.toString(16)).join(':');
        for (const form of [`::ffff:${hex}`, `::${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`, `2001:0:${hex}::`]) {
          expect(classifyAddress(form, [])).not.toBe('public');
        }
      }),
    );
  });
});

describe('outbound calls: which URLs', () => {
  const refused = [
    'http://example.com/',
    'https://example.com:8443/',
    'https://example.com:22/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_x',
    'data:text/plain,x',
    'javascript:alert(1)',
    '//example.com/',
    'example.com',
    '',
    'https://',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://example.com@127.0.0.1/',
    `https://example.com/${'a'.repeat(2_000)}`,
  ];
  it.each(refused)('refuses %s whatever the name answers', async (url) => {
    expect(await codeOf(outbound({ resolve: async () => [PUBLIC] }).check(url))).toBe('invalid_input');
  });

  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '127.0.0.1.',
    '①②⑦.0.0.1',
    '127%2e0%2e0%2e1',
    '0',
    '10.0.0.5',
    '0xA9FEA9FE',
    '2852039166',
    '169.254.169.254',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[0:0:0:0:0:ffff:7f00:0001]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fd00::1]',
    '198.41.0.4',
  ];
  it.each(hosts)('refuses https://%s/ without asking a resolver', async (host) => {
    let asked = 0;
    const guard = outbound({
      resolve: async () => {
        asked++;
        return [PUBLIC];
      },
    });
    expect(await codeOf(guard.check(`https://${host}/`))).toBe('invalid_input');
    expect(await codeOf(guard.fetch(`https://${host}/`))).toBe('invalid_input');
    expect(asked).toBe(0);
  });

  it('accepts a public name on the usual port, and one bad address among good ones refuses it', async () => {
    const both = outbound({ resolve: async () => [PUBLIC, LOOPBACK] });
    expect(await codeOf(outbound({ resolve: async () => [PUBLIC] }).check('https://idp.example.com/x'))).toBe('passed');
    expect(await codeOf(outbound({ resolve: async () => [PUBLIC] }).check('https://idp.example.com:443/'))).toBe(
      'passed',
    );
    expect(await codeOf(both.check('https://idp.example.com/'))).toBe('invalid_input');
    expect(await codeOf(outbound({ resolve: async () => [] }).check('https://idp.example.com/'))).toBe('invalid_input');
  });

  it('says the same about a name that does not exist and one that is private', async () => {
    const say = async (resolve: OutboundOptions['resolve'] & {}) =>
      outbound({ resolve })
        .check('https://idp.example.com/')
        .catch((error: unknown) => (error as Error).message);
    const missing = await say(async () => {
      throw new Error('ENOTFOUND');
    });
    expect(await say(async () => [LOOPBACK])).toBe(missing);
  });

  it('an allowed origin may be private, plain and on any port; metadata never; another port not', async () => {
    const guard = outbound({ allowed: ['http://idp.corp.test:8080'] });
    expect(await codeOf(guard.check('http://idp.corp.test:8080/realm'))).toBe('passed');
    expect(await codeOf(guard.check('http://idp.corp.test:8081/realm'))).toBe('invalid_input');
    expect(await codeOf(guard.check('https://idp.corp.test/'))).toBe('invalid_input');
    const metadata = outbound({
      allowed: ['http://idp.corp.test:8080'],
      resolve: async () => [{ address: '169.254.169.254', family: 4 }],
    });
    expect(await codeOf(metadata.check('http://idp.corp.test:8080/'))).toBe('invalid_input');
  });
});

describe('outbound calls: what is called', () => {
  it('connects to the address it judged: the name is known to nobody else', async () => {
    const server = await listen(() => ({ body: '{"issuer":"x"}', headers: { 'content-type': 'application/json' } }));
    const guard = outbound({ allowed: [server.origin] });
    const answer = await guard.fetch(`${server.origin}/.well-known/openid-configuration`, {
      method: 'POST',
      body: new URLSearchParams({ code: 'c' }),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(await answer.json()).toEqual({ issuer: 'x' });
    expect(server.seen[0]).toMatchObject({ method: 'POST', body: 'code=c', url: '/.well-known/openid-configuration' });
    expect(server.seen[0]?.headers['host']).toBe(new URL(server.origin).host);
  });

  it('a name that changes its answer between check and use reaches nothing', async () => {
    const server = await listen(() => ({}));
    const answers = [[PUBLIC], [LOOPBACK]];
    const guard = outbound({ resolve: async () => answers.shift() ?? [LOOPBACK] });
    await guard.check('https://rebind.example.test/');
    expect(await codeOf(guard.fetch('https://rebind.example.test/'))).toBe('invalid_input');
    expect(server.connections()).toBe(0);
  });

  it('a name that changes its answer during the call is asked once: the connection uses what was judged', async () => {
    const server = await listen(() => ({}));
    let asked = 0;
    const guard = outbound({
      allowed: [server.origin],
      // Judged: an address of loopback where nothing listens. A second look-up would find the server.
      resolve: async () => (asked++ === 0 ? [{ address: '127.66.66.66', family: 4 }] : [LOOPBACK]),
    });
    expect(await codeOf(guard.fetch(`${server.origin}/`, { timeoutMs: 2_000 }))).toBe('upstream_failed');
    expect([asked, server.connections()]).toEqual([1, 0]);
  });

  it.each([
    'http://127.0.0.1:PORT/inside',
    'http://localhost:PORT/inside',
    'https://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
    'http://user:pw@idp.example.test:PORT/',
  ])('a redirect to %s is not followed', async (location) => {
    const inside = await listen(() => ({ body: 'secret' }));
    const server = await listen(() => ({
      status: 302,
      headers: { location: location.replace('PORT', String(inside.port)) },
    }));
    expect(await codeOf(outbound({ allowed: [server.origin] }).fetch(server.origin))).toBe('invalid_input');
    expect(inside.connections()).toBe(0);
  });

  it('follows a few redirects, drops credentials on the way to another origin, and can leave them to the caller', async () => {
    const other = await listen(() => ({ body: 'there' }));
    const server = await listen((url) =>
      url === '/loop'
        ? { status: 302, headers: { location: '/loop' } }
        : { status: 302, headers: { location: `${other.origin}/there` } },
    );
    const guard = outbound({ allowed: [server.origin, other.origin] });
    const headers = { authorization: 'Bearer t', cookie: 'a=b', accept: 'text/plain' };
    expect(await (await guard.fetch(server.origin, { headers })).text()).toBe('there');
    expect(server.seen[0]?.headers['authorization']).toBe('Bearer t');
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(other.seen[0]?.headers).not.toHaveProperty('cookie');
    expect(other.seen[0]?.headers['accept']).toBe('text/plain');
    expect(await codeOf(guard.fetch(`${server.origin}/loop`))).toBe('upstream_failed');
    expect((await guard.fetch(server.origin, { redirect: 'manual' })).status).toBe(302);
  });

  it('what was posted does not travel to another origin', async () => {
    const other = await listen(() => ({}));
    const server = await listen(() => ({ status: 307, headers: { location: other.origin } }));
    const guard = outbound({ allowed: [server.origin, other.origin] });
    expect(await codeOf(guard.fetch(server.origin, { method: 'POST', body: 'code=secret' }))).toBe('upstream_failed');
    expect(other.connections()).toBe(0);
  });

  it('size and time are bounded, packed answers are refused', async () => {
    const server = await listen((url) =>
      url === '/big' ? { body: 'x'.repeat(5_000) } : { headers: { 'content-encoding': 'gzip' }, body: 'not even gzip' },
    );
    const guard = outbound({ allowed: [server.origin] });
    expect(await codeOf(guard.fetch(`${server.origin}/big`, { bodyBytesMax: 4_000 }))).toBe('upstream_failed');
    expect((await guard.fetch(`${server.origin}/big`, { bodyBytesMax: 5_000 })).status).toBe(200);
    expect(await codeOf(guard.fetch(`${server.origin}/packed`))).toBe('upstream_failed');
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await new Promise((done) => silent.once('listening', done));
    servers.push(silent);
    const origin = `http://idp.example.test:${(silent.address() as AddressInfo).port}`;
    expect(await codeOf(outbound({ allowed: [origin] }).fetch(origin, { timeoutMs: 200 }))).toBe('timeout');
    const neverResolves = outbound({ resolve: () => new Promise(() => {}) });
    expect(await codeOf(neverResolves.fetch('https://idp.example.com/', { timeoutMs: 200 }))).toBe('timeout');
  });
});
