/**
 * Walks every configuration key that the engine knows (its own metadata lists them, plus the network and NIC keys which
 * that list leaves out in 6.0) and shows that none of them gets in by any verb, and that what the agent itself sets is
 * exactly the list below.
 */
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentVerb, agentVerbs } from '#contract/agent.ts';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import { INCUS_SOCKET, startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { type EngineProxy, engineProxy } from '#testkit/engine-proxy.ts';
import type { IncusInstance } from './incus/types.ts';
import { guestName } from './names.ts';

/** Keys that a guest of Berth carries on the engine, besides the engine's own (volatile.*, image.*). */
const instanceKeys = [
  'limits.cpu',
  'limits.memory',
  'limits.processes',
  'security.guestapi',
  'security.idmap.isolated',
  'security.nesting',
  'security.privileged',
  'user.berth.hostname',
  'user.berth.id',
  'user.berth.image',
  'user.berth.installation',
  'user.berth.kind',
  'user.berth.operation',
  'user.berth.project',
  'user.berth.ready',
];
const rootKeys = ['path', 'pool', 'size', 'type'];
const nicKeys = [
  'hwaddr',
  'ipv4.address',
  'ipv6.address',
  'name',
  'network',
  'security.ipv4_filtering',
  'security.ipv6_filtering',
  'security.mac_filtering',
  'security.port_isolation',
  'type',
];

/** Not in the metadata of 6.0: bridge network and NIC keys from the engine's manual. */
const manualKeys = [
  'bridge.driver',
  'bridge.external_interfaces',
  'bridge.hwaddr',
  'bridge.mtu',
  'bgp.peers.x.address',
  'dns.domain',
  'dns.mode',
  'dns.nameservers',
  'dns.search',
  'ipv4.dhcp.gateway',
  'ipv4.dhcp.routes',
  'ipv4.firewall',
  'ipv4.nat.address',
  'ipv4.nat.order',
  'ipv4.ovn.ranges',
  'ipv4.routes',
  'ipv4.routing',
  'ipv6.firewall',
  'ipv6.routes',
  'ipv6.routing',
  'raw.dnsmasq',
  'security.acls',
  'security.acls.default.egress.action',
  'security.acls.default.ingress.action',
  'tunnel.x.protocol',
  'tunnel.x.local',
  'tunnel.x.remote',
  'nictype',
  'parent',
  'host_name',
  'vlan',
  'vlan.tagged',
  'ipv4.gateway',
  'ipv4.host_table',
  'ipv4.routes.external',
  'ipv6.routes.external',
  'boot.priority',
  'limits.egress',
  'limits.ingress',
  'limits.max',
  'limits.priority',
  'queue.tx.length',
  'security.acls.default.egress.logged',
];

type Keys = { keys: Record<string, unknown>[] };
type Metadata = { configs: Record<string, Record<string, Keys>> };

let proxy: EngineProxy;
let agent: TestAgent;
let network: NetworkSpec;
let guest: GuestSpec;
let known: string[];

beforeAll(async () => {
  proxy = await engineProxy(join(tmpdir(), `berth-engine-${randomBytes(4).toString('hex')}.sock`), INCUS_SOCKET);
  agent = await startAgent({ engineSocket: proxy.path });
  const image = await agent.image();
  network = await agent.network();
  guest = agent.spec(network, 10, image);
  await agent.driver.createGuest(guest);
  const { configs } = await agent.incus.call<Metadata>('GET', '/1.0/metadata/configuration');
  const listed = Object.values(configs).flatMap((groups) =>
    Object.values(groups).flatMap((group) => group.keys.flatMap((entry) => Object.keys(entry))),
  );
  known = [...new Set([...listed, ...manualKeys])];
});
afterAll(async () => {
  await agent?.close();
  await proxy?.close();
});

function post(verb: AgentVerb, body: unknown): Promise<number> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath: agent.socket,
        method: 'POST',
        path: `/v1/${verb}`,
        headers: {
          authorization: `Bearer ${agent.tokens.server}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    request.on('error', reject);
    request.end(text);
  });
}

/** A body of every verb that changes something and would be accepted. */
function valid(): Partial<Record<AgentVerb, Record<string, unknown>>> {
  const fresh = { ...agent.spec(network, 50, guest.imageFingerprint) };
  return {
    ensureNetwork: { ...network },
    createGuest: fresh,
    cloneGuest: { source: { instance: guest.instance, snapshot: null }, spec: fresh },
    power: { instance: guest.instance, action: 'start' },
    resize: { instance: guest.instance, size: { ...guest.size } },
    setHostname: { instance: guest.instance, hostname: 'other' },
    moveGuest: {
      instance: guest.instance,
      project: guest.project,
      operation: guest.operation,
      address4: guest.address4,
      address6: guest.address6,
    },
    createSnapshot: { instance: guest.instance, snapshot: testId('snp'), operation: testId('opr') },
    restoreSnapshot: { instance: guest.instance, snapshot: testId('snp') },
    importImage: { source: { type: 'file', path: 'x.tar' }, as: { name: 'x', kind: 'server', description: '' } },
    allowImages: { fingerprints: [guest.imageFingerprint] },
    setForwards: { forwards: [oneForward()] },
    setPolicies: { projects: [onePolicy()], groups: [], instances: [] },
  };
}

const oneForward = () => ({ protocol: 'tcp', hostPort: agent.ports.first, instance: guest.instance, port: 80 });

const onePolicy = () => ({
  project: guest.project,
  default: 'deny',
  rules: [
    {
      action: 'allow',
      direction: 'out',
      protocol: 'tcp',
      ports: '443',
      ranges: ['203.0.113.0/24'],
      names: [],
      sets: [],
      groups: [],
    },
  ],
  connectionsMax: null,
  bytesPerSecondMax: null,
});

/** Every place of a body where a key could be added. */
function places(body: Record<string, unknown>, path: string[] = []): string[][] {
  const nested = Object.entries(body).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? places(value as Record<string, unknown>, [...path, key])
      : [],
  );
  return [path, ...nested];
}

function at(body: Record<string, unknown>, path: readonly string[]): Record<string, unknown> {
  return path.reduce((here, step) => here[step] as Record<string, unknown>, body);
}

function withKey(
  body: Record<string, unknown>,
  path: readonly string[],
  key: string,
  value: unknown,
): Record<string, unknown> {
  const copy = structuredClone(body);
  at(copy, path)[key] = value;
  return copy;
}

describe('A4: no configuration key of the engine gets in', () => {
  it('the engine lists hundreds of them', () => {
    expect(known.length).toBeGreaterThan(200);
    expect(known).toEqual(
      expect.arrayContaining(['security.privileged', 'raw.lxc', 'restricted', 'limits.memory', 'raw.dnsmasq']),
    );
  });

  it('as a key of any body, at any depth, nor inside `config`, `devices` or `profiles`', async () => {
    const before = proxy.requests.length;
    let tried = 0;
    const wrong: string[] = [];
    for (const [verb, body] of Object.entries(valid()) as [AgentVerb, Record<string, unknown>][]) {
      for (const place of places(body)) {
        for (const key of [...known, 'config', 'devices', 'profiles', 'source', 'raw', 'ephemeral', 'target']) {
          // The schema's own keys are no news.
          if (key in at(body, place)) continue;
          const hostile = withKey(body, place, key, key === 'config' ? { 'security.privileged': 'true' } : 'true');
          tried++;
          // The schema is what the door runs first; the whole way is walked for a sample below.
          if (agentVerbs[verb].safeParse(hostile).success) wrong.push(`${verb} ${place.join('.')} ${key}`);
        }
      }
    }
    for (const key of known) {
      const hostile = { forwards: [{ ...oneForward(), [key]: 'true' }] };
      if (agentVerbs.setForwards.safeParse(hostile).success) wrong.push(`setForwards ${key}`);
      const policy = { projects: [{ ...onePolicy(), [key]: 'true' }], groups: [], instances: [] };
      if (agentVerbs.setPolicies.safeParse(policy).success) wrong.push(`setPolicies ${key}`);
      const [rule] = onePolicy().rules;
      const inRule = { projects: [{ ...onePolicy(), rules: [{ ...rule, [key]: 'true' }] }], groups: [], instances: [] };
      if (agentVerbs.setPolicies.safeParse(inRule).success) wrong.push(`setPolicies rule ${key}`);
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(3_000);
    for (const key of known)
      expect(await post('createGuest', withKey(valid().createGuest ?? {}, [], key, 'true')), key).toBe(400);
    for (const key of known)
      expect(await post('resize', withKey(valid().resize ?? {}, ['size'], key, 'true')), key).toBe(400);
    // The agent itself reads what guests use every few seconds; nothing else may have reached the engine.
    expect(proxy.since(before)).toEqual([]);
  });

  it('what the agent sets on a guest is a closed list', async () => {
    const path = `/1.0/instances/${guestName(guest.instance)}`;
    const instance = await agent.incus.call<IncusInstance>('GET', path, {
      query: { project: agent.names.project(guest.project) },
    });
    const own = Object.keys(instance.config).filter((key) => !key.startsWith('volatile.') && !key.startsWith('image.'));
    expect(own.sort()).toEqual([...instanceKeys].sort());
    expect(instance.config).toMatchObject({
      'security.privileged': 'false',
      'security.idmap.isolated': 'true',
      'security.guestapi': 'false',
    });
    expect(Object.keys(instance.devices).sort()).toEqual(['eth0', 'root']);
    expect(Object.keys(instance.devices['root'] ?? {}).sort()).toEqual(rootKeys);
    for (const key of Object.keys(instance.devices['eth0'] ?? {})) expect(nicKeys).toContain(key);
    expect(instance.profiles).toEqual([]);
  });
});

describe('A2: objects that are not ours are left alone', () => {
  it('another installation on the same engine does not exist for this one', async () => {
    const other = await startAgent();
    try {
      await other.driver.allowImages([guest.imageFingerprint]);
      const nothing = { code: 'not_found' };
      expect(await other.driver.observe(guest.instance)).toBeNull();
      expect(await other.driver.list()).toEqual([]);
      await expect(other.driver.power(guest.instance, 'start', {})).rejects.toMatchObject(nothing);
      await expect(other.driver.resize(guest.instance, guest.size)).rejects.toMatchObject(nothing);
      await expect(other.driver.setHostname(guest.instance, 'mine')).rejects.toMatchObject(nothing);
      const theirs = await other.network();
      const place = other.spec(theirs, 10, guest.imageFingerprint);
      const { project, address4, address6 } = place;
      const move = other.driver.moveGuest(guest.instance, { project, address4, address6 }, testId('opr'));
      await expect(move).rejects.toMatchObject(nothing);
      await expect(other.driver.createSnapshot(guest.instance, testId('snp'), testId('opr'))).rejects.toMatchObject(
        nothing,
      );
      await expect(other.driver.logs(guest.instance, { lines: 1 })).rejects.toMatchObject(nothing);
      await expect(other.driver.deleteImage(guest.imageFingerprint)).rejects.toMatchObject(nothing);
      await other.driver.destroyGuest(guest.instance);
      await other.driver.removeNetwork(guest.project);
      expect(await agent.driver.observe(guest.instance)).not.toBeNull();
      expect((await agent.driver.images()).length).toBe(1);
      // Both claim the same bytes; letting go of one claim keeps the other's.
      expect(await other.image()).toBe(guest.imageFingerprint);
      await other.driver.deleteImage(guest.imageFingerprint);
      expect((await agent.driver.images()).length).toBe(1);
    } finally {
      await other.close();
    }
    expect(await agent.driver.observe(guest.instance)).not.toBeNull();
  });

  it('a guest whose label was taken away is not touched any more', async () => {
    const spec = agent.spec(network, 60, guest.imageFingerprint);
    await agent.driver.createGuest(spec);
    const path = `/1.0/instances/${guestName(spec.instance)}`;
    const query = { project: agent.names.project(spec.project) };
    const started = await agent.incus.start('PATCH', path, {
      query,
      body: { config: { 'user.berth.installation': 'nobody' } },
    });
    await agent.incus.wait(started.operation, 30);
    expect(await agent.driver.observe(spec.instance)).toBeNull();
    await agent.driver.destroyGuest(spec.instance);
    expect((await agent.incus.call<IncusInstance>('GET', path, { query })).name).toBe(guestName(spec.instance));
  });

  it('a bridge or rule of somebody else with our name is not taken over', async () => {
    const project = testId('prj');
    await agent.incus.call('POST', '/1.0/network-acls', {
      query: { project: 'default' },
      body: { name: agent.names.acl(project), config: {}, egress: [], ingress: [] },
    });
    const spec: NetworkSpec = {
      ...network,
      project,
      subnet4: network.subnet4.replace('.0.0/24', '.77.0/24'),
      subnet6: network.subnet6.replace(/:0::/, ':77::'),
    };
    await expect(agent.driver.ensureNetwork(spec)).rejects.toMatchObject({ code: 'conflict' });
    const acl = await agent.incus.call<{ egress: unknown[] }>('GET', `/1.0/network-acls/${agent.names.acl(project)}`);
    expect(acl.egress).toEqual([]);
  });
});
