import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Ids } from '#server/runtime/clock.ts';
import { apiTokenPattern, digest, makeApiToken, makeSecret, sameDigest, sessionSecretPattern } from './tokens.ts';

const ids: Ids = { make: () => undefined as never, random: (bytes) => randomBytes(bytes) };

describe('I2: secrets of people and programs', () => {
  it('are 256 bits, of the form that is looked up, and never alike', () => {
    const tokens = Array.from({ length: 500 }, () => makeApiToken(ids));
    const secrets = Array.from({ length: 500 }, () => makeSecret(ids));
    for (const token of tokens) expect(token).toMatch(apiTokenPattern);
    for (const secret of secrets) expect(secret).toMatch(sessionSecretPattern);
    expect(new Set([...tokens, ...secrets]).size).toBe(1000);
  });

  it('use every character about equally often', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 400; i++) {
      for (const character of makeApiToken(ids).slice(4)) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).toBe(62);
    const expected = (400 * 43) / 62;
    for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(expected * 0.4);
  });

  it('are kept as a sha256 and compared whole', () => {
    expect(digest('x').equals(createHash('sha256').update('x').digest())).toBe(true);
    expect(sameDigest(digest('x'), digest('x'))).toBe(true);
    expect(sameDigest(digest('x'), digest('y'))).toBe(false);
    expect(sameDigest(digest('x'), digest('x').subarray(1))).toBe(false);
  });
});
