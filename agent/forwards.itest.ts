/** Port forwards on the real engine: packets from another network reach the guest, and only where one was declared. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ForwardSpec, GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { nft } from './incus/filters.ts';

const run = promisify(execFile);
let agent: TestAgent;
let internet: Internet;
let network: NetworkSpec;
let guest: GuestSpec;
let other: GuestSpec;

/** Echoes on TCP and UDP, says who asked, and stays when its starter is gone. */
const ECHO = `
import socket,threading,sys
port=int(sys.argv[1])
def tcp():
    s=socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(('::',port)); s.listen()
    while True:
        c,a=s.accept(); d=c.recv(100); c.sendall(sys.argv[2].encode()+b' '+d+b' '+a[0].encode()); c.close()
threading.Thread(target=tcp,daemon=True).start()
u=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); u.bind(('::',port))
while True:
    d,a=u.recvfrom(100); u.sendto(sys.argv[2].encode()+b' '+d+b' '+a[0].encode(),a)
`;

const ASK = `
import socket,sys
kind,host,port=sys.argv[1],sys.argv[2],int(sys.argv[3])
family=socket.AF_INET6 if ':' in host else socket.AF_INET
s=socket.socket(family,socket.SOCK_STREAM if kind=='tcp' else socket.SOCK_DGRAM); s.settimeout(1.5)
try:
    s.connect((host,port)); s.sendall(b'hello'); print(s.recv(200).decode())
except OSError as e: print('none',type(e).__name__)
`;

/** What the other end answers to a stranger out on the internet; null: nothing. */
async function ask(kind: 'tcp' | 'udp', host: string, port: number): Promise<string | null> {
  const { stdout } = await run('ip', [
    'netns',
    'exec',
    internet.namespace,
    'python3',
    '-c',
    ASK,
    kind,
    host,
    String(port),
  ]);
  return stdout.startsWith('none') ? null : stdout.trim();
}

/** Other installations of this machine may hold an older copy of the shared table for a moment. */
async function answers(kind: 'tcp' | 'udp', host: string, port: number, wanted: RegExp | null): Promise<void> {
  const limit = Date.now() + 90_000;
  for (;;) {
    const said = await ask(kind, host, port);
    if (wanted === null ? said === null : said !== null && wanted.test(said)) return;
    if (Date.now() > limit)
      throw new Error(
        `${kind} ${host}:${port} said ${said}; ${(await nft(['list', 'ruleset'], '')).stdout.slice(0, 4000)}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

const port = (index: number): number => agent.ports.first + index;
const forward = (protocol: 'tcp' | 'udp', index: number, to: GuestSpec = guest, inside = 7000): ForwardSpec => ({
  protocol,
  hostPort: port(index),
  instance: to.instance,
  port: inside,
});

async function echo(to: GuestSpec, word: string): Promise<void> {
  const unit = ['systemd-run', '--quiet', '--unit', `echo-${word}`, 'python3', '-c', ECHO, '7000', word];
  const { code, stderr } = await agent.inside(to, unit);
  if (code !== 0) throw new Error(stderr);
}

beforeAll(async () => {
  internet = await fakeInternet({ metadata: false });
  agent = await startAgent();
  const image = await agent.image();
  network = await agent.network();
  guest = agent.spec(network, 10, image);
  other = agent.spec(network, 11, image);
  for (const each of [guest, other]) {
    await agent.driver.createGuest(each);
    await agent.driver.power(each.instance, 'start', {});
  }
  for (const each of [guest, other]) await agent.waitHealthy(each);
  await echo(guest, 'one');
  await echo(other, 'two');
});
afterAll(async () => {
  await agent?.close();
  await internet?.close();
});

describe('V8: port forwards', () => {
  it('V8: TCP and UDP reach the guest from another network, in both families, with the real address of who asks', async () => {
    const states = await agent.driver.setForwards([forward('tcp', 0), forward('udp', 0), forward('tcp', 1, other)]);
    expect(states.map((each) => each.state)).toEqual(['active', 'active', 'active']);
    for (const kind of ['tcp', 'udp'] as const) {
      await answers(kind, internet.host4, port(0), new RegExp(`^one hello ::ffff:${internet.public4}$`));
      await answers(kind, internet.host6, port(0), new RegExp(`^one hello ${internet.public6}$`));
    }
    await answers('tcp', internet.host4, port(1), /^two hello/);
  });

  it('V8: nothing but the declared ports is open from another network', async () => {
    // Of the pool, of the guests' own ports, at the host's address and at the guests' addresses.
    await run('ip', [
      'netns',
      'exec',
      internet.namespace,
      'ip',
      'route',
      'replace',
      network.subnet4,
      'via',
      internet.host4,
    ]);
    const open: string[] = [];
    const { first, last } = agent.ports;
    for (let tried = first; tried <= last; tried++)
      if ((await ask('tcp', internet.host4, tried)) !== null) open.push(`tcp/${tried}`);
    for (const tried of [first, first + 1, first + 2])
      if ((await ask('udp', internet.host4, tried)) !== null) open.push(`udp/${tried}`);
    const declared = [`tcp/${port(0)}`, `tcp/${port(1)}`, `udp/${port(0)}`];
    expect(open.filter((each) => !declared.includes(each))).toEqual([]);
    await answers('udp', internet.host4, port(0), /^one/);
    await answers('tcp', internet.host4, port(1), /^two/);
    for (const address of [guest.address4, guest.address6, other.address4]) {
      for (const tried of [7000, 22]) expect(await internet.reaches(address, tried), `${address} ${tried}`).toBe(false);
    }
    // A guest does not get to another one by the detour over the host.
    const { stdout } = await agent.inside(guest, ['python3', '-c', ASK, 'tcp', internet.host4, String(port(1))]);
    expect(stdout).toMatch(/^none/);
  });

  it('V8: a lost rule is put back and a strange one removed', async () => {
    const table = agent.names.table('forwards');
    await nft(['-f', '-'], `add element inet ${table} to4 { tcp . ${port(5)} : ${guest.address4} . 22 }`);
    const again = async () =>
      agent.driver.setForwards([forward('tcp', 0), forward('udp', 0), forward('tcp', 1, other)]);
    await again();
    expect((await nft(['list', 'table', 'inet', table], '')).stdout).not.toContain(String(port(5)));
    await nft(['delete', 'table', 'inet', table], '');
    expect(await ask('tcp', internet.host4, port(0))).toBeNull();
    await again();
    await answers('tcp', internet.host4, port(0), /^one/);
  });

  it('V8: it survives a restart of the agent and of the guest, and the agent brings a lost table back by itself', async () => {
    await agent.kill();
    await nft(['delete', 'table', 'inet', agent.names.table('forwards')], '');
    await agent.start();
    await answers('tcp', internet.host4, port(1), /^two/);
    await agent.driver.power(other.instance, 'stop', { force: true });
    expect(await ask('tcp', internet.host4, port(1))).toBeNull();
    await agent.driver.power(other.instance, 'start', {});
    await agent.waitHealthy(other);
    await echo(other, 'two');
    await answers('tcp', internet.host4, port(1), /^two/);
  });

  it('V8: a program of the host keeps its port, and the forward comes back when it has gone', async () => {
    const listener = createServer((socket) => socket.end('host'));
    await new Promise<void>((resolve) => listener.listen(port(0), '::', resolve));
    const udp = createSocket('udp4');
    await new Promise<void>((resolve) => udp.bind(port(3), resolve));
    try {
      const facts = await agent.driver.host();
      expect(facts.forwards).toMatchObject({ pool: agent.ports });
      expect(facts.forwards.busy).toEqual(
        expect.arrayContaining([
          { protocol: 'tcp', port: port(0) },
          { protocol: 'udp', port: port(3) },
        ]),
      );
      const states = await agent.driver.setForwards([forward('tcp', 0), forward('udp', 0), forward('udp', 3)]);
      expect(states.map((each) => each.state)).toEqual(['taken', 'active', 'taken']);
      await answers('tcp', internet.host4, port(0), /^host/);
    } finally {
      listener.close();
      udp.close();
    }
    expect((await agent.driver.setForwards([forward('tcp', 0)])).map((each) => each.state)).toEqual(['active']);
    await answers('tcp', internet.host4, port(0), /^one/);
  });

  it('V8: ports outside the pool and guests of others are refused, whoever asks', async () => {
    const strange = { ...forward('tcp', 0), hostPort: agent.ports.last + 1 };
    const nobody = { ...forward('tcp', 4), instance: agent.spec(network, 90, guest.imageFingerprint).instance };
    const states = await agent.driver.setForwards([strange, nobody, forward('tcp', 0)]);
    expect(states.map((each) => each.state)).toEqual(['outside', 'absent', 'active']);
    await expect(agent.driver.setForwards([forward('tcp', 0), forward('tcp', 0, other)])).rejects.toMatchObject({
      code: 'invalid_input',
    });
    await expect(agent.driver.setForwards([{ ...forward('tcp', 0), hostPort: 443 }])).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });

  it('V8: it follows a guest to another project and ends with it', async () => {
    await agent.driver.setForwards([forward('tcp', 0), forward('tcp', 1, other)]);
    const next = await agent.network();
    const place = agent.spec(next, 30, guest.imageFingerprint);
    await agent.driver.power(other.instance, 'stop', { force: true });
    const { project, address4, address6 } = place;
    await agent.driver.moveGuest(other.instance, { project, address4, address6 }, place.operation);
    const listed = async () => (await nft(['list', 'table', 'inet', agent.names.table('forwards')], '')).stdout;
    expect(await listed()).toContain(address4);
    expect(await listed()).not.toContain(other.address4);
    await agent.driver.power(other.instance, 'start', {});
    await agent.waitHealthy({ ...other, project });
    await echo({ ...other, project }, 'two');
    await answers('tcp', internet.host4, port(1), /^two/);
    await agent.driver.destroyGuest(other.instance);
    expect(await listed()).not.toContain(address4);
    // The address goes to somebody else; nothing leads there.
    expect(await ask('tcp', internet.host4, port(1))).toBeNull();
    await agent.driver.setForwards([]);
    expect((await nft(['list', 'table', 'inet', agent.names.table('forwards')], '')).ok).toBe(false);
    expect(await ask('tcp', internet.host4, port(0))).toBeNull();
  });
});
