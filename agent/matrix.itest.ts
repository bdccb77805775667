/**
 * The egress matrix on real guests of an engine of this test's own, in both families: what may be reached and what never,
 * again after a restart of the agent, after the engine was restarted and killed, and after all tables were deleted.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { type OwnEngine, startEngine } from '#testkit/engine.ts';
import { until } from '#testkit/ingress.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { Named } from '#testkit/named.ts';
import { nft } from './incus/filters.ts';

const run = promisify(execFile);
let engine: OwnEngine;
let internet: Internet;
let named: Named;
let agent: TestAgent;
let network: NetworkSpec;
let other: NetworkSpec;
let one: GuestSpec;
let neighbour: GuestSpec;
let stranger: GuestSpec;

/** Says of each `address/port` whether it opened. */
const PROBE = `
import socket,sys,threading
def probe(target):
    host,port=target.rsplit('/',1)
    s=socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET); s.settimeout(3)
    try: s.connect((host,int(port))); found='open'
    except OSError: found='shut'
    sys.stdout.write(target+' '+found+'\\n')
all=[threading.Thread(target=probe,args=(t,)) for t in sys.argv[1:]]
for t in all: t.start()
for t in all: t.join()
`;
const LOOK = `
import socket,sys
print(sorted({a[4][0] for a in socket.getaddrinfo('berth-shop.org',1)}))
`;

/** Every way out and what has to become of it. */
function matrix(): Record<string, 'open' | 'shut'> {
  const gateway4 = one.address4.replace(/\.\d+$/, '.1');
  const gateway6 = network.subnet6.replace('::/64', '::1');
  const shut = [
    ...internet.forbidden.map((address) => `${address}/${internet.port}`),
    ...[gateway4, gateway6, internet.host4, internet.host6].map((address) => `${address}/22`),
    ...[neighbour, stranger].flatMap((guest) => [`${guest.address4}/22`, `${guest.address6}/22`]),
    ...[internet.public4, internet.public6].map((address) => `${address}/25`),
    ...[internet.public4, internet.public6].map((address) => `${address}/853`),
  ];
  const open = [internet.public4, internet.public6].map((address) => `${address}/${internet.port}`);
  return Object.fromEntries([
    ...open.map((target) => [target, 'open'] as const),
    ...shut.map((target) => [target, 'shut'] as const),
  ]);
}

async function seen(): Promise<Record<string, string>> {
  const { stdout, stderr } = await agent.inside(one, ['python3', '-c', PROBE, ...Object.keys(matrix())], 60_000);
  if (stdout === '') throw new Error(stderr);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
}

/** Nothing that must be shut may ever have been open; what must be open may take a moment. */
async function holds(): Promise<void> {
  const wanted = matrix();
  await until(
    'the internet is open',
    async () => {
      const now = await seen();
      for (const [target, state] of Object.entries(now))
        if (wanted[target] === 'shut') expect(state, target).toBe('shut');
      return Object.entries(wanted).every(([target, state]) => now[target] === state);
    },
    60_000,
  );
  const { stdout } = await agent.inside(one, ['python3', '-c', LOOK]);
  expect(stdout).toContain(internet.public4);
  expect(stdout).toContain(internet.public6);
}

beforeAll(async () => {
  internet = await fakeInternet({ metadata: false });
  named = await Named.start({
    'berth-shop.org': [`@ 60 IN A ${internet.public4}`, `@ 60 IN AAAA ${internet.public6}`],
  });
  engine = await startEngine();
  agent = await startAgent({ engine, upstream: [`127.0.0.1@${named.port}`] });
  const image = await agent.image();
  network = await agent.network();
  other = await agent.network();
  one = agent.spec(network, 10, image);
  neighbour = agent.spec(network, 11, image);
  stranger = agent.spec(other, 12, image);
  for (const guest of [one, neighbour, stranger]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [one, neighbour, stranger]) await agent.waitHealthy(guest);
}, 300_000);
afterAll(async () => {
  await agent?.close();
  await engine?.close();
  await named?.stop();
  await internet?.close();
}, 120_000);

describe('V7: the egress matrix', () => {
  it('V7: control: whatever is shut to guests answers the host', async () => {
    for (const address of internet.forbidden) {
      const { stdout } = await run('python3', ['-c', PROBE, `${address}/${internet.port}`]);
      expect(stdout.trim()).toBe(`${address}/${internet.port} open`);
    }
  });

  it('V7: holds', () => holds(), 120_000);

  it('V7: holds after a restart of the agent', async () => {
    await agent.kill();
    await holds();
    await agent.start();
    await holds();
  }, 180_000);

  it('V7: holds after the engine was restarted and killed, with guests that never stopped', async () => {
    const booted = async () => (await agent.inside(one, ['cat', '/proc/1/stat'])).stdout.split(' ')[21];
    const before = await booted();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const was = engine.pid();
      await engine.restart(signal);
      expect(engine.pid()).not.toBe(was);
      await holds();
    }
    expect(await booted()).toBe(before);
  }, 300_000);

  it('V7: holds again after every table of Berth was deleted', async () => {
    for (const purpose of ['resolver', 'policies', 'flows']) {
      await nft(['delete', 'table', 'inet', agent.names.table(purpose)], '');
    }
    await agent.kill();
    await agent.start();
    await until(
      'the way to the resolver is back',
      async () => (await nft(['list', 'table', 'inet', agent.names.table('resolver')], '')).ok,
      60_000,
    );
    await holds();
  }, 180_000);
});
