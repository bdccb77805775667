import { expect, it } from 'vitest';
import { poolBytes } from './engine.ts';
import { layoutOf, newHostConfig, originOf } from './layout.ts';
import { parseSize, parseUp, UsageError } from './options.ts';

const GIB = 1024 ** 3;

it('reads every option of up', () => {
  const argv =
    '--yes --detach --json --demo --data-dir /data/ --domain Cloud.Example.org. --control-port 9000 --https-port 9001 --http-port 9002 --ssh-port 9003 --ssh-workers 3 --forward-ports 21000-21999 --acme-directory https://acme.example/dir --acme-email ops@example.org --dns-resolver 192.0.2.53 --dns-resolver [2001:db8::53]:5353 --pool-device /dev/sdb --pool-size 40GiB';
  expect(parseUp(argv.split(' '))).toMatchObject({
    yes: true,
    detach: true,
    json: true,
    demo: true,
    dataDir: '/data',
    domain: 'cloud.example.org',
    controlPort: 9000,
    httpsPort: 9001,
    httpPort: 9002,
    sshPort: 9003,
    sshWorkers: 3,
    forwardPorts: { first: 21_000, last: 21_999 },
    acme: { directory: 'https://acme.example/dir', email: 'ops@example.org', caFile: null },
    resolvers: ['192.0.2.53', '[2001:db8::53]:5353'],
    poolDevice: '/dev/sdb',
    poolSizeBytes: 40 * GIB,
    images: true,
  });
});

it.each([
  ['--control-port', '0'],
  ['--control-port', '65536'],
  ['--https-port', '44e1'],
  ['--http-port', '-1'],
  ['--ssh-port', 'ssh'],
  ['--ssh-workers', '0'],
  ['--ssh-workers', '17'],
  ['--forward-ports', '21000'],
  ['--forward-ports', '80-90'],
  ['--forward-ports', '21000-20000'],
  ['--forward-ports', '20000-29999'],
  ['--acme-directory', 'http://acme.example/dir'],
  ['--acme-email', 'ops@example.org'],
  ['--dns-resolver', 'dns.example'],
  ['--dns-resolver', '192.0.2.53:99999'],
  ['--domain', 'bad_name'],
  ['--domain', '-a.example'],
  ['--data-dir', 'relative'],
  ['--pool-device', 'sdb'],
  ['--pool-size', 'big'],
  ['--nonsense', 'x'],
])('refuses %s %s in words', (option, value) => {
  expect(() => parseUp([option, value])).toThrow(UsageError);
});

it('reads sizes', () => {
  expect([parseSize('1'), parseSize('1k'), parseSize('1.5GiB'), parseSize('2 TB')]).toEqual([
    1,
    1024,
    1.5 * GIB,
    2 * 1024 * GIB,
  ]);
});

it('sizes the pool file: 60 % of what is free, 10 to 100 GiB, or what was asked for', () => {
  expect(poolBytes(50 * GIB, null)).toBe(30 * GIB);
  expect(poolBytes(1000 * GIB, null)).toBe(100 * GIB);
  expect(poolBytes(50 * GIB, 5 * GIB)).toBe(5 * GIB);
  expect(() => poolBytes(12 * GIB, null)).toThrow(/at least/);
  expect(() => poolBytes(4 * GIB, 5 * GIB)).toThrow(/are free/);
});

it('keeps socket paths short enough for the kernel, whatever the data folder is called', () => {
  const short = newHostConfig('/var/lib/berth');
  expect(short.runDir).toBe('/var/lib/berth/run');
  const long = newHostConfig(`/srv/${'long/'.repeat(30)}berth`);
  expect(long.runDir).toBe(`/run/berth-${long.installation}`);
  for (const config of [short, long]) {
    for (const socket of Object.values(layoutOf('/x', config.runDir).sockets))
      expect(Buffer.byteLength(socket)).toBeLessThan(107);
    expect(config.installation).toMatch(/^[a-z][a-z0-9]{5}$/);
    expect(config.network.prefix6).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}$/);
  }
});

it('writes origins as browsers do', () => {
  expect(originOf('a.example', 443)).toBe('https://a.example');
  expect(originOf('a.example', 9443)).toBe('https://a.example:9443');
});
