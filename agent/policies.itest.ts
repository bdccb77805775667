/** What may enter and leave guests, on real guests: policies of projects, security groups, caps; repaired and kept. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NetworkRule, parseRule } from '#domain/network-rules.ts';
import type { GuestSpec, NetworkSpec, PolicySpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { nft } from './incus/filters.ts';

const run = promisify(execFile);
let agent: TestAgent;
let internet: Internet;
let network: NetworkSpec;
let one: GuestSpec;
let two: GuestSpec;
let world: ChildProcess;

/** Out on the internet: echoes for as long as somebody speaks, on TCP and UDP. */
const ECHO = `
import socket,threading,sys
port=int(sys.argv[1])
def serve(c):
    try:
        while True:
            d=c.recv(65536)
            if not d: break
            c.sendall(d[:100])
    except OSError: pass
    c.close()
def udp():
    u=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); u.bind(('::',port))
    while True:
        d,a=u.recvfrom(2000); u.sendto(d,a)
threading.Thread(target=udp,daemon=True).start()
s=socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('::',port)); s.listen(1000)
print('up',flush=True)
while True: threading.Thread(target=serve,args=(s.accept()[0],),daemon=True).start()
`;
const ASK = `
import socket,sys
kind,host,port=sys.argv[1],sys.argv[2],int(sys.argv[3])
s=socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET,socket.SOCK_STREAM if kind=='tcp' else socket.SOCK_DGRAM); s.settimeout(1.5)
try:
    s.connect((host,port)); s.sendall(b'hello'); print('open',s.recv(100).decode())
except OSError as e: print('shut',e)
`;
const PORT = 7777;

async function reaches(guest: GuestSpec, host: string, port = PORT, kind: 'tcp' | 'udp' = 'tcp'): Promise<boolean> {
  const { stdout, stderr } = await agent.inside(guest, ['python3', '-c', ASK, kind, host, String(port)]);
  if (!/^(open|shut)/.test(stdout)) throw new Error(`the probe failed: ${stderr}`);
  return stdout.startsWith('open');
}

const rule = (text: string): NetworkRule => {
  const read = parseRule(text);
  if (typeof read === 'string') throw new Error(read);
  return read;
};
type Policy = Omit<PolicySpec['projects'][number], 'project'>;
const open: Policy = { default: 'allow', rules: [], connectionsMax: null, bytesPerSecondMax: null };
const egress = (policy: Partial<Policy>, more: Partial<PolicySpec> = {}): Promise<void> =>
  agent.driver.setPolicies({
    projects: [{ ...open, ...policy, project: network.project }],
    groups: [],
    instances: [],
    ...more,
  });
const table = (): Promise<{ ok: boolean; stdout: string }> =>
  nft(['list', 'table', 'inet', agent.names.table('policies')], '');

beforeAll(async () => {
  internet = await fakeInternet({ metadata: false });
  const started = spawn('ip', ['netns', 'exec', internet.namespace, 'python3', '-c', ECHO, String(PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  world = started;
  await new Promise((resolve) => started.stdout.once('data', resolve));
  agent = await startAgent();
  const image = await agent.image();
  network = await agent.network();
  one = agent.spec(network, 10, image);
  two = agent.spec(network, 11, image);
  for (const guest of [one, two]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [one, two]) await agent.waitHealthy(guest);
});
afterAll(async () => {
  world?.kill('SIGKILL');
  await agent?.close();
  await internet?.close();
});

describe('V7: egress policies of projects', () => {
  it('V7: control: without a policy the internet is open in both families', async () => {
    await agent.driver.setPolicies({ projects: [], groups: [], instances: [] });
    expect((await table()).ok).toBe(false);
    // The first packets of a new guest find their way while neighbours are still being learnt.
    const soon = { timeout: 15_000, interval: 200 };
    for (const host of [internet.public4, internet.public6]) {
      await expect.poll(() => reaches(one, host), { ...soon, message: host }).toBe(true);
      await expect.poll(() => reaches(one, host, PORT, 'udp'), { ...soon, message: host }).toBe(true);
    }
  });

  it('V7: denies by range, protocol and port; deny wins over allow', async () => {
    await egress({ rules: [rule(`deny out tcp ${PORT} to ${internet.public4}`), rule('allow out any')] });
    expect(await reaches(one, internet.public4)).toBe(false);
    expect(await reaches(two, internet.public4)).toBe(false);
    expect(await reaches(one, internet.public4, PORT, 'udp')).toBe(true);
    expect(await reaches(one, internet.public4, internet.port)).toBe(true);
    expect(await reaches(one, internet.public6)).toBe(true);
  });

  it('V7: deny by default leaves only what is allowed, and never what Berth denies', async () => {
    const [shut = ''] = internet.forbidden;
    await egress({
      default: 'deny',
      rules: [
        rule(`allow out tcp ${PORT} to ${internet.public6}`),
        rule(`allow out any to ${shut}`),
        rule('allow out tcp 25'),
      ],
    });
    expect(await reaches(one, internet.public6)).toBe(true);
    expect(await reaches(one, internet.public6, PORT, 'udp')).toBe(false);
    expect(await reaches(one, internet.public4)).toBe(false);
    for (const address of internet.forbidden) expect(await reaches(one, address, internet.port), address).toBe(false);
    expect(await reaches(one, internet.public4, 25)).toBe(false);
    expect(await reaches(one, two.address4, 22)).toBe(false);
  });

  it('V7: it holds after deletion of its table and a restart of the agent', async () => {
    await egress({ default: 'deny', rules: [] });
    await nft(['delete', 'table', 'inet', agent.names.table('policies')], '');
    expect(await reaches(one, internet.public4)).toBe(true);
    await agent.kill();
    await agent.start();
    const limit = Date.now() + 20_000;
    while (!(await table()).ok) if (Date.now() > limit) throw new Error('the table did not come back');
    expect(await reaches(one, internet.public4)).toBe(false);
    expect(await reaches(one, internet.public6)).toBe(false);
    for (const address of internet.forbidden) expect(await reaches(one, address, internet.port), address).toBe(false);
    await nft(['flush', 'chain', 'inet', agent.names.table('policies'), 'through'], '');
    await egress({ default: 'deny', rules: [] });
    expect(await reaches(one, internet.public4)).toBe(false);
  });

  it('V7: open connections go on while rules change', async () => {
    await egress({});
    const talk = `
import socket,time,sys
s=socket.create_connection(('${internet.public4}',${PORT}),timeout=5); n=0
end=time.time()+6
while time.time()<end:
    s.sendall(b'x'); assert s.recv(1)==b'x'; n+=1; time.sleep(0.05)
print('talked',n)
`;
    const talking = agent.inside(one, ['python3', '-c', talk]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await egress({ default: 'deny' });
    expect(await reaches(two, internet.public4)).toBe(false);
    await egress({ rules: [rule('deny out udp 1')] });
    const { stdout, stderr } = await talking;
    expect(stdout, stderr).toMatch(/^talked \d+/);
  });

  it('V7: caps open connections and bandwidth of each instance', async () => {
    await egress({ connectionsMax: 10, bytesPerSecondMax: 100_000 });
    const many = `
import socket
held=[];refused=0
for i in range(14):
    s=socket.socket(); s.settimeout(1.5)
    try: s.connect(('${internet.public4}',${PORT})); held.append(s)
    except OSError: refused+=1
print(len(held),refused)
`;
    const { stdout } = await agent.inside(one, ['python3', '-c', many]);
    const [held = 0, refused = 0] = stdout.trim().split(' ').map(Number);
    expect(held).toBeLessThanOrEqual(10);
    expect(held).toBeGreaterThan(5);
    expect(refused).toBe(14 - held);
    const push = `
import socket,time
s=socket.create_connection(('${internet.public4}',${PORT}),timeout=30)
begin=time.time()
for i in range(40): s.sendall(b'x'*10000); s.recv(100)
print(time.time()-begin)
`;
    const slow = Number((await agent.inside(two, ['python3', '-c', push])).stdout);
    await egress({});
    const quick = Number((await agent.inside(two, ['python3', '-c', push])).stdout);
    expect(slow).toBeGreaterThan(2);
    expect(quick).toBeLessThan(slow / 3);
  });
});

describe('V7, M2: security groups', () => {
  const web = testId('sgr');
  const quiet = testId('sgr');
  const groups = (rules: { web: string[]; quiet?: string[] }, has: PolicySpec['instances']): Promise<void> =>
    agent.driver.setPolicies({
      projects: [],
      groups: [
        { group: web, rules: rules.web.map(rule) },
        { group: quiet, rules: (rules.quiet ?? []).map(rule) },
      ],
      instances: has,
    });

  /** A forwarded port of `one` and `two`, asked for by a stranger. */
  async function entered(index: number): Promise<boolean> {
    const port = agent.ports.first + index;
    const args = ['netns', 'exec', internet.namespace, 'python3', '-c', ASK, 'tcp', internet.host4, String(port)];
    return (await run('ip', args)).stdout.startsWith('open');
  }
  /** The shared host table may be an older one of another installation for a moment. */
  async function enters(index: number): Promise<void> {
    const limit = Date.now() + 90_000;
    while (!(await entered(index))) if (Date.now() > limit) throw new Error(`nobody gets in to ${index}`);
  }

  it('V7, M2: says who gets in to forwarded ports, for members only', async () => {
    await agent.driver.setForwards(
      [one, two].map((guest, index) => ({
        protocol: 'tcp' as const,
        hostPort: agent.ports.first + index,
        instance: guest.instance,
        port: 22,
      })),
    );
    await groups({ web: [] }, [{ instance: one.instance, groups: [web] }]);
    await enters(0);
    await enters(1);
    await groups({ web: ['allow in tcp 22 from 192.0.2.77'] }, [{ instance: one.instance, groups: [web] }]);
    expect(await entered(0)).toBe(false);
    await enters(1);
    await groups({ web: [`allow in tcp 22 from ${internet.public4}/24`] }, [{ instance: one.instance, groups: [web] }]);
    await enters(0);
    await groups({ web: ['allow in tcp 22'], quiet: [`deny in any from ${internet.public4}`] }, [
      { instance: one.instance, groups: [web, quiet] },
    ]);
    expect(await entered(0)).toBe(false);
    await enters(1);
  });

  it('V7, M2: says where members may go, in both families; several groups add up', async () => {
    await groups({ web: [`allow out tcp ${PORT} to ${internet.public4}`], quiet: [`allow out udp ${PORT}`] }, [
      { instance: one.instance, groups: [web] },
      { instance: two.instance, groups: [web, quiet] },
    ]);
    expect(await reaches(one, internet.public4)).toBe(true);
    expect(await reaches(one, internet.public6)).toBe(false);
    expect(await reaches(one, internet.public4, PORT, 'udp')).toBe(false);
    expect(await reaches(two, internet.public4)).toBe(true);
    expect(await reaches(two, internet.public6, PORT, 'udp')).toBe(true);
    expect(await reaches(two, internet.public6)).toBe(false);
    // Berth itself still gets in, whatever the rules say: screens, routes and terminals.
    expect((await agent.driver.health(one.instance)).state).not.toBe('unhealthy');
    for (const address of internet.forbidden) expect(await reaches(one, address, internet.port), address).toBe(false);
  });

  it('V7: a policy of the project and groups both have to agree', async () => {
    await agent.driver.setPolicies({
      projects: [{ ...open, project: network.project, rules: [rule('deny out udp')] }],
      groups: [{ group: web, rules: [rule('allow out any')] }],
      instances: [{ instance: one.instance, groups: [web] }],
    });
    expect(await reaches(one, internet.public4)).toBe(true);
    expect(await reaches(one, internet.public4, PORT, 'udp')).toBe(false);
  });

  it('V7: ends with the guest: its address is nobody’s any more', async () => {
    await groups({ web: ['deny out any'] }, [{ instance: two.instance, groups: [web] }]);
    expect((await table()).stdout).toContain(two.address4);
    await agent.driver.destroyGuest(two.instance);
    expect((await table()).stdout).not.toContain(two.address4);
  });
});
