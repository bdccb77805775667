import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeRecoveryCode, normaliseRecoveryCode, RECOVERY_CODE_BYTES } from './factors.ts';

const random = fc.uint8Array({ minLength: RECOVERY_CODE_BYTES, maxLength: RECOVERY_CODE_BYTES });

describe('I3: recovery codes', () => {
  it('I3: have 120 bits, are read back as made, however people type them', () => {
    fc.assert(
      fc.property(random, fc.boolean(), fc.constantFrom('', '-', ' ', ' - '), (bytes, upper, between) => {
        const code = makeRecoveryCode(bytes);
        expect(code).toMatch(/^([0-9a-z]{4}-){5}[0-9a-z]{4}$/);
        const plain = code.replaceAll('-', '');
        const typed = code.replaceAll('-', between);
        expect(normaliseRecoveryCode(upper ? typed.toUpperCase() : typed)).toBe(plain);
        expect(normaliseRecoveryCode(plain.replaceAll('0', 'O').replaceAll('1', 'I'))).toBe(plain);
      }),
    );
    const different = new Set(Array.from({ length: 32 }, (_, n) => makeRecoveryCode(new Uint8Array(24).fill(n))));
    expect(different.size, 'five bits of every byte count').toBe(32);
  });

  it('I3: what cannot be one is refused before anything is looked up', () => {
    for (const text of ['', 'abc', 'a'.repeat(25), '123456', `${'a'.repeat(23)}u`, `${'a'.repeat(23)}ä`]) {
      expect(normaliseRecoveryCode(text)).toBeNull();
    }
  });
});
