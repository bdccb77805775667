/** The resolver of instances and rules that name domains: a real kresd in front of a real BIND, real guests. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NetworkRule, parseRule } from '#domain/network-rules.ts';
import { resolverAddresses } from '#domain/resolver.ts';
import type { GuestSpec, NetworkSpec, PolicySpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { until } from '#testkit/ingress.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { Named } from '#testkit/named.ts';
import { nft } from './incus/filters.ts';

const run = promisify(execFile);
let internet: Internet;
let named: Named;
let agent: TestAgent;
let network: NetworkSpec;
let other: NetworkSpec;
let one: GuestSpec;
let stranger: GuestSpec;

/** Asks the system's resolver, or the server given, and says what it was told. */
const ASK = `
import socket,struct,sys,random
name,kind,server=sys.argv[1],sys.argv[2],sys.argv[3]
family=socket.AF_INET6 if ':' in server else socket.AF_INET
number=random.randrange(65536)
packet=struct.pack('>HHHHHH',number,0x100,1,0,0,0)+b''.join(bytes([len(p)])+p.encode() for p in name.split('.'))+b'\\0'+struct.pack('>HH',{'A':1,'AAAA':28,'PTR':12}[kind],1)
s=socket.socket(family,socket.SOCK_DGRAM); s.settimeout(4); s.sendto(packet,(server,53))
try: data,sender=s.recvfrom(4096)
except OSError: print('silence'); sys.exit()
code=data[3]&15; count=struct.unpack('>H',data[6:8])[0]; at=12
def skip(at):
    while data[at]!=0:
        if data[at]>=192: return at+2
        at+=data[at]+1
    return at+1
at=skip(at)+4; found=[]
for i in range(count):
    at=skip(at); t,c,ttl,size=struct.unpack('>HHIH',data[at:at+10]); at+=10
    if t==1: found.append(socket.inet_ntop(socket.AF_INET,data[at:at+4]))
    if t==28: found.append(socket.inet_ntop(socket.AF_INET6,data[at:at+16]))
    at+=size
print(['ok','format','failed','none','no','refused'][code],*sorted(found))
`;
/** Looks a name up as programs do, and connects at once; or connects to an address. */
const GO = `
import socket,sys
host,port=sys.argv[1],int(sys.argv[2]); last='none'
try: found=socket.getaddrinfo(host,port,type=socket.SOCK_STREAM)
except OSError as e: print('shut',e); sys.exit()
for f,t,p,_,a in found:
    s=socket.socket(f,t,p); s.settimeout(2)
    try: s.connect(a); print('open',a[0]); sys.exit()
    except OSError as e: last=e
print('shut',last)
`;

async function ask(guest: GuestSpec, name: string, kind = 'A', server?: string): Promise<string> {
  const gateway = guest.address4.replace(/\.\d+$/, '.1');
  const { stdout, stderr } = await agent.inside(guest, ['python3', '-c', ASK, name, kind, server ?? gateway]);
  if (stdout === '') throw new Error(stderr);
  return stdout.trim();
}
async function goes(guest: GuestSpec, host: string): Promise<boolean> {
  const { stdout, stderr } = await agent.inside(guest, ['python3', '-c', GO, host, String(internet.port)]);
  if (!/^(open|shut)/.test(stdout)) throw new Error(stderr);
  return stdout.startsWith('open');
}
const rule = (text: string): NetworkRule => {
  const read = parseRule(text);
  if (typeof read === 'string') throw new Error(read);
  return read;
};
const egress = (action: 'allow' | 'deny', rules: string[], more: Partial<PolicySpec> = {}): Promise<void> =>
  agent.driver.setPolicies({
    projects: [
      {
        project: network.project,
        default: action,
        rules: rules.map(rule),
        connectionsMax: null,
        bytesPerSecondMax: null,
      },
    ],
    groups: [],
    instances: [],
    ...more,
  });
/** What the firewall holds for names. */
async function held(): Promise<string[]> {
  const { stdout } = await nft(['list', 'table', 'inet', agent.names.table('policies')], '');
  const sets = [...stdout.matchAll(/set dyn_names_\w+ \{([\s\S]*?)\n\t\}/g)].map(([, body = '']) => body);
  return sets.flatMap((body) => [...body.matchAll(/([0-9a-f.:]+) timeout/g)].map(([, address = '']) => address)).sort();
}

beforeAll(async () => {
  internet = await fakeInternet({ metadata: false });
  const { public4, public6 } = internet;
  const second4 = public4.replace(/44$/, '45');
  const third4 = public4.replace(/44$/, '46');
  await run('ip', ['-n', internet.namespace, 'addr', 'add', `${second4}/32`, 'dev', 'lo']);
  await run('ip', ['-n', internet.namespace, 'addr', 'add', `${third4}/32`, 'dev', 'lo']);
  named = await Named.start({
    'berth-shop.org': [
      `@ 60 IN A ${public4}`,
      `@ 60 IN AAAA ${public6}`,
      `www 60 IN CNAME berth-shop.org.`,
      `www.eu 60 IN A ${second4}`,
      'quick 1 IN A 11.0.0.1',
      ...Array.from({ length: 200 }, (_, index) => `n${index} 60 IN A 11.7.${index}.1`),
      'inside 60 IN A 10.1.2.3',
      'shared 60 IN A 100.64.0.9',
      'meta 60 IN A 169.254.169.254',
      'inside6 60 IN AAAA fd00::1',
      'mapped 60 IN AAAA ::ffff:10.0.0.1',
    ],
    'berth-other.net': [`@ 60 IN A ${third4}`],
  });
  agent = await startAgent({ upstream: [`127.0.0.1@${named.port}`] });
  const image = await agent.image();
  network = await agent.network();
  other = await agent.network();
  one = agent.spec(network, 10, image);
  stranger = agent.spec(other, 11, image);
  for (const guest of [one, stranger]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [one, stranger]) await agent.waitHealthy(guest);
}, 240_000);
afterAll(async () => {
  await agent?.close();
  await named?.stop();
  await internet?.close();
});

describe('V7: the resolver of instances', () => {
  it('V7: answers instances over both families, whomever they ask', async () => {
    const gateway6 = network.subnet6.replace('::/64', '::1');
    await expect.poll(() => ask(one, 'berth-shop.org'), { timeout: 15_000 }).toBe(`ok ${internet.public4}`);
    expect(await ask(one, 'berth-shop.org', 'AAAA')).toBe(`ok ${internet.public6}`);
    // A new guest gets its IPv6 address a little later.
    await expect
      .poll(() => ask(one, 'berth-shop.org', 'A', gateway6), { timeout: 30_000 })
      .toBe(`ok ${internet.public4}`);
    // Nobody answers there: it is ours that does.
    expect(await ask(one, 'berth-shop.org', 'A', '8.8.8.8')).toBe(`ok ${internet.public4}`);
    expect(await ask(one, 'berth-shop.org', 'A', '2001:4860:4860::8888')).toBe(`ok ${internet.public4}`);
  });

  it('V7: refuses answers that point into private ranges', async () => {
    for (const [name, kind] of [
      ['inside', 'A'],
      ['shared', 'A'],
      ['meta', 'A'],
      ['inside6', 'AAAA'],
      ['mapped', 'AAAA'],
    ] as const) {
      const told = await ask(one, `${name}.berth-shop.org`, kind);
      expect(told, name).toBe('refused');
    }
  });

  it('V7: tells nobody of other instances, and answers nobody else', async () => {
    for (const name of [
      stranger.hostname,
      one.hostname,
      `${stranger.hostname}.incus`,
      stranger.instance.replace('_', '-'),
    ]) {
      expect(await ask(one, name), name).not.toMatch(/^ok \S/);
    }
    const reversed = stranger.address4.split('.').reverse().join('.');
    expect(await ask(one, `${reversed}.in-addr.arpa`, 'PTR')).not.toMatch(/^ok \S/);
    const { address4 } = resolverAddresses(agent.installation, network.subnet6.split(':').slice(0, 3).join(':'));
    const inWorld = (server: string) =>
      run('ip', ['netns', 'exec', internet.namespace, 'python3', '-c', ASK, 'berth-shop.org', 'A', server]);
    for (const server of [internet.host4, internet.host6, address4]) {
      expect((await inWorld(server)).stdout.trim(), server).toBe('silence');
    }
    // The host itself is no instance either.
    expect((await run('python3', ['-c', ASK, 'berth-shop.org', 'A', address4])).stdout.trim()).toBe('silence');
  });

  it('V7: goes on without the agent, and comes back after kill -9', async () => {
    await agent.kill();
    try {
      expect(await ask(one, 'www.berth-shop.org')).toBe(`ok ${internet.public4}`);
      const before = agent.resolver()?.pid() ?? 0;
      process.kill(before, 'SIGKILL');
      await until(
        'another one answers',
        async () => (await ask(one, 'berth-shop.org')) === `ok ${internet.public4}`,
        20_000,
      );
      expect(agent.resolver()?.pid()).not.toBe(before);
    } finally {
      await agent.start();
    }
  });

  it('V7: the way to it comes back after deletion of its table', async () => {
    await nft(['delete', 'table', 'inet', agent.names.table('resolver')], '');
    await agent.kill();
    await agent.start();
    await until(
      'guests are led to it again',
      async () => (await ask(one, 'berth-shop.org', 'A', '8.8.8.8')).startsWith('ok'),
      20_000,
    );
  });
});

describe('V7: rules that name domains', () => {
  it('V7: denied by default, a named domain is reached at the first try, in both families', async () => {
    // Who has not asked has no business there, even with the right address.
    await egress('deny', ['allow out any to berth-other.net']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await goes(one, internet.public4.replace(/44$/, '46'))).toBe(false);
    expect(await goes(one, 'berth-other.net')).toBe(true);
    await egress('deny', [`allow out tcp ${internet.port} to berth-shop.org`]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const { stdout } = await agent.inside(one, ['python3', '-c', GO, 'berth-shop.org', String(internet.port)]);
    expect(stdout).toMatch(/^open/);
    expect(await held()).toEqual([internet.public4, internet.public6].sort());
    expect(await goes(one, internet.public4)).toBe(true);
    expect(await goes(one, internet.public6)).toBe(true);
    expect(await goes(one, 'berth-other.net')).toBe(false);
    // Another port of the same machine is not what was allowed.
    expect((await agent.inside(one, ['python3', '-c', GO, 'berth-shop.org', '22'])).stdout).toMatch(/^shut/);
  });

  it('V7: an exact name is not what is below it, and *. is only what is below', async () => {
    await egress('deny', ['allow out any to *.berth-shop.org']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await ask(one, 'berth-shop.org');
    expect(await held()).toEqual([]);
    expect(await goes(one, 'www.eu.berth-shop.org')).toBe(true);
    expect(await goes(one, internet.public4)).toBe(false);
  });

  it('V7: another project gains nothing by what this one asked', async () => {
    const policy = { default: 'deny' as const, connectionsMax: null, bytesPerSecondMax: null };
    const rules = [rule('allow out any to berth-shop.org')];
    await agent.driver.setPolicies({
      projects: [network, other].map(({ project }) => ({ ...policy, project, rules })),
      groups: [],
      instances: [],
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await goes(one, 'berth-shop.org')).toBe(true);
    expect(await goes(stranger, internet.public4)).toBe(false);
    expect(await goes(stranger, 'berth-shop.org')).toBe(true);
  });

  it('V7: a denied domain is shut for whoever asked, the rest stays open', async () => {
    await egress('allow', ['deny out any to *.berth-shop.org, berth-shop.org']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await goes(one, 'berth-shop.org')).toBe(false);
    expect(await goes(one, 'www.berth-shop.org')).toBe(false);
    expect(await goes(one, 'berth-other.net')).toBe(true);
  });

  it('V7: what was asked before the rule came counts, and rules of groups work the same', async () => {
    await egress('allow', []);
    await ask(one, 'berth-shop.org');
    const group = 'sgr_01k0000000000000000000000a' as PolicySpec['groups'][number]['group'];
    await agent.driver.setPolicies({
      projects: [],
      groups: [{ group, rules: [rule('allow out any to berth-shop.org')] }],
      instances: [{ instance: one.instance, groups: [group] }],
    });
    expect(await held()).toEqual([internet.public4]);
    expect(await goes(one, internet.public4)).toBe(true);
    expect(await goes(one, 'berth-other.net')).toBe(false);
  });

  it('V7: addresses stay over a restart of the agent and a deleted table', async () => {
    await egress('deny', ['allow out any to berth-shop.org']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await goes(one, 'berth-shop.org')).toBe(true);
    const before = await held();
    await agent.kill();
    await agent.start();
    await until('the addresses are there', async () => {
      const now = await held();
      return before.length > 0 && before.every((address) => now.includes(address));
    });
    expect(await goes(one, internet.public4)).toBe(true);
    await nft(['delete', 'table', 'inet', agent.names.table('policies')], '');
    await egress('deny', ['allow out any to berth-shop.org']);
    expect(await held()).toEqual(expect.arrayContaining(before));
    expect(await goes(one, internet.public4)).toBe(true);
  });

  it('V7: an address leaves with its answer, and a flood of names is held back without hurting others', async () => {
    await egress('deny', ['allow out any to *.berth-shop.org']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await ask(one, 'quick.berth-shop.org');
    await until('it is held', async () => (await held()).includes('11.0.0.1'));
    const { stdout } = await nft(['list', 'table', 'inet', agent.names.table('policies')], '');
    const [, minutes = '0', seconds = '0'] = /11\.0\.0\.1 timeout (?:(\d+)m)?(?:(\d+)s)? /.exec(stdout) ?? [];
    expect(Number(minutes) * 60 + Number(seconds)).toBeLessThanOrEqual(130);
    expect(Number(minutes) * 60 + Number(seconds)).toBeGreaterThan(100);
    const flood = `
import socket,struct
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(6); codes={}
for i in range(200):
    name='n%d.berth-shop.org'%i
    s.sendto(struct.pack('>HHHHHH',i,0x100,1,0,0,0)+b''.join(bytes([len(p)])+p.encode() for p in name.split('.'))+b'\\0\\0\\1\\0\\1',('${one.address4.replace(/\.\d+$/, '.1')}',53))
for i in range(200):
    try: d=s.recv(4096)
    except OSError: break
    codes[d[3]&15]=codes.get(d[3]&15,0)+1
print(codes)
`;
    const flooding = agent.inside(one, ['python3', '-c', flood]);
    const begin = performance.now();
    expect(await ask(stranger, 'berth-other.net')).toMatch(/^ok/);
    expect(performance.now() - begin).toBeLessThan(5_000);
    const codes = (await flooding).stdout;
    expect(codes, codes).toMatch(/2: \d+/);
    const known = (await held()).length;
    expect(known).toBeGreaterThan(20);
    expect(known).toBeLessThan(180);
  });
});
