/**
 * Which addresses edge may name as an upstream at all: those in the installation's own pools, minus each network's
 * gateway and broadcast. A row that says anything else (a bug, a tampered database) leads nowhere.
 */
import { isIP } from 'node:net';
import { parseCidr4 } from '#domain/addresses.ts';

export type Pools = { pool4: string; prefix6: string };

const NETWORK_PREFIX = 24;

function numberOf4(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** The eight 16-bit groups of an IPv6 address. */
export function groups6(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const parse = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const left = parse(head);
  if (tail === undefined) return left;
  const right = parse(tail);
  return [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}

/** A test "may this address be dialled?" for the given pools. Errors: RangeError when the pools make no sense. */
export function addressGuard(pools: Pools): (address: string) => boolean {
  const { base, prefix } = parseCidr4(pools.pool4);
  const size = 2 ** (32 - prefix);
  const prefix6 = groups6(pools.prefix6);
  if (prefix6.length !== 3) throw new RangeError(`not a /48: ${pools.prefix6}`);
  return (address) => {
    const family = isIP(address);
    if (family === 4) {
      const value = numberOf4(address);
      if (value < base || value >= base + size) return false;
      const host = value % 2 ** (32 - NETWORK_PREFIX);
      // .0 and .255 are the network's, .1 is the host's own gateway address: never a guest.
      return prefix > NETWORK_PREFIX || (host > 1 && host < 255);
    }
    if (family !== 6 || address.includes('.') || address.includes('%')) return false;
    const groups = groups6(address);
    if (!prefix6.every((group, index) => groups[index] === group)) return false;
    const host = groups.slice(4);
    return !(host[0] === 0 && host[1] === 0 && host[2] === 0 && (host[3] ?? 0) <= 1);
  };
}
