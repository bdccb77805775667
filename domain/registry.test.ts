import { describe, expect, it } from 'vitest';
import { hitRate, isLimitLow, parseUpstreamLimit, savedBytes, upstreamAbility } from './registry.ts';

describe('V9: what upstream says of its limit', () => {
  it.each([
    ['100;w=21600', '76;w=21600', { limit: 100, remaining: 76, windowSeconds: 21_600 }],
    ['200', '0', { limit: 200, remaining: 0, windowSeconds: null }],
    ['100, 100;w=60', '9', { limit: 100, remaining: 9, windowSeconds: null }],
    [undefined, '9', null],
    ['100;w=21600', undefined, null],
    ['many', 'few', null],
    ['-1', '-1', null],
    ['99999999999999', '1', null],
  ])('%s, %s', (limit, remaining, expected) => {
    expect(parseUpstreamLimit(limit, remaining)).toEqual(expected);
  });

  it('V9: few left is worth a warning until the window has passed', () => {
    const at = '2026-01-01T00:00:00.000Z';
    const now = Date.parse(at) + 60_000;
    const seen = (remaining: number) => ({ limit: 100, remaining, windowSeconds: 21_600, at });
    expect([0, 10, 11, 100].map((remaining) => isLimitLow(seen(remaining), now))).toEqual([true, true, false, false]);
    expect(isLimitLow({ ...seen(5), limit: 10 }, now)).toBe(true);
    expect(isLimitLow(seen(0), now + 21_600_000)).toBe(false);
  });
});

describe('V9: figures', () => {
  it('hit rate and bytes saved', () => {
    expect(hitRate({ hits: 0, misses: 0 })).toBeNull();
    expect(hitRate({ hits: 3, misses: 1 })).toBe(0.75);
    expect(savedBytes({ servedBytes: 10, fetchedBytes: 4 })).toBe(6);
    expect(savedBytes({ servedBytes: 1, fetchedBytes: 4 })).toBe(0);
  });
});

describe('V9: where images may come from', () => {
  it.each(['https://registry-1.docker.io', 'https://registry.example:5000', 'http://10.0.0.5:5000'])('%s', (url) => {
    expect(upstreamAbility(url)).toBe(true);
  });
  it.each([
    'registry.example',
    'ftp://registry.example',
    'https://user:secret@registry.example',
    'https://registry.example/v2/',
    'https://registry.example?x=1',
  ])('not %s', (url) => {
    expect(upstreamAbility(url)).toEqual(expect.any(String));
  });
});
