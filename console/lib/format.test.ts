import { describe, expect, it } from 'vitest';
import { exactBytes, formatBytes, formatDuration, formatRelative, humanize, percentOf, plural } from './format.ts';

it('writes sizes in binary units', () => {
  expect([0, 1023, 1024, 1536, 10 * 1024, 5.25 * 1024 ** 3, 2 ** 50].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '10 KiB',
    '5.3 GiB',
    '1 PiB',
  ]);
  expect(exactBytes(1536)).toBe('1,536 bytes');
});

it('writes durations', () => {
  expect([-5, 40, 420, 1400, 9949, 12_000, 200_000, 7_500_000, 400_000_000].map(formatDuration)).toEqual([
    '0 s',
    '0.1 s',
    '0.4 s',
    '1.4 s',
    '9.9 s',
    '12 s',
    '3 min 20 s',
    '2 h 5 min',
    '4 d 15 h',
  ]);
});

describe('relative time', () => {
  const now = Date.UTC(2026, 10, 21, 12);
  it('counts back and ahead', () => {
    expect(formatRelative(now - 2000, now)).toBe('just now');
    expect(formatRelative(now - 42_000, now)).toBe('42 s ago');
    expect(formatRelative(now - 3 * 60_000, now)).toBe('3 min ago');
    expect(formatRelative(now - 26 * 3_600_000, now)).toBe('1 d ago');
    expect(formatRelative(now + 2 * 3_600_000, now)).toBe('in 2 h');
  });
  it('gives the date when it is long ago', () => {
    expect(formatRelative(now - 45 * 86_400_000, now)).toMatch(/7 Oct 2026/);
  });
});

it('bounds shares of a limit', () => {
  expect([percentOf(1, 4), percentOf(9, 4), percentOf(0, 0), percentOf(1, 0)]).toEqual([25, 100, 0, 100]);
});

it('counts things', () => {
  expect([plural(1, 'instance'), plural(0, 'instance'), plural(1200, 'line')]).toEqual([
    '1 instance',
    '0 instances',
    '1,200 lines',
  ]);
  expect(humanize('instance.power_off')).toBe('Instance power off');
});
