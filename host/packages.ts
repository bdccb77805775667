/** Applying a plan with apt. Every step looks first, so that running it twice changes nothing. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from './files.ts';
import { caddyVersion, compareVersions, findProgram, installedPackages } from './machine.ts';
import { CADDY_FLOOR, deb822, type Plan } from './plan.ts';
import { must, run } from './run.ts';

const APT_ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C', NEEDRESTART_MODE: 'l' };
const APT_TIMEOUT_MS = 1_800_000;
/** Another apt (unattended upgrades on a fresh machine) may hold the lock for a while. */
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];

export type Say = (line: string) => void;

/** Adds backports when planned and installs what is missing. */
export async function installPackages(plan: Plan, say: Say): Promise<void> {
  if (plan.packages.length === 0) return;
  if (plan.backports !== null) writeFileAtomic(plan.backports.file, deb822(plan.backports), 0o644);
  const update = await run(['apt-get', ...APT_OPTIONS, 'update'], {
    env: APT_ENV,
    timeoutMs: APT_TIMEOUT_MS,
    onLine: say,
  });
  if (update.code !== 0) say('apt-get update reported problems; going on with what it knows');
  const install: [string, ...string[]] = ['apt-get', ...APT_OPTIONS, 'install', '--yes', '--no-install-recommends'];
  const options = { env: APT_ENV, timeoutMs: APT_TIMEOUT_MS, onLine: say };
  if (plan.engineRelease !== null && plan.packages.includes('incus')) {
    // Its dependencies must come from the same release: apt does not look there by itself.
    await must([...install, '--target-release', plan.engineRelease, 'incus'], options);
  }
  await must([...install, ...plan.packages], options);
  const still = await installedPackages(plan.packages);
  const missing = plan.packages.filter((name) => !still.has(name));
  if (missing.length > 0) throw new Error(`apt did not install: ${missing.join(' ')}`);
}

export type CaddyProgram = { path: string; version: string; warning: string | null };

/**
 * A Caddy of Berth's own in `binDir`, fetched with apt's signature checks from the archive in the plan through a private
 * apt root (the machine's own package lists and pins stay as they are). Falls back to the distribution's when that
 * archive cannot be used. The package is unpacked, not installed: no caddy.service takes the ports.
 */
export async function fetchCaddy(plan: NonNullable<Plan['caddy']>, binDir: string, say: Say): Promise<CaddyProgram> {
  const work = join(binDir, 'fetch');
  const target = join(binDir, 'caddy');
  rmSync(work, { recursive: true, force: true });
  for (const part of ['state/lists/partial', 'cache/archives/partial', 'parts', 'out', 'root']) {
    mkdirSync(join(work, part), { recursive: true });
  }
  try {
    if (plan.source !== null) writeFileSync(join(work, 'caddy.sources'), deb822(plan.source));
    const options = [
      ...APT_OPTIONS,
      ...set('Dir::State', join(work, 'state')),
      ...set('Dir::State::status', '/var/lib/dpkg/status'),
      ...set('Dir::Cache', join(work, 'cache')),
      ...set('Dir::Etc::sourcelist', join(work, 'caddy.sources')),
      ...set('Dir::Etc::sourceparts', join(work, 'parts')),
      ...set('Dir::Etc::preferences', '/dev/null'),
      ...set('Dir::Etc::preferencesparts', join(work, 'parts')),
      ...set('APT::Sandbox::User', 'root'),
    ];
    let warning: string | null = null;
    const own = { env: APT_ENV, cwd: join(work, 'out'), timeoutMs: APT_TIMEOUT_MS, onLine: say };
    const fetched =
      plan.source !== null &&
      (await run(['apt-get', ...options, 'update'], own)).code === 0 &&
      (await run(['apt-get', ...options, 'download', 'caddy'], own)).code === 0;
    if (!fetched || (await unpackCaddy(work, target)) === null) {
      const where = plan.source === null ? 'no known Debian archive' : `${plan.source.uri} ${plan.source.suites[0]}`;
      warning = `Caddy ${plan.wanted} could not be fetched from ${where}: using the distribution's`;
      const got = await run(['apt-get', ...APT_OPTIONS, 'download', 'caddy'], own);
      if (got.code !== 0)
        throw new Error(`Caddy cannot be fetched:\n${got.stderr.trim().split('\n').slice(-6).join('\n')}`);
      await unpackCaddy(work, target);
    }
    const version = await caddyVersion(target);
    if (version === null) throw new Error('the Caddy that was fetched does not run on this machine');
    if (compareVersions(version, CADDY_FLOOR) < 0)
      throw new Error(`Caddy ${version} is too old: ${CADDY_FLOOR} is the least`);
    return { path: target, version, warning };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Where Berth's own docker-registry is. */
export const registryProgram = (binDir: string): string => join(binDir, 'docker-registry');

/**
 * The distribution's docker-registry in `binDir`, with apt's signature checks. Unpacked, not installed: the package would
 * start a registry of its own, open to everybody. Null when apt has none: then there is no image cache.
 */
export async function fetchRegistry(binDir: string, say: Say): Promise<string | null> {
  const work = join(binDir, 'fetch-registry');
  const target = registryProgram(binDir);
  rmSync(work, { recursive: true, force: true });
  for (const part of ['out', 'root']) mkdirSync(join(work, part), { recursive: true });
  try {
    const own = { env: APT_ENV, cwd: join(work, 'out'), timeoutMs: APT_TIMEOUT_MS, onLine: say };
    const options = [...APT_OPTIONS, ...set('APT::Sandbox::User', 'root')];
    if ((await run(['apt-get', ...options, 'download', 'docker-registry'], own)).code !== 0) return null;
    const file = readdirSync(join(work, 'out')).find((name) => name.endsWith('.deb'));
    if (file === undefined) return null;
    await must(['dpkg-deb', '-x', join(work, 'out', file), join(work, 'root')]);
    copyFileSync(join(work, 'root/usr/bin/docker-registry'), `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    if ((await run([`${target}.new`, '--version'], { timeoutMs: 10_000 })).code !== 0) return null;
    renameSync(`${target}.new`, target);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(`${target}.new`, { force: true });
  }
}

function set(name: string, value: string): string[] {
  return ['-o', `${name}=${value}`];
}

/** Unpacks the downloaded package and puts the program in place; its version, or null when there is none. */
async function unpackCaddy(work: string, target: string): Promise<string | null> {
  const file = readdirSync(join(work, 'out')).find((name) => name.endsWith('.deb'));
  if (file === undefined) return null;
  rmSync(join(work, 'root'), { recursive: true, force: true });
  await must(['dpkg-deb', '-x', join(work, 'out', file), join(work, 'root')]);
  const program = join(work, 'root/usr/bin/caddy');
  if (!existsSync(program) || (await caddyVersion(program)) === null) return null;
  copyFileSync(program, `${target}.new`);
  chmodSync(`${target}.new`, 0o755);
  renameSync(`${target}.new`, target);
  rmSync(join(work, 'out', file));
  return caddyVersion(target);
}

/** Where a Caddy may be: Berth's own first, then the machine's. */
export function caddyCandidates(binDir: string): string[] {
  const system = findProgram('caddy');
  return [join(binDir, 'caddy'), ...(system === null ? [] : [system])];
}
