/** The two-tenant network matrix, on real guests, with everything a guest must not reach really answering. */
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalIp6 } from '#contract/agent.ts';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { fakeInternet, type Internet } from '#testkit/internet.ts';
import { nft } from './incus/filters.ts';

let agent: TestAgent;
let internet: Internet;
let hostService: Server;
let hostPort = 0;
let networks: [NetworkSpec, NetworkSpec];
let a1: GuestSpec;
let a2: GuestSpec;
let b1: GuestSpec;

/** Connects by TCP from inside a guest; answers what the other side said, or null. */
const PROBE = `
import socket,sys
host,port=sys.argv[1],int(sys.argv[2])
try:
    s=socket.create_connection((host,port),timeout=1.5)
    s.settimeout(1.5)
    try: print('open',s.recv(200).decode('latin1').strip())
    except OSError: print('open')
except OSError as e: print('shut',e)
`;

async function from(guest: GuestSpec, host: string, port: number): Promise<string | null> {
  const { stdout, stderr } = await agent.inside(guest, ['python3', '-c', PROBE, host, String(port)]);
  if (stdout.startsWith('open')) return stdout.slice(5).trim();
  if (stdout.startsWith('shut')) return null;
  throw new Error(`the probe failed: ${stderr}`);
}

function fromHost(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 });
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
  });
}

/** Waits until a guest has its address and knows that no neighbour uses it: before that it does not answer. */
async function hasAddress6(guest: GuestSpec): Promise<void> {
  const limit = Date.now() + 30_000;
  for (;;) {
    const { stdout } = await agent.inside(guest, ['ip', '-6', 'addr', 'show', 'dev', 'eth0', '-tentative']);
    if (stdout.includes(guest.address6)) return;
    if (Date.now() > limit) throw new Error(`no IPv6 address: ${stdout}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const gateway4 = (network: NetworkSpec): string => network.subnet4.replace('.0/24', '.1');
const gateway6 = (network: NetworkSpec): string => canonicalIp6(network.subnet6.replace('::/64', '::1')) ?? '';

beforeAll(async () => {
  internet = await fakeInternet();
  hostService = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('host\n');
  });
  await new Promise<void>((resolve) => hostService.listen(0, '::', resolve));
  hostPort = (hostService.address() as { port: number }).port;
  agent = await startAgent();
  const image = await agent.image();
  networks = [await agent.network(), await agent.network()];
  a1 = agent.spec(networks[0], 10, image);
  a2 = agent.spec(networks[0], 11, image);
  b1 = agent.spec(networks[1], 10, image);
  for (const guest of [a1, a2, b1]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [a1, a2, b1]) await agent.waitHealthy(guest);
  for (const guest of [a1, a2, b1]) await hasAddress6(guest);
});
afterAll(async () => {
  hostService?.close();
  await internet?.close();
  await agent?.close();
});

describe('D1, A4: the network of a project', () => {
  it('control: everything that must not be reachable really answers the host', async () => {
    for (const address of [...internet.forbidden, internet.public4, internet.public6]) {
      expect(await fromHost(address, internet.port), address).toBe(true);
    }
    for (const address of [gateway4(networks[0]), gateway6(networks[0]), internet.host4, internet.host6, '192.0.2.2']) {
      if (
        Object.values(networkInterfaces())
          .flat()
          .some((entry) => entry?.address === address)
      ) {
        expect(await fromHost(address, hostPort), address).toBe(true);
      }
    }
  });

  it('gives each guest exactly its addresses', async () => {
    for (const guest of [a1, a2, b1]) {
      const { stdout } = await agent.inside(guest, ['ip', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'global']);
      expect(stdout).toContain(`${guest.address4}/24`);
      expect(stdout).toContain(guest.address6);
    }
  });

  it('lets the host (edge, Caddy) reach its guests in both families', async () => {
    for (const guest of [a1, a2, b1]) {
      expect(await fromHost(guest.address4, 22)).toBe(true);
      expect(await fromHost(guest.address6, 22), guest.address6).toBe(true);
    }
  });

  it('opens the internet, translated to the host, in both families', async () => {
    expect(await from(a1, internet.public4, internet.port)).toBe(`::ffff:${internet.host4}`);
    expect(await from(a1, internet.public6, internet.port)).toBe(internet.host6);
    expect(await from(b1, internet.public4, internet.port)).toBe(`::ffff:${internet.host4}`);
  });

  it('shuts private ranges, shared ranges and the metadata address', async () => {
    for (const address of internet.forbidden) expect(await from(a1, address, internet.port), address).toBeNull();
  });

  it('shuts every address of the host, on every one of its interfaces', async () => {
    const addresses = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
      (entries ?? [])
        .filter((entry) => !entry.internal)
        .map((entry) => (entry.address.startsWith('fe80') ? null : { name, address: entry.address })),
    );
    const own = [
      gateway4(networks[0]),
      gateway6(networks[0]),
      gateway4(networks[1]),
      gateway6(networks[1]),
      internet.host4,
      internet.host6,
    ];
    const bridge = networkInterfaces()[agent.names.bridge(networks[0].project)] ?? [];
    const linkLocal = bridge
      .filter((entry) => entry.address.startsWith('fe80'))
      .map((entry) => `${entry.address.split('%')[0]}%eth0`);
    const all = [...new Set([...own, ...addresses.flatMap((entry) => entry?.address ?? []), ...linkLocal])];
    expect(all.length).toBeGreaterThanOrEqual(7);
    for (const address of all) {
      expect(await from(a1, address, hostPort), `${address} port ${hostPort}`).toBeNull();
    }
  });

  it('lets DNS to the gateway through and nothing else', async () => {
    expect(await from(a1, gateway4(networks[0]), 53)).not.toBeNull();
    expect(await from(a1, gateway6(networks[0]), 53)).not.toBeNull();
    expect((await agent.inside(a1, ['ping', '-c', '1', '-W', '1', gateway4(networks[0])])).code).not.toBe(0);
  });

  it('separates tenants in both directions and families', async () => {
    for (const [one, other] of [
      [a1, b1],
      [b1, a1],
    ] as const) {
      expect(await from(one, other.address4, 22)).toBeNull();
      expect(await from(one, other.address6, 22)).toBeNull();
      expect((await agent.inside(one, ['ping', '-c', '1', '-W', '1', other.address4])).code).not.toBe(0);
    }
  });

  it('separates two instances of one project (port isolation)', async () => {
    for (const [one, other] of [
      [a1, a2],
      [a2, a1],
    ] as const) {
      expect(await from(one, other.address4, 22)).toBeNull();
      expect(await from(one, other.address6, 22)).toBeNull();
      expect((await agent.inside(one, ['ping', '-c', '1', '-W', '1', other.address4])).code).not.toBe(0);
    }
  });

  it('lets nobody in from outside the host', async () => {
    expect(await internet.reaches(a1.address4, 22)).toBe(false);
    expect(await internet.reaches(a1.address6, 22)).toBe(false);
  });

  it('shuts mail out', async () => {
    expect(await fromHost(internet.public4, 25)).toBe(true);
    expect(await from(a1, internet.public4, 25)).toBeNull();
    expect(await from(a1, internet.public6, 25)).toBeNull();
  });

  it('stays shut for a guest that adds addresses and routes of its own', async () => {
    await agent.inside(a1, ['ip', 'route', 'add', '192.0.2.0/24', 'via', gateway4(networks[0])]);
    await agent.inside(a1, ['ip', 'route', 'add', '169.254.0.0/16', 'via', gateway4(networks[0])]);
    expect(await from(a1, '169.254.169.254', internet.port)).toBeNull();
    // As root inside, take the gateway's place towards the neighbour.
    await agent.inside(a2, ['ip', 'addr', 'add', `${gateway4(networks[0])}/24`, 'dev', 'eth0']);
    expect(await from(a1, internet.public4, internet.port)).not.toBeNull();
    await agent.inside(a2, ['ip', 'addr', 'del', `${gateway4(networks[0])}/24`, 'dev', 'eth0']);
  });

  it('does not believe a forged source address, where the kernel can tell', async () => {
    const { missing } = await agent.driver.host();
    if (missing.some((words) => words.includes('nft bridge'))) return;
    await agent.inside(a2, ['ip', 'addr', 'add', `${a1.address4}/32`, 'dev', 'eth0']);
    const forged = PROBE.replace('timeout=1.5)', `timeout=1.5,source_address=('${a1.address4}',0))`);
    const { stdout } = await agent.inside(a2, ['python3', '-c', forged, internet.public4, String(internet.port)]);
    expect(stdout).toMatch(/^shut/);
    await agent.inside(a2, ['ip', 'addr', 'del', `${a1.address4}/32`, 'dev', 'eth0']);
    expect(await from(a2, internet.public4, internet.port)).not.toBeNull();
  });
});

describe('A4: the network guard', () => {
  const chain = (network: NetworkSpec): Promise<string> =>
    nft(['list', 'chain', 'inet', 'incus', `acl.${agent.names.bridge(network.project)}`], '').then(
      (answer) => answer.stdout,
    );

  it('repairs rules, bridge and engine project that were changed behind its back, within seconds', async () => {
    const [network] = networks;
    const acl = agent.names.acl(network.project);
    const before = await chain(network);
    expect(before).toContain('10.0.0.0/8');
    const path = `/1.0/network-acls/${acl}`;
    await agent.incus.call('PUT', path, {
      query: { project: 'default' },
      body: {
        description: '',
        config: (await agent.incus.call<{ config: object }>('GET', path)).config,
        egress: [],
        ingress: [],
      },
    });
    const projectPath = `/1.0/projects/${agent.names.project(network.project)}`;
    const { config } = await agent.incus.call<{ config: Record<string, string> }>('GET', projectPath);
    const widened = { ...config, 'restricted.devices.unix-char': 'allow', 'restricted.devices.disk.paths': '/' };
    await agent.incus.call('PUT', projectPath, { body: { description: '', config: widened } });
    const limit = Date.now() + 10_000;
    const repaired = async (): Promise<boolean> => {
      const project = await agent.incus.call<{ config: Record<string, string> }>(
        'GET',
        `/1.0/projects/${agent.names.project(network.project)}`,
      );
      return (await chain(network)) === before && project.config['restricted.devices.unix-char'] === 'block';
    };
    while (!(await repaired())) if (Date.now() > limit) throw new Error(`not repaired: ${await chain(network)}`);
    expect(await from(a1, '169.254.169.254', internet.port)).toBeNull();
  });

  it("holds by the host's own table alone, and notices when that table is gone", async () => {
    const [network] = networks;
    const names = ['acl', 'aclin', 'aclout', 'aclfwd'].map((kind) => `${kind}.${agent.names.bridge(network.project)}`);
    // The engine's own rules of this bridge vanish (a firewall reload); nothing tells the agent.
    for (const name of [...names].reverse()) await nft(['flush', 'chain', 'inet', 'incus', name], '');
    for (const address of [...internet.forbidden, b1.address4])
      expect(await from(a1, address, internet.port), address).toBeNull();
    expect(await from(a1, gateway4(network), hostPort)).toBeNull();
    expect(await from(a1, internet.host4, hostPort)).toBeNull();
    expect(await from(a1, b1.address4, 22)).toBeNull();
    expect(await internet.reaches(a1.address4, 22)).toBe(false);
    expect(await from(a1, internet.public4, internet.port)).not.toBeNull();
  });
});
