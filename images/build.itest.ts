import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltImage, buildImage, machineArch } from './build.ts';
import type { BuildProgress } from './progress.ts';
import { recipeHash } from './recipe-files.ts';
import { recipes } from './recipes.ts';

const run = promisify(execFile);
const minutes = 60_000;
const tag = randomBytes(3).toString('hex');
const project = `imgtest-${tag}`;
const pool = `imgtest-${tag}`;
const bridge = `imgt${tag}`;
const workDir = mkdtempSync(join(tmpdir(), 'berth-image-itest-'));

async function incus(...args: string[]): Promise<string> {
  const running = run('incus', args, { timeout: 3 * minutes, maxBuffer: 16 * 1024 * 1024 });
  // Some of its commands wait for YAML on an open standard input.
  running.child.stdin?.end();
  return (await running).stdout;
}
const inProject = (...args: string[]) => incus('--project', project, ...args);
const inside = (name: string, ...argv: string[]) => inProject('exec', name, '--', ...argv);
const quietly = (...args: string[]) => incus(...args).catch(() => '');

const guestSettings = ['security.nesting=true', 'security.idmap.isolated=true', 'limits.memory=1GiB', 'limits.cpu=1'];

async function launch(name: string, image: string): Promise<void> {
  await inProject('launch', image, name, ...guestSettings.flatMap((setting) => ['-c', setting]));
}

type State = { network: Record<string, { addresses: { family: string; scope: string; address: string }[] }> | null };

/** The guest's global IPv4 address, as soon as it has one. */
async function address(name: string): Promise<string> {
  for (let tries = 0; tries < 300; tries += 1) {
    const state = JSON.parse(await incus('query', `/1.0/instances/${name}/state?project=${project}`)) as State;
    const found = state.network?.eth0?.addresses.find(({ family, scope }) => family === 'inet' && scope === 'global');
    if (found) return found.address;
    await sleep(200);
  }
  throw new Error(`${name} has no address`);
}

function banner(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 5000 });
    socket.once('data', (data) => {
      resolve(data.toString('latin1'));
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('timeout', () => socket.destroy(new Error('timeout')));
  });
}

async function eventually<T>(what: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await what();
    } catch (error) {
      if (tries === 150) throw error;
      await sleep(200);
    }
  }
}

/** The system's state once it has finished starting. */
function settled(name: string): Promise<string> {
  return eventually(async () => {
    // The exit code says no more than the word; right after the start there may be no one to ask yet.
    const state = (await inside(name, 'sh', '-c', 'systemctl is-system-running --wait; true')).trim();
    if (state === '' || state === 'offline') throw new Error('not there yet');
    return state;
  });
}

beforeAll(async () => {
  await incus('storage', 'create', pool, 'btrfs', 'size=8GiB');
  await incus('project', 'create', project, '-c', 'features.networks=false');
  const subnet = `10.${randomInt(220, 250)}.${randomInt(0, 256)}.1/24`;
  await incus('network', 'create', bridge, `ipv4.address=${subnet}`, 'ipv4.nat=true', 'ipv6.address=none');
  await inProject('profile', 'device', 'add', 'default', 'root', 'disk', `pool=${pool}`, 'path=/');
  await inProject('profile', 'device', 'add', 'default', 'eth0', 'nic', `network=${bridge}`);
}, 3 * minutes);

afterAll(async () => {
  const guests = JSON.parse((await quietly('--project', project, 'list', '-f', 'json')) || '[]') as { name: string }[];
  for (const { name } of guests) await quietly('--project', project, 'delete', '-f', name);
  const images = JSON.parse((await quietly('--project', project, 'image', 'list', '-f', 'json')) || '[]') as {
    fingerprint: string;
  }[];
  for (const { fingerprint } of images) await quietly('--project', project, 'image', 'delete', fingerprint);
  await quietly('project', 'delete', project);
  await quietly('network', 'delete', bridge);
  await quietly('storage', 'delete', pool);
  rmSync(workDir, { recursive: true, force: true });
}, 3 * minutes);

describe('U6 A5: the server image on the real engine', () => {
  let built: BuiltImage;
  const progress: BuildProgress[] = [];

  it(
    'U6: is built from the mirror (or found unchanged) with progress that never falls',
    async () => {
      const onProgress = (one: BuildProgress) => progress.push(one);
      built = await buildImage({ name: 'server', workDir, arch: machineArch(), onProgress });
      expect(built.recipeHash).toBe(recipeHash(recipes.server, machineArch()));
      expect(built.packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['docker.io', 'openssh-server']));
      const percents = progress.map(({ percent }) => percent);
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
      expect(percents.at(-1)).toBe(100);
      expect(readdirSync(workDir)).toEqual(['out']);
    },
    20 * minutes,
  );

  it('U6: is not built again while the recipe stays the same', async () => {
    const before = performance.now();
    const again = await buildImage({ name: 'server', workDir, arch: machineArch() });
    expect(again).toEqual(built);
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it(
    'A5: is imported with its recipe hash, and boots without a failed unit to an SSH banner',
    async () => {
      await inProject('image', 'import', built.metadataTar, built.rootfsTar, '--alias', 'server');
      const [image] = JSON.parse(await inProject('image', 'list', '-f', 'json')) as [
        { properties: Record<string, string> },
      ];
      expect(image.properties['berth.recipe']).toBe(built.recipeHash);
      await launch('one', 'server');
      expect(await settled('one')).toBe('running');
      const host = await address('one');
      expect(await eventually(() => banner(host, 22))).toMatch(/^SSH-2\.0-/);
      expect(await inside('one', 'hostname')).toBe('one\n');
      expect(await inside('one', 'id', 'berth')).toMatch(/uid=1000\(berth\).*sudo.*docker/);
      expect(await inside('one', 'getent', 'shadow', 'root')).toMatch(/^root:[!*]/);
    },
    5 * minutes,
  );

  it('I6: two machines of one image, and a copy of a machine, share no secret', async () => {
    await launch('two', 'server');
    await inProject('copy', 'one', 'three');
    await inProject('start', 'three');
    for (const name of ['two', 'three']) await settled(name);
    const keys = await Promise.all(
      ['one', 'two', 'three'].map((name) => eventually(() => inside(name, 'cat', '/etc/ssh/ssh_host_ed25519_key.pub'))),
    );
    expect(new Set(keys.map((key) => key.split(' ')[1])).size).toBe(3);
    const ids = await Promise.all(['one', 'two'].map((name) => inside(name, 'cat', '/etc/machine-id')));
    expect(new Set(ids).size).toBe(2);
  });

  it('D6: Docker starts on first use and runs a locally imported image under a memory limit; compose is there', async () => {
    expect((await inside('one', 'sh', '-c', 'systemctl is-active docker.service; true')).trim()).toBe('inactive');
    await inside('one', 'mkdir', '-p', '/tmp/tiny');
    const binary = 'cp /bin/echo /tmp/tiny/ && ldd /bin/echo | grep -o "/[^ ]*" | xargs -I% cp --parents % /tmp/tiny';
    await inside('one', 'sh', '-c', `${binary} && tar -C /tmp/tiny -c . | docker import - tiny:1`);
    expect(await inside('one', 'docker', 'run', '--rm', '-m', '64m', 'tiny:1', '/echo', 'ahoy')).toBe('ahoy\n');
    expect(await inside('one', 'docker', 'compose', 'version', '--short')).toMatch(/^v?2\./);
  });
});

it(
  'U6: a build called off in the middle ends its programs and leaves no file behind',
  async () => {
    const abort = new AbortController();
    const reason = new Error('changed my mind');
    const cacheDir = join(workDir, 'cache');
    const building = buildImage({
      name: 'server',
      workDir,
      arch: machineArch(),
      cache: false,
      cacheDir,
      signal: abort.signal,
      onProgress: ({ line }) => {
        if (line.startsWith('I: downloading')) abort.abort(reason);
      },
    });
    await expect(building).rejects.toBe(reason);
    expect(readdirSync(workDir).filter((name) => name.startsWith('build-'))).toEqual([]);
    expect(readdirSync(cacheDir).filter((name) => name.endsWith('.lock'))).toEqual([]);
    const { stdout } = await run('ps', ['axo', 'args']);
    expect(stdout).not.toContain(workDir);
  },
  2 * minutes,
);
