import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeUserAgent, makeUserCode, normaliseUserCode } from './sessions.ts';

it('I2: codes for people have 34 bits, no vowels, and survive being typed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
      let at = 0;
      const code = makeUserCode((count) =>
        Uint8Array.from({ length: count }, () => bytes[at++ % 64] ?? 0).map((b) => b % 240),
      );
      expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
      expect(normaliseUserCode(` ${code.toLowerCase().replace('-', ' ')} `)).toBe(code);
    }),
  );
  for (const wrong of ['', 'BCDF-GHJ', 'BCDF-GHJKL', 'ABCD-EFGH', 'BCDF_GHJK', '1234-5678']) {
    expect(normaliseUserCode(wrong), wrong).toBeNull();
  }
});

it('names browsers', () => {
  expect(describeUserAgent('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36')).toBe(
    'Chrome on Linux',
  );
  expect(describeUserAgent('Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19 Mobile Safari/604')).toBe(
    'Safari on iOS',
  );
  expect(describeUserAgent('berth-cli/0.1.0')).toBe('berth CLI');
  expect(describeUserAgent('')).toBe('Unknown program');
});
