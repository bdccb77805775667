import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idPrefixes, isId, makeId } from './ids.ts';

const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes);

describe('ids', () => {
  it('are prefixed, recognised by their own prefix only, and sort by time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...idPrefixes),
        fc.integer({ min: 0, max: 2 ** 47 }),
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (prefix, time, later, bytes) => {
          const first = makeId(prefix, time, () => bytes);
          const second = makeId(prefix, time + later, zeros);
          expect(isId(prefix, first)).toBe(true);
          for (const other of idPrefixes) if (other !== prefix) expect(isId(other, first)).toBe(false);
          expect(first < second).toBe(true);
        },
      ),
    );
  });

  it.each([
    '',
    'ins_',
    'ins_0',
    'INS_00000000000000000000000000',
    `ins_${'u'.repeat(26)}`,
    `ins_${'0'.repeat(27)}`,
    7,
    null,
  ])('refuses %j', (value) => {
    expect(isId('ins', value)).toBe(false);
  });
});
