import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  address4,
  deniedRanges4,
  formatCidr4,
  gateway4,
  HOST_NUMBER_MAX,
  HOST_NUMBER_MIN,
  nextSubnet4,
  overlaps4,
  parseCidr4,
} from './addresses.ts';

const pool = parseCidr4('10.64.0.0/10');
const anySubnet = fc
  .record({ prefix: fc.integer({ min: 8, max: 30 }), seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }) })
  .map(({ prefix, seed }) => ({ base: Math.floor(seed / 2 ** (32 - prefix)) * 2 ** (32 - prefix), prefix }));

describe('address maths', () => {
  it('formats what it parsed', () => {
    fc.assert(
      fc.property(anySubnet, (subnet) => {
        expect(parseCidr4(formatCidr4(subnet))).toEqual(subnet);
      }),
    );
  });
  it.each(['10.0.0.0', '10.0.0.0/33', '256.0.0.0/8', '10.0.0.1/24', 'fd00::/8', '10.0.0.0/8 ', '1.2.3/8'])(
    'refuses %j',
    (text) => {
      expect(() => parseCidr4(text)).toThrow(RangeError);
    },
  );
  it('overlap is symmetric and reflexive', () => {
    fc.assert(
      fc.property(anySubnet, anySubnet, (a, b) => {
        expect(overlaps4(a, b)).toBe(overlaps4(b, a));
        expect(overlaps4(a, a)).toBe(true);
      }),
    );
  });
  it('a new project network overlaps nothing that is taken, on the host or by Berth', () => {
    fc.assert(
      fc.property(fc.array(anySubnet, { maxLength: 20 }), (taken) => {
        const next = nextSubnet4(pool, taken);
        if (next === null) return;
        expect(overlaps4(next, pool)).toBe(true);
        for (const other of taken) expect(overlaps4(next, other)).toBe(false);
      }),
    );
  });
  it('gives null when the pool is used up', () => {
    expect(nextSubnet4(parseCidr4('10.1.0.0/23'), [parseCidr4('10.1.0.0/24'), parseCidr4('10.1.1.0/24')])).toBeNull();
  });
  it('addresses lie inside the network, never on gateway or broadcast', () => {
    const subnet = parseCidr4('10.64.7.0/24');
    expect(gateway4(subnet)).toBe('10.64.7.1');
    expect(address4(subnet, HOST_NUMBER_MIN)).toBe('10.64.7.10');
    expect(address4(subnet, HOST_NUMBER_MAX)).toBe('10.64.7.250');
  });
  it('V7: the denied ranges are valid and cover the pool of tenants, loopback and metadata', () => {
    const denied = deniedRanges4.map(parseCidr4);
    for (const cidr of [
      '10.64.0.0/10',
      '127.0.0.1/32',
      '169.254.169.254/32',
      '192.168.1.0/24',
      '172.31.0.0/16',
      '100.100.0.0/16',
    ]) {
      expect(denied.some((range) => overlaps4(range, parseCidr4(cidr)))).toBe(true);
    }
    expect(denied.some((range) => overlaps4(range, parseCidr4('8.8.8.8/32')))).toBe(false);
  });
});
