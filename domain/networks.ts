/** IP networks as people write them ('10.0.0.0/8', '2001:db8::/32', '192.0.2.7'), and whether an address lies in one. */
export type Network = { family: 4 | 6; first: bigint; last: bigint };

const BITS = { 4: 32, 6: 128 } as const;

function parse4(text: string): bigint | null {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return null;
  let value = 0n;
  for (const octet of text.split('.')) {
    // '010' is octal to some and decimal to others: nobody's guess decides who may enter.
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return null;
    value = value * 256n + BigInt(octet);
  }
  return value;
}

function parse6(text: string): bigint | null {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return null;
  let rest = text;
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (embedded !== null) {
    const four = parse4(embedded[2] ?? '');
    if (four === null) return null;
    rest = `${embedded[1]}${(four >> 16n).toString(16)}:${(four & 0xffffn).toString(16)}`;
  }
  const halves = rest.split('::');
  if (halves.length > 2) return null;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const left = groups(halves[0] ?? '');
  const right = groups(halves[1] ?? '');
  const missing = 8 - left.length - right.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...left, ...new Array<string>(halves.length === 1 ? 0 : missing).fill('0'), ...right];
  let value = 0n;
  for (const group of all) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
    value = value * 65536n + BigInt(Number.parseInt(group, 16));
  }
  return value;
}

/** Family and number of an address; an IPv4 address inside IPv6 (`::ffff:192.0.2.7`) counts as IPv4. Null: none. */
export function parseAddress(text: string): { family: 4 | 6; value: bigint } | null {
  const four = parse4(text);
  if (four !== null) return { family: 4, value: four };
  const six = parse6(text);
  if (six === null) return null;
  return six >> 32n === 0xffffn ? { family: 4, value: six & 0xffffffffn } : { family: 6, value: six };
}

/** Null when it is none, or when bits behind the prefix are set (somebody meant another network). */
export function parseNetwork(text: string): Network | null {
  const [address = '', prefix, more] = text.split('/');
  if (more !== undefined) return null;
  const found = parseAddress(address);
  if (found === null || (found.family === 4 && address.includes(':'))) return null;
  const bits = BITS[found.family];
  if (prefix !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefix)) return null;
  const length = prefix === undefined ? bits : Number(prefix);
  if (length > bits) return null;
  const size = 1n << BigInt(bits - length);
  if (found.value % size !== 0n) return null;
  return { family: found.family, first: found.value, last: found.value + size - 1n };
}

/** Why this is no network, in words for whoever typed it; null when it is one. */
export function networkProblem(text: string): string | null {
  return parseNetwork(text) === null ? 'A network such as 192.0.2.0/24 or 2001:db8::/32, or one address.' : null;
}

/** False for what is no address. */
export function inNetworks(address: string, networks: readonly Network[]): boolean {
  const found = parseAddress(address);
  if (found === null) return false;
  return networks.some(
    ({ family, first, last }) => family === found.family && found.value >= first && found.value <= last,
  );
}
