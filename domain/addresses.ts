/**
 * Address maths: one IPv4 /24 and one IPv6 /64 per project network out of the installation's pools, one fixed address
 * of each family per instance. Pure; the store keeps what is taken.
 */
export type Subnet4 = { base: number; prefix: number };

/** Parses '10.64.0.0/10'. Errors: RangeError when it is not an IPv4 CIDR with host bits zero. */
export function parseCidr4(cidr: string): Subnet4 {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (match === null) throw new RangeError(`not an IPv4 range: ${cidr}`);
  const octets = match.slice(1, 5).map(Number);
  const prefix = Number(match[5]);
  if (octets.some((octet) => octet > 255) || prefix > 32) throw new RangeError(`not an IPv4 range: ${cidr}`);
  const base = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  if (base % 2 ** (32 - prefix) !== 0) throw new RangeError(`host bits are set: ${cidr}`);
  return { base, prefix };
}

export function formatIp4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

export function formatCidr4(subnet: Subnet4): string {
  return `${formatIp4(subnet.base)}/${subnet.prefix}`;
}

export function overlaps4(a: Subnet4, b: Subnet4): boolean {
  const endA = a.base + 2 ** (32 - a.prefix);
  const endB = b.base + 2 ** (32 - b.prefix);
  return a.base < endB && b.base < endA;
}

/** `range` without one address or range of it, as ranges 'first-last'; unchanged when they have nothing in common. */
export function without4(range: string, hole: string): string[] {
  const first = parseCidr4(range);
  const taken = parseCidr4(hole.includes('/') ? hole : `${hole}/32`);
  if (!overlaps4(first, taken)) return [range];
  const last = first.base + 2 ** (32 - first.prefix) - 1;
  const span = (from: number, to: number): string[] =>
    from > to ? [] : [from === to ? formatIp4(from) : `${formatIp4(from)}-${formatIp4(to)}`];
  return [...span(first.base, taken.base - 1), ...span(taken.base + 2 ** (32 - taken.prefix), last)];
}

/** The eight groups of an IPv6 address; null when it is none. */
export function expandIp6(address: string): number[] | null {
  const [head = '', tail, more] = address.split('::');
  if (more !== undefined) return null;
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = 8 - left.length - right.length;
  if (tail === undefined ? gap !== 0 : gap < 0) return null;
  const groups = [...left, ...Array.from({ length: gap }, () => '0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return null;
  return groups.map((group) => Number.parseInt(group, 16));
}

/** All addresses of an IPv6 range but those of a /64 inside it, as 'first-last'; unchanged when it is not inside. */
export function without6(range: string, subnet: string): string[] {
  const read = (text: string): { first: bigint; last: bigint } => {
    const [address = '', bits = '128'] = text.split('/');
    const value = (expandIp6(address) ?? []).reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
    const size = 1n << (128n - BigInt(bits));
    const first = value - (value % size);
    return { first, last: first + size - 1n };
  };
  const [whole, hole] = [read(range), read(subnet)];
  if (hole.first < whole.first || hole.last > whole.last) return [range];
  const span = (first: bigint, last: bigint): string[] => (first > last ? [] : [`${format6(first)}-${format6(last)}`]);
  return [...span(whole.first, hole.first - 1n), ...span(hole.last + 1n, whole.last)];
}

function format6(value: bigint): string {
  return Array.from({ length: 8 }, (_, index) => ((value >> BigInt(16 * (7 - index))) & 0xffffn).toString(16)).join(
    ':',
  );
}

export const PROJECT_PREFIX4 = 24;

/** The first free /24 of `pool` that overlaps none of `taken`; null when the pool is used up. */
export function nextSubnet4(pool: Subnet4, taken: readonly Subnet4[]): Subnet4 | null {
  const step = 2 ** (32 - PROJECT_PREFIX4);
  const count = 2 ** (PROJECT_PREFIX4 - pool.prefix);
  for (let index = 0; index < count; index++) {
    const candidate = { base: pool.base + index * step, prefix: PROJECT_PREFIX4 };
    if (!taken.some((other) => overlaps4(candidate, other))) return candidate;
  }
  return null;
}

/** Gateway: the first address of the subnet. */
export function gateway4(subnet: Subnet4): string {
  return formatIp4(subnet.base + 1);
}

/** Host numbers an instance may get in a project network: .10 to .250. */
export const HOST_NUMBER_MIN = 10;
export const HOST_NUMBER_MAX = 250;

export function address4(subnet: Subnet4, hostNumber: number): string {
  return formatIp4(subnet.base + hostNumber);
}

/** `prefix48` like 'fd42:1234:5678'; one /64 per project index (0..65535). */
export function subnet6(prefix48: string, index: number): string {
  return `${prefix48}:${index.toString(16)}::/64`;
}

/** Ranges a tenant may never reach: private, shared, link-local (metadata), loopback, test, multicast, reserved. */
export const deniedRanges4: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
export const deniedRanges6: readonly string[] = [
  '::/127',
  '::ffff:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
];
