import { describe, expect, it } from 'vitest';
import { sparkline } from './metrics.ts';

describe('V11: metrics on the command line', () => {
  it('V11: bars go from zero to the limit, or to the highest where there is none', () => {
    expect(sparkline([0, 1, 2, 3, 4], 4)).toBe('▁▃▅▇█');
    expect(sparkline([1, 1], 8)).toBe('▂▂');
    expect(sparkline([5, 10], null)).toBe('▅█');
    expect(sparkline([0, 0], null)).toBe('▁▁');
  });

  it('V11: what is not known is a blank, not a zero', () => {
    expect(sparkline([null, 4, null], 4)).toBe(' █ ');
    expect(sparkline([], null)).toBe('');
  });

  it('V11: many values are averaged into the width, and gaps do not count', () => {
    const many = Array.from({ length: 360 }, (_, index) => (index < 180 ? null : 2));
    expect(sparkline(many, 4, 40)).toBe(`${' '.repeat(20)}${'▅'.repeat(20)}`);
  });
});
