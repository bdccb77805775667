/**
 * Records that Berth keeps at DNS providers: which ones a domain needs, where they lie, and how they are marked as
 * Berth's own. What carries no mark of this installation is never touched.
 */
import { challengeName, challengeValue } from './domains.ts';

export const dnsProviderKinds = ['rfc2136', 'cloudflare'] as const;
export type DnsProviderKind = (typeof dnsProviderKinds)[number];
export const tsigAlgorithms = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
export type TsigAlgorithm = (typeof tsigAlgorithms)[number];
export const dnsTypes = ['A', 'AAAA', 'CNAME', 'TXT'] as const;
export type DnsType = (typeof dnsTypes)[number];

/**
 * `pending`: to be written or removed; `present`: seen at the provider as wanted; `drifted`: somebody changed or removed
 * it; `taken`: somebody else's record is at this name; `failed`: the provider did not do it, and is asked again.
 */
export const dnsRecordStates = ['pending', 'present', 'drifted', 'taken', 'failed'] as const;
export type DnsRecordState = (typeof dnsRecordStates)[number];

/** Of the installation, and of each organization. */
export const DNS_PROVIDERS_MAX = 20;
export const DNS_ZONES_MAX = 100;
/** Where servers for dynamic updates listen. */
export const DNS_PORT = 53;
export const DNS_TTL_SECONDS = 60;
/** How often a record that is as it should be is looked at again. */
export const DNS_LOOK_MINUTES = 10;
/** Pauses between attempts when a provider fails: doubled from the first up to the last. */
const RETRY_FIRST_SECONDS = 5;
const RETRY_LAST_SECONDS = 600;

/** Settings that are no secret. */
export type DnsProviderSettings =
  | { kind: 'rfc2136'; host: string; port: number; keyName: string; algorithm: TsigAlgorithm }
  | { kind: 'cloudflare' };

export type DnsPlace = { zone: string; name: string; type: DnsType };
export type WantedRecord = DnsPlace & { values: string[] };

/** What says that a record is this installation's. */
export function ownerMark(installation: string): string {
  return `heritage=berth,owner=${installation}`;
}

/** Where the mark of a record lies when it cannot be kept with the record itself. */
export function markName({ name, type }: Pick<DnsPlace, 'name' | 'type'>): string {
  return `_berth-${type.toLowerCase()}.${name}`;
}

/** The zone of `zones` that `name` lies in: the longest that fits; undefined: none. */
export function zoneOf(name: string, zones: Iterable<string>): string | undefined {
  let best: string | undefined;
  for (const zone of zones) {
    if (name !== zone && !name.endsWith(`.${zone}`)) continue;
    if (best === undefined || zone.length > best.length) best = zone;
  }
  return best;
}

/** What names of tenants should lead to; null: nowhere that others could reach. */
export type DnsTarget = { name: string; addresses: readonly string[] } | null;

/**
 * The records of a domain: the proof of ownership, and one for each host name that has a route. At the top of a zone no
 * alias is possible, so addresses stand there.
 */
export function wantedRecords(
  domain: { name: string; token: string },
  hostnames: Iterable<string>,
  zone: string,
  target: DnsTarget,
): WantedRecord[] {
  const records: WantedRecord[] = [
    { zone, name: challengeName(domain.name), type: 'TXT', values: [challengeValue(domain.token)] },
  ];
  for (const name of new Set(hostnames)) {
    if (target === null || name === target.name) continue;
    if (name !== zone) {
      records.push({ zone, name, type: 'CNAME', values: [target.name] });
      continue;
    }
    const six = target.addresses.filter((address) => address.includes(':'));
    const four = target.addresses.filter((address) => !address.includes(':'));
    if (four.length > 0) records.push({ zone, name, type: 'A', values: [...four].sort() });
    if (six.length > 0) records.push({ zone, name, type: 'AAAA', values: [...six].sort() });
  }
  return records;
}

export function placeKey({ zone, name, type }: DnsPlace): string {
  return `${zone} ${name} ${type}`;
}

/** One way of writing for each value, so that two can be compared. */
export function canonicalValue(type: DnsType, value: string): string {
  if (type === 'TXT') return value;
  const plain = value.toLowerCase().replace(/\.$/, '');
  return type === 'AAAA' ? (URL.parse(`http://[${plain}]/`)?.hostname ?? plain) : plain;
}

export function sameValues(type: DnsType, one: readonly string[], other: readonly string[]): boolean {
  const written = (values: readonly string[]) =>
    [...new Set(values.map((value) => canonicalValue(type, value)))].sort();
  return JSON.stringify(written(one)) === JSON.stringify(written(other));
}

/** How long to wait (ms) after the `attempts`-th failure in a row. */
export function dnsRetryMs(attempts: number): number {
  return Math.min(RETRY_LAST_SECONDS, RETRY_FIRST_SECONDS * 2 ** Math.max(0, attempts - 1)) * 1000;
}

const ZONE = /^(?:[a-z0-9_](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Why `zone` cannot be one, for people; null when it can. */
export function zoneProblem(zone: string): string | null {
  if (zone.length > 253 || !ZONE.test(zone)) return 'A zone such as example.com, in lower case.';
  return null;
}

/** How an administrator's list of allowed addresses names a name server: 'dns://ns.corp.example:53'. Null: it is none. */
export function nameServerOrigin(text: string): string | null {
  const match = /^dns:\/\/(?:\[([0-9a-f:]+)\]|([a-z0-9][a-z0-9.-]*)):([0-9]{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) return null;
  return originOfNameServer(match[1] ?? match[2] ?? '', port);
}

export function originOfNameServer(host: string, port: number): string {
  const plain = host.toLowerCase();
  return `dns://${plain.includes(':') ? `[${plain}]` : plain}:${port}`;
}
