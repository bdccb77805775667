import { describe, expect, it } from 'vitest';
import { inDenied4, inDenied6, outsideDeniedRanges, usedRanges4 } from './host-facts.ts';
import { hostTable } from './host-table.ts';

describe('host facts', () => {
  it('know which addresses the fixed ranges cover', () => {
    expect(inDenied4('10.1.2.3')).toBe(true);
    expect(inDenied4('172.31.255.255')).toBe(true);
    expect(inDenied4('172.32.0.1')).toBe(false);
    expect(inDenied4('8.8.8.8')).toBe(false);
    expect(inDenied6('fd00::2')).toBe(true);
    expect(inDenied6('febf::1')).toBe(true);
    expect(inDenied6('fec0::1')).toBe(false);
    expect(inDenied6('2600::5')).toBe(false);
    expect(inDenied6('not an address')).toBe(true);
    expect(outsideDeniedRanges(['10.0.0.1', '8.8.8.8', 'fd00::1', '2600::1'])).toEqual(['8.8.8.8', '2600::1']);
  });

  it('read routes, leaving out our own bridges and the default route', () => {
    const routes =
      'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n' +
      'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n' +
      'wg7\t0000C80A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n' +
      'bth01234567\t0003400A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n';
    const ranges = usedRanges4((name) => name.startsWith('bth'), routes);
    expect(ranges).toContain('10.200.0.0/16');
    expect(ranges).not.toContain('10.64.3.0/24');
    expect(ranges.some((range) => range.endsWith('/0'))).toBe(false);
  });
});

describe("the host's own table", () => {
  it('A4: names every denied range, uses sets and no rule per tenant', () => {
    const { text, mark } = hostTable();
    expect(text).toContain('169.254.0.0/16');
    expect(text).toContain('::ffff:0:0/96');
    expect(text).toContain(mark);
    expect(text.match(/^\s+chain /gm)).toHaveLength(2);
    expect(hostTable().mark).toBe(mark);
  });
});
