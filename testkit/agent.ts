/**
 * A real agent process on the machine's real Incus, with an installation id, pool and folders of its own, for tests.
 * `close` removes everything it made and nothing else.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  copyFileSync,
  createWriteStream,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { IncusClient, segment } from '#agent/incus/client.ts';
import { IncusImages } from '#agent/incus/images.ts';
import type { IncusAcl, IncusInstance, IncusNetwork, IncusProject } from '#agent/incus/types.ts';
import { label, Names } from '#agent/names.ts';
import { canonicalIp6 } from '#contract/agent.ts';
import type { AgentConfig } from '#contract/config.ts';
import { BerthError } from '#domain/errors.ts';
import type { PortRange } from '#domain/forwards.ts';
import { type Id, type IdPrefix, makeId, type ProjectId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { resolverAddresses } from '#domain/resolver.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import { type AgentDriver, agentDriver } from '#drivers/agent/driver.ts';
import type { GuestSpec, NetworkSpec } from '#drivers/interface.ts';
import type { OwnEngine } from './engine.ts';
import { execInside } from './exec-inside.ts';
import { startResolver, type TestResolver } from './resolver.ts';
import { claimSubnet } from './subnets.ts';
import { testImage } from './test-image.ts';

const run = promisify(execFile);
export const INCUS_SOCKET = '/var/lib/incus/unix.socket';
const START_MS_MAX = 60_000;
const NOBODY = 65_534;

export function testId<P extends IdPrefix>(prefix: P): Id<P> {
  return makeId(prefix, Date.now(), (bytes) => randomBytes(bytes));
}

export type TestAgent = {
  installation: string;
  names: Names;
  folder: string;
  socket: string;
  tokens: { server: string; edge: string };
  driver: AgentDriver;
  resolver(): TestResolver | null;
  incus: IncusClient;
  /** Everything the agent wrote to its log so far. */
  log(): string;
  pid(): number;
  /** kill -9. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Imports the test image (once) and allows it; returns its fingerprint. */
  image(kind?: InstanceKind): Promise<string>;
  /** A network that no other test has. */
  network(): Promise<NetworkSpec>;
  /** Ports for forwards that no other test has. */
  ports: PortRange;
  spec(network: NetworkSpec, hostNumber: number, fingerprint: string, more?: Partial<GuestSpec>): GuestSpec;
  /** Runs a command as root inside, through the engine itself and not through the agent. */
  inside(
    spec: GuestSpec,
    argv: string[],
    timeoutMs?: number,
  ): Promise<{ code: number; stdout: string; stderr: string }>;
  waitHealthy(spec: GuestSpec, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
};

export type TestAgentOptions = {
  /** Another socket for the agent to reach the engine by (a recording proxy). */
  engineSocket?: string;
  /** An engine of its own instead of this machine's. */
  engine?: OwnEngine;
  poolBytes?: number;
  /** Of the user plane; one that nobody listens on when absent. */
  httpsPort?: number;
  /** With an image cache, run as nobody. */
  registry?: boolean;
  /** Guests are led to a resolver of this agent's own, which asks here (`127.0.0.1@5353`). */
  upstream?: string[];
};

export async function startAgent(options: TestAgentOptions = {}): Promise<TestAgent> {
  const installation = `t${randomBytes(4).toString('hex').slice(0, 5)}`;
  const names = new Names(installation);
  const folder = mkdtempSync(join(tmpdir(), 'berth-agent-'));
  const pool = `bth-${installation}`;
  const incus = new IncusClient(options.engine?.socket ?? INCUS_SOCKET);
  await incus.operate('POST', '/1.0/storage-pools', {
    body: {
      name: pool,
      driver: 'btrfs',
      config: { size: String(options.poolBytes ?? 12 * GIB), [label.installation]: installation },
    },
  });
  const tokens = { server: randomBytes(32).toString('hex'), edge: randomBytes(32).toString('hex') };
  for (const [caller, value] of Object.entries(tokens))
    writeFileSync(join(folder, `token-${caller}`), value, { mode: 0o600 });
  for (const name of ['state', 'images', 'import', 'backups']) mkdirSync(join(folder, name));
  const socket = join(folder, 'agent.sock');
  const { second, release } = await claimSubnet();
  // Written as the engine writes it, without leading zeros.
  const group = (bytes: number) => randomBytes(bytes).readUIntBE(0, bytes).toString(16);
  // A few ports of its own below the kernel's range.
  const forwardFirst = 22_000 + 20 * (randomBytes(2).readUInt16BE() % 400);
  const prefix6 = `fd${randomBytes(1).toString('hex')}:${group(2)}:${group(2)}`;
  const config: AgentConfig = {
    installation,
    logLevel: 'debug',
    socket,
    tokens: [
      { caller: 'server', file: join(folder, 'token-server') },
      { caller: 'edge', file: join(folder, 'token-edge') },
    ],
    engine: { kind: 'incus', socket: options.engineSocket ?? options.engine?.socket ?? INCUS_SOCKET },
    pool,
    network: { pool4: `10.${second}.0.0/16`, prefix6 },
    httpsPort: options.httpsPort ?? 1,
    recipesDir: join(folder, 'recipes'),
    imagesDir: join(folder, 'images'),
    importDir: join(folder, 'import'),
    stateDir: join(folder, 'state'),
    backupsDir: join(folder, 'backups'),
    mirror: null,
    forwardPorts: { first: forwardFirst, last: forwardFirst + 19 },
  };
  let registryDir: string | null = null;
  if (options.registry === true) {
    // Not inside `folder`: nobody may not go there.
    registryDir = mkdtempSync(join(tmpdir(), 'berth-registry-'));
    chownSync(registryDir, NOBODY, NOBODY);
    config.registry = {
      program: '/usr/bin/docker-registry',
      main: fileURLToPath(new URL('../registry/main.ts', import.meta.url)),
      user: { uid: NOBODY, gid: NOBODY },
      dataDir: registryDir,
    };
  }
  const dns = {
    ...resolverAddresses(installation, prefix6),
    feed: join(folder, 'feed.sock'),
    names: join(folder, 'names'),
  };
  if (options.upstream !== undefined) config.resolver = dns;
  const configPath = join(folder, 'agent.json');
  writeFileSync(configPath, JSON.stringify(config));
  const driver = agentDriver({ socketPath: socket, token: tokens.server });
  const logPath = join(folder, 'agent.log');
  let child: ChildProcess | null = null;
  const images = new Map<InstanceKind, string>();
  let networks = 0;

  const start = async (): Promise<void> => {
    const main = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
    const started = spawn(process.execPath, [main, '--config', configPath], { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(logPath, { flags: 'a' });
    started.stdout.pipe(log, { end: false });
    started.stderr.pipe(log, { end: false });
    child = started;
    const until = Date.now() + START_MS_MAX;
    for (;;) {
      if (started.exitCode !== null) throw new Error(`the agent ended: ${readFileSync(logPath, 'utf8')}`);
      if (
        await driver.images().then(
          () => true,
          () => false,
        )
      )
        return;
      if (Date.now() > until) throw new Error(`the agent does not answer: ${readFileSync(logPath, 'utf8')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await gone;
  };

  let resolver: TestResolver | null = null;
  const test: TestAgent = {
    installation,
    resolver: () => resolver,
    names,
    folder,
    socket,
    tokens,
    driver,
    incus,
    log: () => readFileSync(logPath, 'utf8'),
    pid: () => child?.pid ?? 0,
    kill: () => end('SIGKILL'),
    start,
    async image(kind = 'server') {
      const known = images.get(kind);
      if (known !== undefined) return known;
      const source = await testImage();
      const name = `test-${kind}.tar`;
      try {
        linkSync(source, join(config.importDir, name));
      } catch {
        copyFileSync(source, join(config.importDir, name));
      }
      const image = await driver.importImage(
        { type: 'file', path: name },
        { name: `test-${kind}`, kind, description: 'For tests' },
      );
      images.set(kind, image.fingerprint);
      await driver.allowImages([...images.values()]);
      return image.fingerprint;
    },
    async network() {
      const index = networks++;
      const spec: NetworkSpec = {
        project: testId('prj') as ProjectId,
        subnet4: `10.${second}.${index}.0/24`,
        subnet6: `${prefix6}:${index.toString(16)}::/64`,
      };
      await driver.ensureNetwork(spec).catch((error: unknown) => {
        throw new Error(`no network: ${readFileSync(logPath, 'utf8').split('\n').slice(-5).join('\n')}`, {
          cause: error,
        });
      });
      return spec;
    },
    ports: { first: forwardFirst, last: forwardFirst + 19 },
    spec: (network, hostNumber, imageFingerprint, more = {}) => ({
      instance: testId('ins'),
      project: network.project,
      operation: testId('opr'),
      kind: 'server',
      hostname: `guest-${hostNumber}`,
      imageFingerprint,
      size: { cpus: 1, memoryBytes: 512 * MIB, diskBytes: 4 * GIB },
      address4: network.subnet4.replace('.0/24', `.${hostNumber}`),
      address6: canonicalIp6(network.subnet6.replace('::/64', `::${hostNumber.toString(16)}`)) ?? '',
      ...more,
    }),
    inside(spec, argv, timeoutMs = 30_000) {
      const guest = ['--project', names.project(spec.project), spec.instance.replace('_', '-')];
      return execInside(guest, argv, timeoutMs, options.engine?.env);
    },
    async waitHealthy(spec, timeoutMs = 90_000) {
      const until = Date.now() + timeoutMs;
      for (;;) {
        const report = await driver.health(spec.instance);
        if (report.state === 'healthy' || report.state === 'degraded') return;
        if (Date.now() > until) throw new Error(`not healthy: ${JSON.stringify(report)}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    async close() {
      await end('SIGTERM');
      await resolver?.close();
      await driver.close();
      await removeInstallation(incus, names, pool);
      for (const purpose of ['forwards', 'policies', 'registry', 'resolver', 'flows']) {
        await run('nft', ['delete', 'table', 'inet', names.table(purpose)]).catch(() => undefined);
      }
      for (const address of [`${dns.address4}/32`, `${dns.address6}/128`]) {
        await run('ip', ['address', 'delete', address, 'dev', 'lo']).catch(() => undefined);
      }
      await incus.close();
      release();
      rmSync(folder, { recursive: true, force: true });
      if (registryDir !== null) rmSync(registryDir, { recursive: true, force: true });
    },
  };
  try {
    await start();
    if (options.upstream !== undefined) {
      const clients = [config.network.pool4, `${prefix6}::/48`];
      resolver = await startResolver({ folder, ...dns, clients, upstream: options.upstream });
    }
  } catch (error) {
    await test.close();
    throw error;
  }
  return test;
}

/** Removes every engine object of an installation: only those with its name prefix and labels. */
export async function removeInstallation(incus: IncusClient, names: Names, pool: string): Promise<void> {
  // The engine refuses some removals while another test makes it change its firewall rules.
  const remove = async (path: string, query?: Record<string, string>): Promise<void> => {
    for (let tried = 1; ; tried++) {
      try {
        await incus.operate('DELETE', path, query === undefined ? {} : { query });
        return;
      } catch (error) {
        if (error instanceof BerthError && error.code === 'not_found') return;
        if (tried === 5) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  };
  const all = await incus.call<IncusInstance[]>('GET', '/1.0/instances', {
    query: { recursion: 1, 'all-projects': 'true' },
  });
  for (const { name, project, status } of all.filter((instance) => instance.project.startsWith(names.prefix))) {
    const path = `/1.0/instances/${segment(name)}`;
    if (status !== 'Stopped')
      await incus
        .operate('PUT', `${path}/state`, { query: { project }, body: { action: 'stop', force: true, timeout: 30 } })
        .catch(() => undefined);
    await remove(path, { project });
  }
  const projects = await incus.call<IncusProject[]>('GET', '/1.0/projects', { query: { recursion: 1 } });
  for (const { name } of projects.filter((project) => project.name.startsWith(names.prefix)))
    await remove(`/1.0/projects/${segment(name)}`);
  const networks = await incus.call<IncusNetwork[]>('GET', '/1.0/networks', { query: { recursion: 1 } });
  for (const network of networks.filter((entry) => entry.config[label.installation] === names.installation))
    await remove(`/1.0/networks/${segment(network.name)}`);
  const acls = await incus.call<IncusAcl[]>('GET', '/1.0/network-acls', { query: { recursion: 1 } });
  for (const { name } of acls.filter((acl) => acl.name.startsWith(names.prefix)))
    await remove(`/1.0/network-acls/${segment(name)}`);
  const images = new IncusImages(incus, names);
  for (const image of await images.list()) await images.remove(image.fingerprint);
  await remove(`/1.0/storage-pools/${segment(pool)}`);
}
