/**
 * Guests of one project that may reach each other by a rule of a security group, and nobody else, on real guests of an
 * engine of this test's own: after restarts of agent and engine and without tables too.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NetworkRule, parseRule } from '#domain/network-rules.ts';
import type { GuestSpec, NetworkSpec, PolicySpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { type OwnEngine, startEngine } from '#testkit/engine.ts';
import { until } from '#testkit/ingress.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { nft } from './incus/filters.ts';

const run = promisify(execFile);
let engine: OwnEngine;
let internet: Internet;
let agent: TestAgent;
let network: NetworkSpec;
let web: GuestSpec;
let db: GuestSpec;
let third: GuestSpec;
let stranger: GuestSpec;

const PORT = 5432;
const OTHER = 5433;
/** Says to whoever connects who they are, on both ports. */
const SERVE = `
import socket,threading
def serve(port):
    s=socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('::',port)); s.listen(100)
    while True:
        c,a=s.accept(); c.sendall((a[0]+'\\n').encode()); threading.Thread(target=hold,args=(c,),daemon=True).start()
def hold(c):
    try:
        while True:
            d=c.recv(100)
            if not d: break
            c.sendall(d)
    except OSError: pass
for port in (${PORT},${OTHER}): threading.Thread(target=serve,args=(port,)).start()
`;
/** Each argument is \`address/port\`, or \`address/port/source\` to send from another address. */
const ASK = `
import socket,sys,threading
def ask(target):
    host,port,*own=target.split('/')
    try:
        s=socket.create_connection((host,int(port)),timeout=2.5,source_address=(own[0],0) if own else None)
        said=s.makefile().readline().strip().replace('::ffff:','')
        print(target+' open '+said,flush=True)
    except OSError as e: print(target+' shut',flush=True)
all=[threading.Thread(target=ask,args=(t,)) for t in sys.argv[1:]]
for t in all: t.start()
for t in all: t.join()
`;

async function ask(guest: GuestSpec, targets: string[]): Promise<Record<string, string>> {
  const { stdout, stderr } = await agent.inside(guest, ['python3', '-c', ASK, ...targets]);
  const lines = stdout.trim().split('\n');
  if (lines.length !== targets.length) throw new Error(`the probe failed: ${stdout} ${stderr}`);
  return Object.fromEntries(lines.map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1).join(' ')]));
}
const at = (guest: GuestSpec, port: number): string[] => [`${guest.address4}/${port}`, `${guest.address6}/${port}`];

/** Both families, and the receiver sees who it really is. */
async function reaches(from: GuestSpec, to: GuestSpec, port = PORT): Promise<boolean> {
  const answers = Object.values(await ask(from, at(to, port)));
  return answers.includes(`open ${from.address4}`) && answers.includes(`open ${from.address6}`);
}
/** The engine takes its time on a busy machine. */
const soon = { timeout: 90_000, interval: 200 };
const open = (from: GuestSpec, to: GuestSpec, port = PORT): Promise<void> =>
  expect.poll(() => reaches(from, to, port), { ...soon, message: 'it opens' }).toBe(true);
/** In neither family, at this moment. */
async function shut(from: GuestSpec, to: GuestSpec, port = PORT): Promise<void> {
  for (const [target, answer] of Object.entries(await ask(from, at(to, port)))) expect(answer, target).toBe('shut');
}
/** Everything that no rule has opened. */
async function restIsShut(): Promise<void> {
  const asks: [GuestSpec, string[]][] = [
    [web, [...at(db, OTHER), ...at(db, 22), ...at(third, PORT)]],
    [db, at(web, PORT)],
    [third, [...at(db, PORT), ...at(web, PORT)]],
    [stranger, at(db, PORT)],
  ];
  const pinged = agent.inside(third, ['ping', '-c', '1', '-W', '1', db.address4]);
  const answers = await Promise.all(asks.map(([from, targets]) => ask(from, targets)));
  for (const [index, all] of answers.entries())
    for (const [target, answer] of Object.entries(all)) expect(answer, `${index} to ${target}`).toBe('shut');
  expect((await pinged).stdout).toContain('100% packet loss');
}

const rule = (text: string, groups: string[]): NetworkRule => {
  const read = parseRule(text);
  if (typeof read === 'string') throw new Error(read);
  return { ...read, groups };
};
const [asking, asked] = [testId('sgr'), testId('sgr')];
type Has = PolicySpec['instances'];
const both = (): Has => [
  { instance: web.instance, groups: [asking] },
  { instance: db.instance, groups: [asked] },
];
const set = (has: Has = both(), rules = [rule(`allow in tcp ${PORT}`, [asking])], more: Partial<PolicySpec> = {}) =>
  agent.driver.setPolicies({
    projects: [],
    groups: [
      { group: asking, rules: [] },
      { group: asked, rules },
    ],
    instances: has,
    ...more,
  });
const policies = () => nft(['list', 'table', 'inet', agent.names.table('policies')], '');

beforeAll(async () => {
  internet = await fakeInternet({ metadata: false });
  engine = await startEngine();
  agent = await startAgent({ engine });
  const image = await agent.image();
  network = await agent.network();
  const other = await agent.network();
  web = agent.spec(network, 10, image);
  db = agent.spec(network, 11, image);
  third = agent.spec(network, 12, image);
  stranger = agent.spec(other, 10, image);
  for (const guest of [web, db, third, stranger]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [web, db, third, stranger]) await agent.waitHealthy(guest);
  for (const guest of [web, db, third]) {
    await agent.inside(guest, ['systemd-run', '--quiet', 'python3', '-c', SERVE]);
    await until('it serves', async () => {
      const answers = Object.values(await ask(guest, [`127.0.0.1/${PORT}`, `127.0.0.1/${OTHER}`]));
      return answers.every((answer) => answer.startsWith('open'));
    });
    await until('it has its address', async () => {
      const { stdout } = await agent.inside(guest, ['ip', '-6', 'addr', 'show', 'dev', 'eth0', '-tentative']);
      return stdout.includes(guest.address6);
    });
  }
}, 600_000);
afterAll(async () => {
  await agent?.close();
  await engine?.close();
  await internet?.close();
}, 120_000);

describe('V7: groups as sources', () => {
  it('V7: control: without a rule nobody of the project reaches anybody', async () => {
    await set(both(), []);
    await shut(web, db);
    await restIsShut();
  });

  it('V7: whoever has the group reaches the port, in both families, and nothing else; nobody else does', async () => {
    await set();
    await open(web, db);
    await restIsShut();
  }, 300_000);

  it('V7: what counts outside stays as it is: the internet open, everything private, the host and mail shut', async () => {
    await set();
    await open(web, db);
    const out = [internet.public4, internet.public6];
    await until('the internet is open', async () => {
      const answers = Object.values(
        await ask(
          web,
          out.map((address) => `${address}/${internet.port}`),
        ),
      );
      return answers.every((answer) => answer.startsWith('open'));
    });
    const gateways = [db.address4.replace(/\.\d+$/, '.1'), network.subnet6.replace('::/64', '::1')];
    const targets = [
      ...internet.forbidden.map((address) => `${address}/${internet.port}`),
      ...[...gateways, internet.host4, internet.host6].map((address) => `${address}/22`),
      ...out.map((address) => `${address}/25`),
    ];
    for (const [target, answer] of Object.entries(await ask(web, targets))) expect(answer, target).toBe('shut');
    // Nor does who is asked get anywhere it could not before.
    for (const [target, answer] of Object.entries(await ask(db, targets))) expect(answer, target).toBe('shut');
  }, 300_000);

  it('V7: taking the group away shuts it at once, and what is open goes on', async () => {
    await set();
    await open(web, db);
    const talk = `
import socket,time
s=socket.create_connection(('${db.address4}',${PORT}),timeout=5); f=s.makefile(); f.readline(); n=0
end=time.time()+6
while time.time()<end:
    s.sendall(b'x'); assert s.recv(1)==b'x'; n+=1; time.sleep(0.05)
print('talked',n)
`;
    const talking = agent.inside(web, ['python3', '-c', talk]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await set([{ instance: db.instance, groups: [asked] }]);
    await shut(web, db);
    const { stdout, stderr } = await talking;
    expect(stdout, stderr).toMatch(/^talked \d+/);
    // Somebody else has it now.
    await set([
      { instance: third.instance, groups: [asking] },
      { instance: db.instance, groups: [asked] },
    ]);
    await open(third, db);
    await shut(web, db);
  }, 300_000);

  it('V7: a forged address of somebody who may gets nobody in', async () => {
    await set();
    await open(web, db);
    await agent.inside(third, ['ip', 'addr', 'add', `${web.address4}/32`, 'dev', 'eth0']);
    await agent.inside(third, ['ip', '-6', 'addr', 'add', `${web.address6}/128`, 'dev', 'eth0', 'nodad']);
    const forged = [`${db.address4}/${PORT}/${web.address4}`, `${db.address6}/${PORT}/${web.address6}`];
    for (const [target, answer] of Object.entries(await ask(third, forged))) expect(answer, target).toBe('shut');
    // Nor does it take the place of who may.
    expect(await reaches(web, db)).toBe(true);
    await agent.inside(third, ['ip', 'addr', 'del', `${web.address4}/32`, 'dev', 'eth0']);
    await agent.inside(third, ['ip', '-6', 'addr', 'del', `${web.address6}/128`, 'dev', 'eth0']);
  }, 300_000);

  it('V7: deny wins, also of a range; and who only has the group asked for is not asked for more', async () => {
    await set(both(), [rule(`allow in tcp ${PORT}`, [asking]), rule('deny in any', [asking])]);
    await shut(web, db);
    const deny = { ...rule('deny in any', []), ranges: [`${web.address4}/32`, `${web.address6}/128`] };
    await set(both(), [rule(`allow in any`, [asking]), deny]);
    await shut(web, db);
    await set(both(), [rule(`allow in any`, [asking])]);
    await open(web, db);
    await open(web, db, OTHER);
    await shut(db, web);
    await shut(third, db);
  }, 300_000);

  it('V7: a policy that shuts everything outside leaves it, and its cap on connections counts here too', async () => {
    const policy = { project: network.project, default: 'deny' as const, rules: [], bytesPerSecondMax: null };
    await set(undefined, undefined, { projects: [{ ...policy, connectionsMax: 10 }] });
    await open(web, db);
    const many = `
import socket
held=[];refused=0
for i in range(14):
    s=socket.socket(); s.settimeout(1.5)
    try: s.connect(('${db.address4}',${PORT})); held.append(s)
    except OSError: refused+=1
print(len(held),refused)
`;
    const [held = 0, refused = 0] = (await agent.inside(web, ['python3', '-c', many])).stdout.split(' ').map(Number);
    expect(held).toBeLessThanOrEqual(10);
    expect(held + refused).toBe(14);
  }, 300_000);

  it('V7: it holds after a restart of the agent, and meanwhile', async () => {
    await set();
    await open(web, db);
    await agent.kill();
    expect(await reaches(web, db)).toBe(true);
    await restIsShut();
    await agent.start();
    await open(web, db);
    await restIsShut();
  }, 300_000);

  it('V7: it holds after the engine was restarted and killed', async () => {
    await set();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await engine.restart(signal);
      await open(web, db);
      await restIsShut();
    }
  }, 300_000);

  it('V7: it is shut while its table is gone, and comes back', async () => {
    await set();
    await open(web, db);
    await agent.kill();
    await nft(['delete', 'table', 'inet', agent.names.table('policies')], '');
    await shut(web, db);
    await restIsShut();
    await agent.start();
    await open(web, db);
    await restIsShut();
  }, 300_000);

  it('V7: what the host answers on the link comes back when somebody takes it away', async () => {
    await set();
    await open(web, db);
    const bridge = agent.names.bridge(network.project);
    const arp = `/proc/sys/net/ipv4/conf/${bridge}/proxy_arp_pvlan`;
    const proxied = async () => (await run('ip', ['-6', 'neigh', 'show', 'proxy', 'dev', bridge])).stdout;
    const before = await proxied();
    expect(before).toContain(db.address6);
    // Only of those that may reach or be reached.
    expect(before).not.toContain(third.address6);
    writeFileSync(arp, '0');
    await run('ip', ['-6', 'neigh', 'delete', 'proxy', db.address6, 'dev', bridge]);
    await run('ip', ['-6', 'neigh', 'add', 'proxy', third.address6, 'dev', bridge]);
    await agent.driver.ensureNetwork(network);
    expect(readFileSync(arp, 'utf8').trim()).toBe('1');
    expect((await proxied()).split('\n').sort()).toEqual(before.split('\n').sort());
    await set(both(), []);
    expect(readFileSync(arp, 'utf8').trim()).toBe('0');
    expect((await proxied()).trim()).toBe('');
  });

  it('V7: the engine alone knows who may as well', async () => {
    await set();
    await open(web, db);
    const own = `acl.${agent.names.bridge(network.project)}`;
    const { stdout } = await nft(['list', 'chain', 'inet', 'incus', own], '');
    expect(stdout).toContain(`ip saddr ${web.address4} ip daddr ${db.address4} tcp dport ${PORT} accept`);
    expect(stdout).toContain(`ip6 saddr ${web.address6} ip6 daddr ${db.address6} tcp dport ${PORT} accept`);
    expect(stdout.trim()).toMatch(/iifname "\S+" drop\n\s+oifname "\S+" drop\n\s+\}\n\}$/);
  });

  it('V7: a network checked beside what comes next is whole before a guest starts in it', async () => {
    await set();
    await open(web, db);
    const bridge = agent.names.bridge(network.project);
    const arp = `/proc/sys/net/ipv4/conf/${bridge}/proxy_arp_pvlan`;
    expect(readFileSync(arp, 'utf8').trim()).toBe('1');
    writeFileSync(arp, '0');
    await agent.driver.ensureNetwork(network, true);
    await agent.driver.power(third.instance, 'restart', { force: true });
    expect(readFileSync(arp, 'utf8').trim()).toBe('1');
  });

  it('V7: a guest that goes takes its passage along; a network without any is as it was', async () => {
    await set();
    await open(web, db);
    await agent.driver.destroyGuest(web.instance);
    const { stdout } = await policies();
    expect(stdout).not.toContain(web.address4);
    expect(stdout).not.toContain(web.address6);
    const bridge = agent.names.bridge(network.project);
    const { stdout: chain } = await nft(['list', 'chain', 'inet', 'incus', `acl.${bridge}`], '');
    expect(chain).not.toContain(web.address4);
    expect(chain).toContain('10.0.0.0/8');
    await shut(third, db);
  });
});
