/** What kind of machine this is: facts only, gathered once, so that planning is a pure function of them. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './run.ts';

export type AptSource = { uri: string; suites: string[]; components: string[]; signedBy: string | null };

export type MachineFacts = {
  os: { id: string; versionId: string; codename: string; name: string };
  arch: string;
  root: boolean;
  apt: boolean;
  /** systemd is pid 1. */
  systemd: boolean;
  /** Wanted packages that are installed. */
  installed: ReadonlySet<string>;
  /** Version of the incus package that apt would install today; null when it knows none. */
  incusCandidate: string | null;
  aptSources: AptSource[];
  /** Highest Caddy found: on PATH or fetched before; null when there is none. */
  caddy: { path: string; version: string } | null;
  /** docker-registry, fetched before or the machine's own. */
  registry: string | null;
};

/** First program of this name on PATH (with the folders of root appended, which a plain user may lack); null when none. */
export function findProgram(name: string): string | null {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    '/usr/bin',
    '/bin',
  ];
  for (const folder of folders) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Look further.
    }
  }
  return null;
}

/** Parses /etc/os-release. */
export function parseOsRelease(text: string): MachineFacts['os'] {
  const value = (key: string) =>
    new RegExp(`^${key}=(?:"([^"]*)"|(\\S*))`, 'm')
      .exec(text)
      ?.slice(1)
      .find((part) => part !== undefined) ?? '';
  return {
    id: value('ID'),
    versionId: value('VERSION_ID'),
    codename: value('VERSION_CODENAME') || value('UBUNTU_CODENAME'),
    name: value('PRETTY_NAME') || value('NAME') || 'unknown',
  };
}

export function readOs(file = '/etc/os-release'): MachineFacts['os'] {
  return parseOsRelease(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

/** Parses one deb822 .sources file (several stanzas). Disabled stanzas and source packages are left out. */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
      if (match !== null) {
        last = (match[1] ?? '').toLowerCase();
        fields.set(last, match[2] ?? '');
      } else if (/^\s/.test(line) && last !== '') fields.set(last, `${fields.get(last) ?? ''}\n${line.trim()}`);
    }
    const words = (key: string) => (fields.get(key) ?? '').split(/\s+/).filter((word) => word !== '');
    if (!words('types').includes('deb') || /^(no|false)$/i.test(fields.get('enabled') ?? 'yes')) continue;
    const signedBy = fields.get('signed-by')?.trim() ?? '';
    for (const uri of words('uris')) {
      sources.push({
        uri: uri.replace(/\/$/, ''),
        suites: words('suites'),
        components: words('components'),
        signedBy: signedBy.startsWith('/') ? signedBy : null,
      });
    }
  }
  return sources;
}

/** Parses a one-line-style sources.list. */
export function parseSourcesList(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    sources.push({
      uri: (match[2] ?? '').replace(/\/$/, ''),
      suites: [match[3] ?? ''],
      components: (match[4] ?? '').split(/\s+/).filter((word) => word !== ''),
      signedBy: /signed-by=(\/\S+)/.exec(match[1] ?? '')?.[1] ?? null,
    });
  }
  return sources;
}

export function readAptSources(root = '/etc/apt'): AptSource[] {
  const sources: AptSource[] = [];
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  sources.push(...parseSourcesList(read(join(root, 'sources.list'))));
  const parts = join(root, 'sources.list.d');
  for (const name of existsSync(parts) ? readdirSync(parts).sort() : []) {
    if (name.endsWith('.sources')) sources.push(...parseDeb822(read(join(parts, name))));
    if (name.endsWith('.list')) sources.push(...parseSourcesList(read(join(parts, name))));
  }
  return sources;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own format
const DPKG_FORMAT = '${Package} ${db:Status-Status}\\n';

/** Which of `packages` are installed, by dpkg. */
export async function installedPackages(packages: readonly string[]): Promise<Set<string>> {
  const argv: [string, ...string[]] = ['dpkg-query', '-W', '-f', DPKG_FORMAT, ...packages];
  const { stdout } = await run(argv, { timeoutMs: 30_000 });
  const lines = stdout.split('\n').filter((line) => line.endsWith(' installed'));
  return new Set(lines.map((line) => line.split(' ')[0] ?? ''));
}

export async function gatherFacts(
  packages: readonly string[],
  caddyPaths: readonly string[],
  registryPaths: readonly string[] = [],
): Promise<MachineFacts> {
  const apt = findProgram('apt-get') !== null && findProgram('dpkg-query') !== null;
  const installed = apt && packages.length > 0 ? await installedPackages(packages) : new Set<string>();
  return {
    os: readOs(),
    arch: process.arch,
    root: process.getuid?.() === 0,
    apt,
    systemd: existsSync('/run/systemd/system'),
    installed,
    // Asking apt takes a second or more: only where the answer matters.
    incusCandidate: apt && packages.includes('incus') && !installed.has('incus') ? await aptCandidate('incus') : null,
    aptSources: apt ? readAptSources() : [],
    caddy: await findCaddy(caddyPaths),
    registry: registryPaths.find((path) => existsSync(path)) ?? findProgram('docker-registry'),
  };
}

/** What apt would install for a package name; null when it knows none. */
export async function aptCandidate(name: string): Promise<string | null> {
  const { stdout } = await run(['apt-cache', 'policy', name], {
    env: { ...process.env, LC_ALL: 'C' },
    timeoutMs: 60_000,
  });
  const candidate = /^\s*Candidate:\s*(\S+)/m.exec(stdout)?.[1];
  return candidate === undefined || candidate === '(none)' ? null : candidate;
}

async function findCaddy(paths: readonly string[]): Promise<MachineFacts['caddy']> {
  let best: MachineFacts['caddy'] = null;
  for (const path of paths) {
    const version = await caddyVersion(path);
    if (version !== null && (best === null || compareVersions(version, best.version) > 0)) best = { path, version };
  }
  return best;
}

/** '2.11.2' of a Caddy program; null when it does not run. */
export async function caddyVersion(path: string): Promise<string | null> {
  if (!existsSync(path)) return null;
  const { code, stdout } = await run([path, 'version'], { timeoutMs: 10_000 });
  return code === 0 ? (/(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null) : null;
}

/** Compares dotted numbers: negative, zero or positive. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
