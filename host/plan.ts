/** What `up` will change on the machine before Berth runs, as data: shown to people first, then applied. Pure. */
import { type AptSource, compareVersions, type MachineFacts } from './machine.ts';

/** The engine with what it needs, storage, firewall, image building. */
export const HOST_PACKAGES = [
  'incus',
  'dnsmasq-base',
  'attr',
  'uidmap',
  'rsync',
  'squashfs-tools',
  'xz-utils',
  'btrfs-progs',
  'lxcfs',
  'nftables',
  'mmdebstrap',
  'iproute2',
  'util-linux',
  'mount',
  'ca-certificates',
  'openssh-client',
  'restic',
  'knot-resolver',
] as const;
/** Ubuntu does not trust Debian's archive; images are Debian. */
const UBUNTU_PACKAGES = ['debian-archive-keyring'] as const;
/** What the tests need on top. */
export const TEST_PACKAGES = [
  'chromium',
  'openssl',
  'libnss3-tools',
  'tigervnc-standalone-server',
  'x11-xserver-utils',
  'xdotool',
  'ssh-audit',
  'bind9',
  'pebble',
  'docker-registry',
] as const;

/** Older ones let a client forge headers that forward-auth copies, or crash on what the configuration uses. */
export const CADDY_WANTED = '2.11.2';
/** Works, with a warning. */
export const CADDY_FLOOR = '2.6.2';
export const CADDY_SUITE = 'trixie-backports';
const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Debian releases whose own archive lacks incus. */
const NEEDS_BACKPORTS = ['bookworm'];

export type Plan = {
  /** Why nothing can be planned; lines for people. */
  refusals: string[];
  backports: (AptSource & { file: string }) | null;
  /** Release that the engine comes from, with all it needs (`apt-get install -t`); null: the machine's own. */
  engineRelease: string | null;
  packages: string[];
  /** `source` null: no Debian archive is known here, so the distribution's own has to do. */
  caddy: { source: AptSource | null; wanted: string } | null;
  /** docker-registry is fetched, for the image cache; nothing on the machine changes by it. */
  registry: boolean;
};

/** Names a Debian archive (http://mirror.example/debian) on machines whose own apt uses none, such as Ubuntu. */
export const MIRROR_VARIABLE = 'BERTH_DEBIAN_MIRROR';

/** The Debian archive this machine uses already (a mirror, a proxy), else the one an administrator named; else null. */
export function debianArchive(
  facts: Pick<MachineFacts, 'os' | 'aptSources'>,
  named: string | undefined = process.env[MIRROR_VARIABLE],
): { uri: string; signedBy: string } | null {
  const own = facts.aptSources.find(
    (source) =>
      facts.os.id === 'debian' && source.components.includes('main') && source.suites.includes(facts.os.codename),
  );
  const uri = own?.uri ?? named;
  return uri === undefined ? null : { uri, signedBy: own?.signedBy ?? DEBIAN_KEYRING };
}

/** Packages that a machine of this kind needs. */
export function wantedPackages(os: MachineFacts['os'], extra: readonly string[] = []): string[] {
  return [...HOST_PACKAGES, ...(os.id === 'ubuntu' ? UBUNTU_PACKAGES : []), ...extra];
}

export function planMachine(facts: MachineFacts, extra: readonly string[] = []): Plan {
  const wanted = wantedPackages(facts.os, extra);
  const missing = wanted.filter((name) => !facts.installed.has(name));
  const caddyFits = facts.caddy !== null && compareVersions(facts.caddy.version, CADDY_WANTED) >= 0;
  const archive = debianArchive(facts);
  const plan: Plan = {
    refusals: [],
    backports: null,
    engineRelease: null,
    packages: missing,
    caddy: null,
    registry: false,
  };
  plan.registry = facts.registry === null && facts.apt && facts.root;
  if (!caddyFits) {
    const source = archive === null ? null : { ...archive, suites: [CADDY_SUITE], components: ['main'] };
    plan.caddy = { source, wanted: CADDY_WANTED };
  }
  if (!facts.root) plan.refusals.push('Berth sets up networks, storage and users: run it as root (sudo ./berth up).');
  if (!facts.apt && (missing.length > 0 || !caddyFits)) {
    plan.refusals.push(
      `There is no apt-get on ${facts.os.name}, so install these yourself: ${missing.join(' ')}${caddyFits ? '' : ` caddy (>= ${CADDY_WANTED})`}.`,
      'Debian 12, Debian 13 and Ubuntu 24.04 are installed automatically.',
    );
  } else if (!facts.root && missing.length > 0) {
    plan.refusals.push(`As root it would install: ${missing.join(' ')}.`);
  }
  const fromBackports = facts.os.id === 'debian' && NEEDS_BACKPORTS.includes(facts.os.codename);
  if (missing.includes('incus') && fromBackports) plan.engineRelease = `${facts.os.codename}-backports`;
  if (missing.includes('incus') && facts.incusCandidate === null && facts.apt) {
    if (fromBackports && archive === null) {
      plan.refusals.push(
        `apt has no Debian archive of ${facts.os.codename} to take backports from: name one in ${MIRROR_VARIABLE}.`,
      );
    } else if (fromBackports && archive !== null) {
      plan.backports = {
        ...archive,
        suites: [`${facts.os.codename}-backports`],
        components: ['main'],
        file: '/etc/apt/sources.list.d/berth-backports.sources',
      };
    } else if (facts.os.id !== 'debian' && facts.os.id !== 'ubuntu') {
      plan.refusals.push(
        `apt knows no incus on ${facts.os.name}: see https://linuxcontainers.org/incus/docs/main/installing/`,
      );
    }
  }
  return plan;
}

export function isEmpty(plan: Plan): boolean {
  return plan.backports === null && plan.packages.length === 0 && plan.caddy === null;
}

/** A plan as lines for people: "Berth will: ...". */
export function describePlan(plan: Plan, more: readonly string[] = []): string[] {
  const lines: string[] = [];
  if (plan.backports !== null)
    lines.push(`add ${plan.backports.suites[0]} of ${plan.backports.uri} to apt (${plan.backports.file})`);
  if (plan.packages.length > 0) lines.push(`install with apt: ${plan.packages.join(' ')}`);
  if (plan.caddy !== null) {
    const { source, wanted } = plan.caddy;
    lines.push(
      source === null
        ? `fetch the distribution's caddy for itself alone (${wanted} is better: name a Debian archive in ${MIRROR_VARIABLE})`
        : `fetch caddy >= ${wanted} from ${source.uri} (${source.suites[0]}) for itself alone`,
    );
  }
  if (plan.registry)
    lines.push("fetch the distribution's docker-registry for itself alone (image cache, off at first)");
  return [...lines, ...more];
}

/** A deb822 stanza. */
export function deb822(source: AptSource): string {
  const lines = [
    'Types: deb',
    `URIs: ${source.uri}`,
    `Suites: ${source.suites.join(' ')}`,
    `Components: ${source.components.join(' ')}`,
  ];
  if (source.signedBy !== null) lines.push(`Signed-By: ${source.signedBy}`);
  return `${lines.join('\n')}\n`;
}
