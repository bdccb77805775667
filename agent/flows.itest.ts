/** What left guests, counted by the kernel: both families, allowed and denied by whom so ever, names, floods. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FLOW_NEW_BURST, type Flow } from '#domain/flows.ts';
import { parseRule } from '#domain/network-rules.ts';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { until } from '#testkit/ingress.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { Named } from '#testkit/named.ts';
import { nft } from './incus/filters.ts';

let internet: Internet;
let named: Named;
let agent: TestAgent;
let network: NetworkSpec;
let one: GuestSpec;
let two: GuestSpec;
let world: ChildProcess;

const SINK = `
import socket,sys,threading
s=socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('::',7777)); s.listen(1000)
print('up',flush=True)
def serve(c):
    try:
        while True:
            d=c.recv(65536)
            if not d: break
        c.sendall(b'y'*50000)
    except OSError: pass
    c.close()
while True: threading.Thread(target=serve,args=(s.accept()[0],),daemon=True).start()
`;
const SEND = `
import socket,sys
s=socket.create_connection((sys.argv[1],7777),timeout=10); s.sendall(b'x'*100000); s.shutdown(1)
n=0
while True:
    d=s.recv(65536)
    if not d: break
    n+=len(d)
print(n)
`;
const TRY = `
import socket,sys
for host,port in [a.rsplit('/',1) for a in sys.argv[1:]]:
    s=socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET); s.settimeout(1)
    try: s.connect((host,int(port)))
    except OSError: pass
    s.close()
`;

const PING = `
import socket,struct,sys
s=socket.socket(socket.AF_INET,socket.SOCK_RAW,1); body=struct.pack('>BBHHH',8,0,0,7,1)
s.sendto(struct.pack('>BBHHH',8,0,(~((8<<8)+7+1))&0xffff,7,1),(sys.argv[1],0))
`;

let done: string | null = null;
const seen: (Flow & { instance: string })[] = [];
/** Takes over what there is and keeps it. */
async function take(): Promise<void> {
  const piece = await agent.driver.flows(done);
  if (piece.batch === null || piece.batch === done) return;
  done = piece.batch;
  seen.push(...piece.flows);
}
const of = (guest: GuestSpec, wanted: Partial<Flow>) =>
  seen.filter(
    (flow) =>
      flow.instance === guest.instance &&
      Object.entries(wanted).every(([key, value]) => flow[key as keyof Flow] === value),
  );
const sum = (flows: readonly Flow[], what: 'connections' | 'sentBytes' | 'receivedBytes'): number =>
  flows.reduce((total, flow) => total + flow[what], 0);
async function appears(guest: GuestSpec, wanted: Partial<Flow>): Promise<Flow> {
  await until(
    `${JSON.stringify(wanted)} appears among ${JSON.stringify(seen.slice(-20))}`,
    async () => {
      await take();
      return of(guest, wanted).length > 0;
    },
    60_000,
  );
  return of(guest, wanted)[0] as Flow;
}

beforeAll(async () => {
  internet = await fakeInternet({ metadata: false });
  const started = spawn('ip', ['netns', 'exec', internet.namespace, 'python3', '-c', SINK], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  world = started;
  await new Promise((resolve) => started.stdout.once('data', resolve));
  named = await Named.start({ 'berth-shop.org': [`@ 60 IN A ${internet.public4}`] });
  agent = await startAgent({ upstream: [`127.0.0.1@${named.port}`] });
  const image = await agent.image();
  network = await agent.network();
  one = agent.spec(network, 10, image);
  two = agent.spec(network, 11, image);
  for (const guest of [one, two]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [one, two]) await agent.waitHealthy(guest);
}, 240_000);
afterAll(async () => {
  world?.kill('SIGKILL');
  await agent?.close();
  await named?.stop();
  await internet?.close();
});

describe('V7: what left this box', () => {
  it('V7: bytes both ways, in both families, with the name that was asked for', async () => {
    // A new guest gets its IPv6 address a little later.
    await until(
      'IPv6 works',
      async () => (await agent.inside(one, ['python3', '-c', SEND, internet.public6])).stdout.trim() === '50000',
      60_000,
    );
    const { stdout, stderr } = await agent.inside(one, ['python3', '-c', SEND, 'berth-shop.org']);
    expect(stdout, stderr).toBe('50000\n');
    const four = await appears(one, { address: internet.public4, port: 7777 });
    expect(four).toMatchObject({ protocol: 'tcp', verdict: 'allowed', name: 'berth-shop.org' });
    const six = await appears(one, { address: internet.public6, port: 7777 });
    expect(six).toMatchObject({ verdict: 'allowed', name: null });
    await until(
      'all bytes are counted',
      async () => {
        await take();
        return sum(of(one, { address: internet.public4 }), 'receivedBytes') > 50_000;
      },
      60_000,
    );
    const flows = of(one, { address: internet.public4 });
    expect(sum(flows, 'connections')).toBe(1);
    // With the heads of packets.
    expect(sum(flows, 'sentBytes')).toBeGreaterThan(100_000);
    expect(sum(flows, 'sentBytes')).toBeLessThan(130_000);
    expect(sum(flows, 'receivedBytes')).toBeLessThan(70_000);
    expect(of(two, {})).toEqual([]);
  });

  it('V7: what Berth itself, the mail rule, a policy and the host refuse is denied', async () => {
    const rule = parseRule(`deny out tcp 7778 to ${internet.public4}`);
    if (typeof rule === 'string') throw new Error(rule);
    await agent.driver.setPolicies({
      projects: [
        { project: network.project, default: 'allow', rules: [rule], connectionsMax: null, bytesPerSecondMax: null },
      ],
      groups: [],
      instances: [],
    });
    const [shut = '', ...others] = internet.forbidden;
    const shut6 = others.find((address) => address.includes(':')) ?? '';
    const gateway = one.address4.replace(/\.\d+$/, '.1');
    const wanted = [
      [shut, 80],
      [shut6, 80],
      [internet.public4, 25],
      [internet.public4, 7778],
      [gateway, 22],
    ] as const;
    await agent.inside(one, ['python3', '-c', TRY, ...wanted.map(([address, port]) => `${address}/${port}`)]);
    for (const [address, port] of wanted) {
      const flow = await appears(one, { address, port });
      expect(flow, `${address} ${port}`).toMatchObject({ verdict: 'denied', sentBytes: 0 });
      expect(of(one, { address, port, verdict: 'allowed' })).toEqual([]);
    }
    expect(of(one, { address: internet.public4, port: 7777, verdict: 'denied' })).toEqual([]);
  });

  it('V7: pings are counted without a port; a piece is told again until it is kept', async () => {
    await agent.inside(one, ['python3', '-c', PING, internet.public4]);
    expect(await appears(one, { protocol: 'icmp' })).toMatchObject({
      address: internet.public4,
      port: 0,
      verdict: 'allowed',
    });
    await agent.inside(one, ['python3', '-c', TRY, `${internet.public4}/7001`]);
    let first = await agent.driver.flows(done);
    await until(
      'something is told',
      async () => {
        first = await agent.driver.flows(done);
        return first.batch !== null && first.batch !== done && first.flows.some((flow) => flow.port === 7001);
      },
      60_000,
    ).catch(() => undefined);
    expect(await agent.driver.flows(done)).toEqual(first);
    await take();
    expect((await agent.driver.flows(done)).batch).not.toBe(first.batch);
  });

  it('V7: a flood from one guest is held back, and hides nothing of its neighbour', async () => {
    const flood = `
import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
base='${internet.public4}'.rsplit('.',1)[0]
for i in range(20000):
    try: s.sendto(b'x',('${internet.public4}',1024+i))
    except OSError: pass
`;
    const cpu = () => agentCpuSeconds();
    const before = cpu();
    await agent.inside(one, ['python3', '-c', flood], 60_000);
    await agent.inside(two, ['python3', '-c', SEND, internet.public4]);
    await appears(two, { address: internet.public4, port: 7777, verdict: 'allowed' });
    await appears(one, { address: '', protocol: 'any' });
    expect(of(one, { protocol: 'udp' }).length).toBeLessThan(FLOW_NEW_BURST + 120);
    expect(sum(of(one, { address: '' }), 'connections')).toBeGreaterThan(15_000);
    // Some seconds of flood and looking at it cost less than two of the agent's.
    expect(cpu() - before).toBeLessThan(2);
  });

  it('V7: goes on after deletion of its table and a restart of the agent', async () => {
    await nft(['delete', 'table', 'inet', agent.names.table('flows')], '');
    await agent.kill();
    await agent.start();
    done = null;
    await until(
      'it counts again',
      async () => (await nft(['list', 'table', 'inet', agent.names.table('flows')], '')).ok,
      30_000,
    );
    seen.length = 0;
    await agent.inside(two, ['python3', '-c', SEND, internet.public4]);
    await appears(two, { address: internet.public4, port: 7777, verdict: 'allowed' });
  });

  it('V7: an address that changes hands takes nothing along', async () => {
    await agent.inside(two, ['python3', '-c', TRY, `${internet.public4}/7002`]);
    await agent.driver.destroyGuest(two.instance);
    const next = agent.spec(network, 11, two.imageFingerprint);
    await agent.driver.createGuest(next);
    await agent.driver.power(next.instance, 'start', {});
    await agent.waitHealthy(next);
    await appears(two, { address: internet.public4, port: 7002 });
    await agent.inside(next, ['python3', '-c', SEND, internet.public4]);
    await appears(next, { address: internet.public4, port: 7777 });
    expect(of(next, { port: 7002 })).toEqual([]);
  });
});

/** Of the agent's process, so far. */
function agentCpuSeconds(): number {
  const fields = readFileSync(`/proc/${agent.pid()}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
