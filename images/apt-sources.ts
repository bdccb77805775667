import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the packages of an image come from. `security` may be another host than `archive`. */
export type Mirror = { archive: string; security: string | null };

export type AptEntry = { types: string[]; uris: string[]; suites: string[]; components: string[] };

const debianSuites = /^(buster|bullseye|bookworm|trixie|forky|sid|stable|oldstable|testing|unstable)$/;
const securitySuites = /^(bullseye|bookworm|trixie|forky|stable|oldstable|testing)-security$/;

/** Entries of a one-line-style `sources.list`. Comments and malformed lines are skipped. */
export function parseSourcesList(text: string): AptEntry[] {
  const entries: AptEntry[] = [];
  for (const line of text.split('\n')) {
    const words = line
      .replace(/#.*/, '')
      .replace(/\[[^\]]*\]/, ' ')
      .trim()
      .split(/\s+/);
    const [type, uri, suite, ...components] = words;
    if (!type || !uri || !suite || !/^deb(-src)?$/.test(type)) continue;
    entries.push({ types: [type], uris: [uri], suites: [suite], components });
  }
  return entries;
}

/** Entries of a deb822 `.sources` file. Disabled stanzas are skipped. */
export function parseDeb822(text: string): AptEntry[] {
  const entries: AptEntry[] = [];
  const uncommented = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
  for (const stanza of uncommented.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      const field = /^([A-Za-z-]+):(.*)$/.exec(line);
      if (field?.[1] !== undefined) {
        last = field[1].toLowerCase();
        fields.set(last, (field[2] ?? '').trim());
      } else if (/^\s/.test(line) && last) {
        fields.set(last, `${fields.get(last)} ${line.trim()}`);
      }
    }
    if (/^(no|false|0)$/i.test(fields.get('enabled') ?? '')) continue;
    const list = (name: string) => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    const entry = { types: list('types'), uris: list('uris'), suites: list('suites'), components: list('components') };
    if (entry.uris.length > 0 && entry.suites.length > 0) entries.push(entry);
  }
  return entries;
}

/**
 * The Debian mirror that this machine's own apt uses, or null when it uses none (Ubuntu): mmdebstrap then takes Debian's
 * default. Backports, third-party and local (`file:`, `cdrom:`) archives are not considered.
 */
export function chooseMirror(entries: readonly AptEntry[]): Mirror | null {
  const find = (suite: RegExp): string | null => {
    for (const entry of entries) {
      if (!entry.types.includes('deb') || !entry.components.includes('main')) continue;
      if (!entry.suites.some((name) => suite.test(name))) continue;
      const uri = entry.uris.find((candidate) => /^https?:\/\/[^\s'"\\]+$/.test(candidate));
      if (uri) return uri.replace(/\/+$/, '');
    }
    return null;
  };
  const archive = find(debianSuites);
  return archive ? { archive, security: find(securitySuites) } : null;
}

/** Reads the apt sources below `etcApt` (`/etc/apt`) and returns the Debian mirror in use there, if any. */
export function machineMirror(etcApt = '/etc/apt'): Mirror | null {
  const entries: AptEntry[] = [];
  const list = join(etcApt, 'sources.list');
  if (existsSync(list)) entries.push(...parseSourcesList(readFileSync(list, 'utf8')));
  const parts = join(etcApt, 'sources.list.d');
  for (const name of existsSync(parts) ? readdirSync(parts).sort() : []) {
    const text = () => readFileSync(join(parts, name), 'utf8');
    if (name.endsWith('.list')) entries.push(...parseSourcesList(text()));
    if (name.endsWith('.sources')) entries.push(...parseDeb822(text()));
  }
  return chooseMirror(entries);
}

/** The lines mmdebstrap takes as mirrors. Empty: it uses Debian's own default archive, updates and security included. */
export function mirrorLines(mirror: Mirror | null, release: string, keyring: string | null): string[] {
  if (!mirror) return [];
  const signed = keyring ? `[signed-by=${keyring}] ` : '';
  const lines = [
    `deb ${signed}${mirror.archive} ${release} main`,
    `deb ${signed}${mirror.archive} ${release}-updates main`,
  ];
  if (mirror.security) lines.push(`deb ${signed}${mirror.security} ${release}-security main`);
  return lines;
}

/** The `debian.sources` file of the image: the same archives, trusted by the keyring inside the image. */
export function imageSources(mirror: Mirror, release: string): string {
  const stanza = (uri: string, suites: string) =>
    [
      'Types: deb',
      `URIs: ${uri}`,
      `Suites: ${suites}`,
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp',
      '',
    ].join('\n');
  const parts = [stanza(mirror.archive, `${release} ${release}-updates`)];
  if (mirror.security) parts.push(stanza(mirror.security, `${release}-security`));
  return parts.join('\n');
}

/** apt settings of the building machine that decide whether its mirror can be reached and trusted at all. */
const inherited = /^Acquire::(Check-Valid-Until|Check-Date|Retries|(http|https)::(Proxy|Timeout|CAInfo)(::[\w.-]+)?) "/;

/** Picks those settings from the output of `apt-config dump`. */
export function inheritedAptOptions(dump: string): string[] {
  return dump
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => inherited.test(line) && !line.endsWith(' "";'));
}
