/** `berth doctor`: what this machine can do and what is wrong, one plain line each. */

import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer } from 'node:net';
import { availableParallelism, freemem, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { mergeSubids } from './accounts.ts';
import { engineInfo, gib, INCUS_DIR, LXCFS_DIR } from './engine.ts';
import { probe } from './health.ts';
import { lowLimits } from './kernel-limits.ts';
import type { HostConfig, Layout } from './layout.ts';
import { caddyVersion, compareVersions, findProgram, installedPackages, readOs } from './machine.ts';
import type { Manager } from './manager.ts';
import { caddyCandidates } from './packages.ts';
import { CADDY_FLOOR, CADDY_WANTED, wantedPackages } from './plan.ts';
import { describeCulprit, portCulprits } from './ports.ts';
import { healthOf } from './process-parts.ts';
import { run } from './run.ts';

export type Finding = {
  /** What was looked at. */
  topic: string;
  state: 'ok' | 'warn' | 'fail';
  /** What was seen. */
  text: string;
  /** What to do about it; null when nothing. */
  todo: string | null;
};

const GIB = 1024 ** 3;
const DISK_FREE_FAIL = 5 * GIB;
const DISK_FREE_WARN = 20 * GIB;
const MEMORY_WARN = 4 * GIB;
/** How long a connection may live after it was cut. */
const CUT_MS_MAX = 2_000;
const ENGINE_OLDEST = '6.0';

const ok = (topic: string, text: string): Finding => ({ topic, state: 'ok', text, todo: null });
const warn = (topic: string, text: string, todo: string | null = null): Finding => ({
  topic,
  state: 'warn',
  text,
  todo,
});
const fail = (topic: string, text: string, todo: string | null = null): Finding => ({
  topic,
  state: 'fail',
  text,
  todo,
});

export type DoctorInput = {
  installation: { config: HostConfig; layout: Layout; manager: Manager } | null;
  dataDir: string;
  ports: { control: number; https: number; http: number; ssh: number };
  domain: string;
};

/** Looks at everything; no finding throws, each says in words what it could not see. */
export async function examine(input: DoctorInput): Promise<Finding[]> {
  const looks: (() => Promise<Finding | Finding[]> | Finding | Finding[])[] = [
    () => system(),
    () => packages(),
    () => engine(),
    () => lxcfs(),
    () => cgroups(),
    () => namespaces(),
    () => subids(),
    () => limits(),
    () => nftables(),
    () => cutting(),
    () => filesystems(),
    () => kvm(),
    () => memory(),
    () => disk(input.dataDir),
    () => backups(),
    () => caddy(join(input.dataDir, 'bin')),
    () => sshCiphers(),
    () => ports(input),
    () => names(input.domain),
    () => processes(input),
  ];
  const findings = await Promise.all(
    looks.map(async (look) => {
      try {
        return await look();
      } catch (error) {
        return warn('look', `could not be examined: ${error instanceof Error ? error.message : String(error)}`);
      }
    }),
  );
  return findings.flat();
}

async function backups(): Promise<Finding> {
  if (findProgram('restic') === null)
    return warn('backups', 'restic is not installed: nothing can be backed up or restored', './berth up installs it');
  const { stdout } = await run(['restic', 'version'], { timeoutMs: 10_000 });
  return ok('backups', stdout.trim().split(' compiled')[0] ?? 'restic');
}

/** ssh2 compiles its ciphers when it is installed, where it can; without them each packet costs several times as much. */
function sshCiphers(): Finding {
  const { bindingAvailable } = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js') as {
    bindingAvailable: boolean;
  };
  return bindingAvailable
    ? ok('ssh', 'the gateway uses compiled ciphers')
    : ok(
        'ssh',
        'the gateway works without compiled ciphers, about a fifth slower; to have them: apt-get install g++ make python3, remove node_modules, ./berth up',
      );
}

function system(): Finding[] {
  const os = readOs();
  const known =
    (os.id === 'debian' && ['12', '13'].includes(os.versionId)) || (os.id === 'ubuntu' && os.versionId === '24.04');
  const name = `${os.name}, kernel ${release()}, Node ${process.versions.node}`;
  return [
    known
      ? ok('system', name)
      : warn('system', name, 'Debian 12, Debian 13 and Ubuntu 24.04 are tested; others may lack packages'),
    process.getuid?.() === 0
      ? ok('rights', 'root')
      : fail('rights', 'not root', 'sudo ./berth doctor sees more; ./berth up needs root'),
  ];
}

async function packages(): Promise<Finding> {
  if (findProgram('dpkg-query') === null)
    return warn('packages', 'no dpkg here: install the engine and its helpers yourself');
  const wanted = wantedPackages(readOs());
  const installed = await installedPackages(wanted);
  const missing = wanted.filter((name) => !installed.has(name));
  return missing.length === 0
    ? ok('packages', `all ${wanted.length} are installed`)
    : fail('packages', `missing: ${missing.join(' ')}`, './berth up installs them');
}

async function engine(): Promise<Finding> {
  const info = await engineInfo();
  if (info === null)
    return fail('engine', 'Incus does not answer', './berth up starts it; its log is in berth logs incusd');
  if (compareVersions(info.version, ENGINE_OLDEST) < 0)
    return fail('engine', `Incus ${info.version} is too old`, `${ENGINE_OLDEST} is the least`);
  return ok('engine', `Incus ${info.version}, storage drivers: ${info.storage.sort().join(' ')}`);
}

async function lxcfs(): Promise<Finding> {
  if (await probe({ type: 'path', path: join(LXCFS_DIR, 'proc/meminfo') }))
    return ok('lxcfs', 'guests see their own memory and processors');
  return warn('lxcfs', 'does not run: guests see the whole machine in free and top', './berth up starts it');
}

/** Tried on a connection of its own: kernels built without INET_DIAG_DESTROY refuse it. */
async function cutting(): Promise<Finding> {
  const topic = 'connections';
  const server = createServer((socket) => void socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1').on('error', () => undefined);
  try {
    await once(client, 'connect');
    const cut = new Promise<boolean>((resolve) => {
      client.once('close', () => resolve(true));
      setTimeout(() => resolve(false), CUT_MS_MAX).unref();
    });
    await run(['ss', '--kill', '--tcp', '--numeric', 'state', 'connected', 'sport', '=', `:${port}`], {
      timeoutMs: CUT_MS_MAX,
    });
    if (await cut) return ok(topic, 'single ones can be ended');
    const unable = 'this kernel cannot end single ones, or you are not root: downloads under way outlive a permission';
    return warn(topic, unable, 'a kernel with INET_DIAG_DESTROY, as Debian builds it');
  } finally {
    client.destroy();
    server.close();
  }
}

function cgroups(): Finding {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) {
    const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
    const missing = ['cpu', 'memory', 'pids'].filter((name) => !controllers.includes(name));
    return missing.length === 0
      ? ok('cgroups', 'version 2 with cpu, memory and pids')
      : fail(
          'cgroups',
          `version 2 without ${missing.join(', ')}`,
          'limits of instances cannot be set: enable these controllers in the kernel',
        );
  }
  const version1 = ['cpu', 'memory', 'pids'].filter((name) => existsSync(`/sys/fs/cgroup/${name}`));
  if (version1.length === 3)
    return warn(
      'cgroups',
      'version 1 (or hybrid): works, newer guests may complain',
      'boot with systemd.unified_cgroup_hierarchy=1 where you can',
    );
  return fail('cgroups', 'no cpu, memory and pids controllers are mounted', 'limits of instances cannot be set');
}

async function namespaces(): Promise<Finding> {
  const max = readNumber('/proc/sys/user/max_user_namespaces');
  if (max === 0) return fail('user namespaces', 'switched off', 'sysctl user.max_user_namespaces=100000');
  const tried = await run(['unshare', '--user', '--map-root-user', 'true'], { timeoutMs: 10_000 });
  return tried.code === 0
    ? ok('user namespaces', 'work')
    : fail('user namespaces', 'refused by the kernel', tried.stderr.trim().slice(0, 200));
}

function limits(): Finding {
  const low = lowLimits();
  if (low.length === 0) return ok('kernel limits', 'have room for many instances');
  const said = low.map(({ name, value }) => `${name} is ${value}`).join(', ');
  return warn('kernel limits', `${said}: about a dozen instances can run`, './berth up raises them');
}

function subids(): Finding {
  const missing = ['/etc/subuid', '/etc/subgid'].filter((file) => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return mergeSubids(text) !== text;
  });
  return missing.length === 0
    ? ok('id ranges', 'root has a range that is large enough for separate users per instance')
    : fail('id ranges', `root has none in ${missing.join(' and ')}`, './berth up adds root:1000000:1000000000');
}

/** Loads throw-away tables in a network namespace of their own; the machine's rules are not touched. */
async function nftables(): Promise<Finding[]> {
  if (findProgram('nft') === null) return [fail('firewall', 'nft is not installed', 'apt-get install nftables')];
  const attempt = async (family: string, hook: string, rule: string) =>
    (
      await run(['unshare', '--user', '--map-root-user', '--net', 'nft', '-f', '-'], {
        input: `table ${family} t {\n  chain c {\n    type filter hook ${hook} priority 0;\n    ${rule}\n  }\n}\n`,
        timeoutMs: 10_000,
      })
    ).code === 0;
  const inet = await attempt('inet', 'forward', 'ip daddr 10.0.0.0/8 reject');
  const meta = await attempt('bridge', 'forward', 'iifname "x" drop');
  const reject = await attempt('bridge', 'input', 'ether type ip reject');
  const findings = [
    inet
      ? ok('firewall', 'nftables filters between networks')
      : fail(
          'firewall',
          'nftables cannot filter: tenants could reach private networks',
          'a kernel with nf_tables (inet family, reject)',
        ),
  ];
  if (meta && reject)
    findings.push(
      ok('bridge filters', 'nftables filters on bridges: address and MAC filters per instance are possible'),
    );
  else {
    const what = [meta ? '' : 'meta', reject ? '' : 'reject'].filter((name) => name !== '').join(' and ');
    findings.push(
      warn(
        'bridge filters',
        `this kernel has no nft bridge ${what}: instances of one project could use a neighbour's address`,
        'stock Debian and Ubuntu kernels have it',
      ),
    );
  }
  return findings;
}

async function filesystems(): Promise<Finding[]> {
  const known = readFileSync('/proc/filesystems', 'utf8');
  const has = async (name: string) =>
    new RegExp(`\\b${name}$`, 'm').test(known) ||
    (await run(['modprobe', '-n', '-q', name], { timeoutMs: 5000 })).code === 0;
  const findings: Finding[] = [];
  findings.push(
    (await has('btrfs'))
      ? ok('btrfs', 'instances start from clones and have disk limits')
      : warn('btrfs', 'not in this kernel: plain folders are used, without disk limits', 'a kernel with btrfs'),
  );
  findings.push(
    existsSync('/dev/loop-control')
      ? ok('loop devices', 'a pool can live in a file')
      : warn('loop devices', 'none: a pool in a file is not possible', 'give a disk with --pool-device'),
  );
  findings.push(
    (await has('overlay'))
      ? ok('overlay', 'containers inside servers work fast')
      : warn('overlay', 'not in this kernel: Docker inside servers is slow'),
  );
  return findings;
}

function kvm(): Finding {
  return existsSync('/dev/kvm')
    ? ok('KVM', 'virtual machines are possible')
    : warn(
        'KVM',
        'not here: instances share the kernel, virtual machines are not possible',
        'enable virtualization in the firmware, or nested virtualization',
      );
}

function memory(): Finding {
  const text = `${gib(totalmem())}, ${gib(freemem())} free, ${availableParallelism()} processors`;
  return totalmem() < MEMORY_WARN
    ? warn('memory', text, 'a desktop wants 2 GiB or more for itself')
    : ok('memory', text);
}

function disk(dataDir: string): Finding[] {
  return [existing(dataDir), existing(INCUS_DIR)].flatMap((dir, index, all) => {
    if (index === 1 && statSync(dir).dev === statSync(all[0] ?? dir).dev) return [];
    const info = statfsSync(dir);
    const free = info.bavail * info.bsize;
    const text = `${gib(free)} free for ${dir}`;
    if (free < DISK_FREE_FAIL) return [fail('disk', text, 'make room: the database needs space to stay consistent')];
    return [free < DISK_FREE_WARN ? warn('disk', text, 'little for instances') : ok('disk', text)];
  });
}

function existing(dir: string): string {
  return existsSync(dir) ? dir : existing(dirname(dir));
}

async function caddy(binDir: string): Promise<Finding> {
  let best: string | null = null;
  for (const path of caddyCandidates(binDir)) {
    const version = await caddyVersion(path);
    if (version !== null && (best === null || compareVersions(version, best) > 0)) best = version;
  }
  if (best === null) return fail('Caddy', 'there is none', './berth up fetches it');
  if (compareVersions(best, CADDY_FLOOR) < 0)
    return fail('Caddy', `${best} is too old`, `./berth up fetches ${CADDY_WANTED}`);
  return compareVersions(best, CADDY_WANTED) < 0
    ? warn('Caddy', `${best} works, ${CADDY_WANTED} or newer is wanted`, './berth up tries to fetch it')
    : ok('Caddy', best);
}

async function ports(input: DoctorInput): Promise<Finding> {
  const wanted = Object.values(input.ports);
  const statuses = input.installation === null ? [] : ((await input.installation.manager.status()) ?? []);
  const ours = new Set(statuses.flatMap((status) => (status.pid === null ? [] : [status.pid])));
  const culprits = await portCulprits(wanted, ours);
  return culprits.length === 0
    ? ok('ports', `${wanted.join(', ')} are ${ours.size > 0 ? "Berth's" : 'free'}`)
    : fail(
        'ports',
        culprits.map(describeCulprit).join(', '),
        'stop it, or use --control-port, --https-port, --http-port, --ssh-port',
      );
}

async function names(domain: string): Promise<Finding> {
  const name = `something.${domain}`;
  try {
    const { address } = await lookup(name);
    const text = `${name} is ${address}`;
    if (domain.endsWith('localhost') && !/^(127\.|::1$)/.test(address))
      return warn('names', text, 'it should be this machine');
    return ok('names', text);
  } catch {
    const todo = domain.endsWith('localhost')
      ? "browsers and Berth's own commands know *.localhost by themselves; for curl use --resolve"
      : `make a wildcard record *.${domain} that points to this machine`;
    return warn('names', `${name} has no address here`, todo);
  }
}

async function processes(input: DoctorInput): Promise<Finding[]> {
  if (input.installation === null) return [warn('Berth', `not set up in ${input.dataDir}`, './berth up --yes')];
  const { layout, manager } = input.installation;
  const statuses = await manager.status();
  if (statuses === null) return [fail('Berth', 'does not run', './berth up')];
  const probes = healthOf(layout);
  return Promise.all(
    statuses.map(async (status) => {
      const healthy = await probe(probes[status.name] ?? { type: 'none' });
      const restarts =
        status.restarts > 0 && status.state !== 'machine'
          ? `, restarted ${status.restarts} times (${status.lastExit})`
          : '';
      if (!healthy)
        return fail(status.name, `does not answer (${status.state}${restarts})`, `./berth logs ${status.name}`);
      return ok(status.name, `healthy${restarts}`);
    }),
  );
}

function readNumber(file: string): number | null {
  return existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : null;
}
