import { describe, expect, it } from 'vitest';
import { addressGuard, groups6 } from './pools.ts';

describe('addressGuard', () => {
  const may = addressGuard({ pool4: '10.64.0.0/12', prefix6: 'fd42:1:2' });

  it('I6: lets through what the allocator hands out', () => {
    for (const address of ['10.64.0.10', '10.79.255.250', 'fd42:1:2:0::a', 'fd42:1:2:ffff::fa']) {
      expect([address, may(address)]).toEqual([address, true]);
    }
  });

  it('I6: refuses everything else', () => {
    for (const address of [
      '10.63.255.255',
      '10.80.0.10',
      '10.64.0.0',
      '10.64.0.1',
      '10.64.0.255',
      '127.0.0.1',
      '0.0.0.0',
      '169.254.169.254',
      '192.168.1.10',
      '10.64.0.10:80',
      '010.64.0.10',
      '10.64.10',
      '0x0a40000a',
      'localhost',
      'unix//run/x.sock',
      '',
      '::1',
      '::ffff:10.64.0.10',
      'fd42:1:2::1',
      'fd42:1:3::a',
      'fe80::a%eth0',
      'fd42:1:2::a%eth0',
    ]) {
      expect([address, may(address)]).toEqual([address, false]);
    }
  });

  it('knows pools as small as one address', () => {
    const one = addressGuard({ pool4: '127.0.0.1/32', prefix6: 'fd42:1:2' });
    expect([one('127.0.0.1'), one('127.0.0.2')]).toEqual([true, false]);
  });

  it('expands IPv6', () => {
    expect(groups6('fd42:1:2::a')).toEqual([0xfd42, 1, 2, 0, 0, 0, 0, 10]);
    expect(groups6('::')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(() => addressGuard({ pool4: '10.0.0.0/8', prefix6: 'fd42' })).toThrow(RangeError);
  });
});
