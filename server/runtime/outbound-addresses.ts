/**
 * Which addresses a URL of a user may lead to. IPv6 is judged by what is allowed (global unicast without its special
 * parts), so forms that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo) never pass; IPv4 by what is denied.
 */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { deniedRanges4 } from '#domain/addresses.ts';

/** `private`: only where an administrator allows the origin; `never`: not even then. */
export type AddressClass = 'public' | 'private' | 'never';

/** Link-local holds the metadata services of clouds; nobody is called by broadcast, multicast or a reserved range. */
const never4 = ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4', '100.100.100.200/32', '192.0.0.192/32'];
/** Relays of 6to4, beside what tenants may not reach either. */
const private4 = [...deniedRanges4, '192.88.99.0/24'];
const global6 = '2000::/3';
/** Inside 2000::/3: protocol assignments with Teredo and ORCHID, documentation, 6to4. */
const special6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
/** What an administrator may allow beyond: loopback and unique local; without the metadata services that live there. */
const private6 = ['::1/128', 'fc00::/7'];
const never6 = ['fd00:ec2::254/128', 'fd20:ce::254/128'];

function ranges(list: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const blocks = new BlockList();
  for (const range of list) {
    const [network = '', prefix = ''] = range.split('/');
    blocks.addSubnet(network, Number(prefix), family);
  }
  return blocks;
}

const blocks = {
  never4: ranges(never4, 'ipv4'),
  private4: ranges(private4, 'ipv4'),
  global6: ranges([global6], 'ipv6'),
  special6: ranges(special6, 'ipv6'),
  private6: ranges(private6, 'ipv6'),
  never6: ranges(never6, 'ipv6'),
};

/** Addresses of this machine's interfaces. */
export function addressesOfThisMachine(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address));
}

/** `own` are addresses of this machine, which count as private wherever they lie. */
export function classifyAddress(address: string, own: readonly string[]): AddressClass {
  const family = isIP(address);
  if (family === 4) {
    if (blocks.never4.check(address, 'ipv4')) return 'never';
    return blocks.private4.check(address, 'ipv4') || own.includes(address) ? 'private' : 'public';
  }
  // A zone ('%eth0') names a link of this machine.
  if (family !== 6 || address.includes('%')) return 'never';
  if (blocks.never6.check(address, 'ipv6')) return 'never';
  const isOwn = own.some((other) => isIP(other) === 6 && sameAddress6(address, other));
  if (blocks.private6.check(address, 'ipv6')) return 'private';
  if (!blocks.global6.check(address, 'ipv6') || blocks.special6.check(address, 'ipv6')) return 'never';
  return isOwn ? 'private' : 'public';
}

function sameAddress6(one: string, other: string): boolean {
  const written = (address: string) => new URL(`http://[${address.split('%')[0]}]/`).hostname;
  return written(one) === written(other);
}
