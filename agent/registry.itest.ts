/** The image cache of a host: the real Docker of real servers pulls through it, and nothing else of the host opens. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGISTRY_PORT, type RegistrySpec, type RegistryStatus } from '#domain/registry.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import type { GuestSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { layer, startUpstream, type TestUpstream, UPSTREAM_LOGIN } from '#testkit/registry.ts';
import { mirrorOf } from './registry-mirrors.ts';

const run = promisify(execFile);
const minutes = 60_000;
let agent: TestAgent;
let upstream: TestUpstream;
let one: GuestSpec;
let two: GuestSpec;
let spec: RegistrySpec;
let mirror: string;
let gateway: string;
let other: string;
/** What the image itself writes there. */
let own: string;

const inside = (guest: GuestSpec, script: string) => agent.inside(guest, ['sh', '-c', script], 2 * minutes);
const daemon = async (guest: GuestSpec) => (await inside(guest, 'cat /etc/docker/daemon.json 2>/dev/null')).stdout;

async function set(more: Partial<RegistrySpec> = {}): Promise<RegistryStatus> {
  spec = { ...spec, ...more };
  return agent.driver.setRegistry(spec);
}

async function until(condition: () => Promise<boolean>, what: string, ms = 3 * minutes): Promise<void> {
  for (const limit = Date.now() + ms; !(await condition()); ) {
    if (Date.now() > limit) throw new Error(`not so: ${what}; ${JSON.stringify(await set())}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Whether a TCP connection from inside is taken. */
async function reaches(guest: GuestSpec, host: string, port: number): Promise<boolean> {
  const { code } = await inside(guest, `timeout 3 bash -c '</dev/tcp/${host}/${port}' 2>/dev/null`);
  return code === 0;
}

beforeAll(async () => {
  upstream = await startUpstream();
  agent = await startAgent({ registry: true, poolBytes: 16 * GIB });
  const image = await agent.driver.buildImage('server', () => undefined);
  await agent.driver.allowImages([image.fingerprint]);
  const [first, second] = [await agent.network(), await agent.network()];
  const size = { cpus: 2, memoryBytes: GIB, diskBytes: 6 * GIB };
  one = agent.spec(first, 10, image.fingerprint, { size });
  two = agent.spec(second, 10, image.fingerprint, { size });
  for (const guest of [one, two]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
    await agent.waitHealthy(guest, 3 * minutes);
  }
  mirror = mirrorOf(first);
  gateway = first.subnet4.replace('.0/24', '.1');
  other = second.subnet4.replace('.0/24', '.1');
  spec = {
    enabled: false,
    upstream: upstream.url,
    login: UPSTREAM_LOGIN,
    caCertificate: null,
    bytesMax: 500 * MIB,
    emptied: 0,
  };
}, 30 * minutes);
afterAll(async () => {
  await agent?.close();
  await upstream?.close();
}, 5 * minutes);

describe('V9: the image cache of a host', () => {
  it('V9: off: nothing listens, nothing is open, and Docker knows nothing of it', async () => {
    expect(await set()).toMatchObject({ state: 'off', mirrors: { using: 0, theirs: 0 } });
    own = await daemon(one);
    expect(own).not.toContain('registry-mirrors');
    expect(await reaches(one, gateway, REGISTRY_PORT)).toBe(false);
    const { stdout } = await run('nft', ['list', 'tables']);
    expect(stdout).not.toContain(agent.names.table('registry'));
  });

  it('V9: on: the Docker inside is told and pulls through it; the next server gets it without upstream', async () => {
    const image = await upstream.push('library/thing', '1', [layer(2 * MIB), layer(300)]);
    await set({ enabled: true });
    await until(async () => (await set()).state === 'running', 'running');
    await until(async () => (await daemon(one)).includes(mirror) && (await daemon(two)).includes(other), 'told');
    expect(JSON.parse(await daemon(one))).toMatchObject(JSON.parse(own));
    const pulled = await inside(
      one,
      'docker pull -q thing:1 && docker image inspect -f "{{index .RepoDigests 0}}" thing:1',
    );
    expect(pulled.stderr).toBe('');
    expect(pulled.stdout).toContain(image.digest);
    await until(async () => (await set()).usedBytes === image.bytes, 'stored');
    await upstream.stop();
    expect((await inside(two, 'docker pull -q thing:1')).stdout).toContain('thing:1');
    await upstream.start();
    await until(async () => (await set()).hits >= 3, 'hits');
    const status = await set();
    expect(status).toMatchObject({ state: 'running', problem: null, mirrors: { using: 2, theirs: 0 } });
    expect(status.images.map((each) => `${each.name}:${each.tag}`)).toEqual(['library/thing:1']);
  });

  it('V9: only that port, only at their own gateway, only from inside', async () => {
    expect(await reaches(one, gateway, REGISTRY_PORT)).toBe(true);
    expect(await reaches(one, other, REGISTRY_PORT)).toBe(false);
    const port = Number(new URL(upstream.url).port);
    for (const closed of [22, 80, 443, 9443, port, REGISTRY_PORT + 1, REGISTRY_PORT - 1]) {
      expect([closed, await reaches(one, gateway, closed)]).toEqual([closed, false]);
    }
    // Through the host's own addresses it is not there either.
    const { stdout } = await run('ss', ['-Hltn', `sport = :${REGISTRY_PORT}`]);
    const listening = stdout
      .trim()
      .split('\n')
      .filter((line) => line.includes(gateway) || line.includes(other));
    expect(listening).toHaveLength(2);
    expect(stdout).not.toMatch(/(?:0\.0\.0\.0|\*|\[::\]):5017/);
    // A stranger beside the host, who sends packets for the gateway to the host.
    const space = `bthx-${agent.installation}`;
    const far = `v${agent.installation}`;
    await run('ip', ['netns', 'add', space]);
    try {
      await run('ip', ['link', 'add', far, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space]);
      await run('ip', ['addr', 'add', '198.18.77.1/24', 'dev', far]);
      await run('ip', ['link', 'set', far, 'up']);
      for (const args of [
        ['addr', 'add', '198.18.77.2/24', 'dev', 'eth0'],
        ['link', 'set', 'eth0', 'up'],
        ['route', 'add', 'default', 'via', '198.18.77.1'],
      ])
        await run('ip', ['-n', space, ...args]);
      const knock = ['netns', 'exec', space, 'timeout', '3', 'bash', '-c', `</dev/tcp/${gateway}/${REGISTRY_PORT}`];
      await expect(run('ip', knock)).rejects.toThrow();
    } finally {
      await run('ip', ['netns', 'del', space]);
      await run('ip', ['link', 'del', far]).catch(() => undefined);
    }
  });

  it('V9: rules that somebody takes away come back, and so does what was killed', async () => {
    const table = agent.names.table('registry');
    let open = true;
    // Whoever keeps it looks every quarter of a minute, and may come in between.
    for (let tries = 0; open && tries < 3; tries++) {
      await run('nft', ['delete', 'table', 'inet', table]);
      open = await reaches(one, gateway, REGISTRY_PORT);
      if (open) expect((await run('nft', ['list', 'tables'])).stdout, 'open without its table').toContain(table);
    }
    expect(open).toBe(false);
    await set();
    await until(() => reaches(one, gateway, REGISTRY_PORT), 'rules are back');
    const { stdout } = await run('pgrep', ['-P', String(agent.pid()), '-f', 'registry/main.ts']);
    process.kill(Number(stdout.trim()), 'SIGKILL');
    await until(async () => (await inside(two, 'docker rmi -f thing:1; docker pull -q thing:1')).code === 0, 'back');
    await agent.kill();
    await until(
      async () =>
        await run('pgrep', ['-f', `^${process.execPath}.*registry/main.ts$`]).then(
          ({ stdout: pids }) => pids.trim() === '',
          () => true,
        ),
      'it ends with the agent',
    );
    await agent.start();
    await set();
    await until(async () => (await inside(two, 'docker rmi -f thing:1; docker pull -q thing:1')).code === 0, 'again');
  });

  it('V9: a guest cannot push, delete, or list what others pulled', async () => {
    const curl = async (args: string) => (await inside(one, `curl -s -o /dev/null -w '%{http_code}' ${args}`)).stdout;
    expect(await curl(`-X PUT -d '{}' ${mirror}/v2/library/thing/manifests/1`)).toBe('405');
    expect(await curl(`-X DELETE ${mirror}/v2/library/thing/manifests/sha256:${'a'.repeat(64)}`)).toBe('405');
    expect(await curl(`-X POST ${mirror}/v2/library/thing/blobs/uploads/`)).toBe('405');
    expect(await curl(`${mirror}/v2/_catalog`)).toBe('404');
    const pushed = await inside(
      one,
      `docker tag thing:1 ${gateway}:${REGISTRY_PORT}/mine:1; docker push ${gateway}:${REGISTRY_PORT}/mine:1`,
    );
    expect(pushed.code).not.toBe(0);
    const seen = await inside(
      one,
      `curl -sv ${mirror}/v2/library/thing/manifests/1 2>&1; env; cat /etc/docker/daemon.json`,
    );
    expect(seen.stdout).not.toContain(UPSTREAM_LOGIN.password);
  });

  it('V9: what people wrote into daemon.json stays, and who takes the cache out is left alone', async () => {
    await inside(
      one,
      `echo '{"registry-mirrors":["${mirror}"],"log-opts":{"max-size":"5m"}}' > /etc/docker/daemon.json`,
    );
    await inside(two, `echo '{"debug":true}' > /etc/docker/daemon.json`);
    // They are looked at again when they start anew.
    for (const guest of [one, two]) {
      await agent.driver.power(guest.instance, 'restart', {});
      await agent.waitHealthy(guest, 3 * minutes);
    }
    await until(async () => (await set()).mirrors.theirs === 1, 'seen');
    expect(JSON.parse(await daemon(two))).toEqual({ debug: true });
    expect(JSON.parse(await daemon(one))).toEqual({ 'registry-mirrors': [mirror], 'log-opts': { 'max-size': '5m' } });
  });

  it('V9: off again: only its own entry goes', async () => {
    expect((await set({ enabled: false })).state).toBe('off');
    await until(async () => !(await daemon(one)).includes(mirror), 'taken back');
    expect(JSON.parse(await daemon(one))).toEqual({ 'log-opts': { 'max-size': '5m' } });
    expect(JSON.parse(await daemon(two))).toEqual({ debug: true });
    expect(await reaches(one, gateway, REGISTRY_PORT)).toBe(false);
  });
});
