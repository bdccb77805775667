/** A small database in MaxMind's format (2.0), made from networks and their countries. */
import { isIPv6 } from 'node:net';

const RECORD_BYTES = 4;
const BITS = 128;

function field(value: unknown): Buffer {
  const sized = (type: number, size: number): Buffer => {
    if (size >= 29) throw new Error('too long for this writer');
    return type <= 7 ? Buffer.from([(type << 5) | size]) : Buffer.from([size, type - 7]);
  };
  if (typeof value === 'string') return Buffer.concat([sized(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([sized(6, 4), bytes]);
  }
  if (typeof value === 'bigint') {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return Buffer.concat([sized(9, 8), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([sized(11, value.length), ...value.map(field)]);
  const entries = Object.entries(value as object);
  return Buffer.concat([sized(7, entries.length), ...entries.flatMap(([key, each]) => [field(key), field(each)])]);
}

/** 128 bits; IPv4 lies in ::/96. */
function bitsOf(address: string): number[] {
  if (!isIPv6(address)) {
    const four = address.split('.').flatMap((part) => [...Number(part).toString(2).padStart(8, '0')].map(Number));
    return [...Array<number>(96).fill(0), ...four];
  }
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const middle = 8 - groups(left).length - groups(right).length;
  const all = [...groups(left), ...Array<string>(address.includes('::') ? middle : 0).fill('0'), ...groups(right)];
  return all.flatMap((group) => [...Number.parseInt(group, 16).toString(2).padStart(16, '0')].map(Number));
}

type Node = [Node | number | null, Node | number | null];

/** `networks`: '192.0.2.0/24' -> 'DE'. `type` is what the database says that it is. */
export function makeMmdb(networks: Record<string, string>, type = 'GeoLite2-Country'): Buffer {
  const values: Buffer[] = [];
  const offsets = new Map<string, number>();
  const offsetOf = (country: string): number => {
    const known = offsets.get(country);
    if (known !== undefined) return known;
    const offset = Buffer.concat(values).length;
    values.push(field({ country: { iso_code: country } }));
    offsets.set(country, offset);
    return offset;
  };
  const root: Node = [null, null];
  for (const [network, country] of Object.entries(networks)) {
    const [address = '', prefix = ''] = network.split('/');
    const bits = bitsOf(address).slice(0, isIPv6(address) ? Number(prefix) : BITS - 32 + Number(prefix));
    let at = root;
    for (const bit of bits.slice(0, -1)) {
      if (!Array.isArray(at[bit as 0 | 1])) at[bit as 0 | 1] = [null, null];
      at = at[bit as 0 | 1] as Node;
    }
    at[(bits.at(-1) ?? 0) as 0 | 1] = offsetOf(country);
  }
  const nodes: Node[] = [];
  const number = new Map<Node, number>();
  const walk = (node: Node): void => {
    number.set(node, nodes.push(node) - 1);
    for (const next of node) if (Array.isArray(next)) walk(next);
  };
  walk(root);
  const tree = Buffer.alloc(nodes.length * RECORD_BYTES * 2);
  for (const [at, node] of nodes.entries()) {
    for (const [side, next] of node.entries()) {
      const record =
        next === null ? nodes.length : Array.isArray(next) ? (number.get(next) ?? 0) : nodes.length + 16 + next;
      tree.writeUInt32BE(record, (at * 2 + side) * RECORD_BYTES);
    }
  }
  const metadata = field({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: BigInt(Math.floor(Date.now() / 1000)),
    database_type: type,
    description: { en: 'test' },
    ip_version: 6,
    languages: ['en'],
    node_count: nodes.length,
    record_size: RECORD_BYTES * 8,
  });
  return Buffer.concat([tree, Buffer.alloc(16), ...values, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), metadata]);
}
