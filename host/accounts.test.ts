import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeSubids, SUBID_COUNT_MIN } from './accounts.ts';

type Range = { name: string; first: number; count: number };
const ranges = (text: string): Range[] =>
  text.split('\n').flatMap((line) => {
    const [name = '', first, count] = line.split(':');
    return count === undefined ? [] : [{ name, first: Number(first), count: Number(count) }];
  });

describe('id ranges for root', () => {
  it('adds a large range to an empty file and leaves a good one alone', () => {
    expect(mergeSubids('')).toBe('root:1000000:1000000000\n');
    expect(mergeSubids('root:1000000:1000000000\n')).toBe('root:1000000:1000000000\n');
    expect(mergeSubids('0:100000:1000000000\n')).toBe('0:100000:1000000000\n');
  });

  it('keeps the lines of people, starts after them, and mends a file without a last newline', () => {
    expect(mergeSubids('alice:100000:65536\nbob:1000000:65536')).toBe(
      'alice:100000:65536\nbob:1000000:65536\nroot:1065536:1000000000\n',
    );
  });

  it('adds to a small range of root instead of editing it', () => {
    expect(mergeSubids('root:100000:65536\n')).toBe('root:100000:65536\nroot:1000000:1000000000\n');
  });

  it('refuses when there is no room', () => {
    expect(() => mergeSubids('x:4293000000:1000000\n')).toThrow(/no room/);
  });

  it('never damages a line, never overlaps, and changes nothing the second time', () => {
    const line = fc
      .record({
        name: fc.constantFrom('alice', 'bob', 'root', 'x1'),
        first: fc.integer({ min: 1000, max: 2_000_000_000 }),
        count: fc.integer({ min: 1, max: 100_000_000 }),
      })
      .map(({ name, first, count }) => `${name}:${first}:${count}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.constantFrom('', '# comment', 'broken'))), (lines) => {
        const before = lines.join('\n');
        const after = mergeSubids(before);
        expect(after.startsWith(before)).toBe(true);
        expect(mergeSubids(after)).toBe(after);
        const root = ranges(after).filter((range) => range.name === 'root' && range.count >= SUBID_COUNT_MIN);
        expect(root.length).toBeGreaterThan(0);
        if (after === before) return;
        const added = ranges(after).at(-1);
        for (const other of ranges(before)) expect(other.first + other.count).toBeLessThanOrEqual(added?.first ?? 0);
      }),
    );
  });
});
