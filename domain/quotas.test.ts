import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultQuota, instanceUse, noUse, overrun, quotaResources } from './quotas.ts';
import { sizePresets } from './sizes.ts';

describe('I5: quota arithmetic', () => {
  it('adding is allowed exactly while every sum stays within its limit', () => {
    const quota = fc.record(
      Object.fromEntries(quotaResources.map((key) => [key, fc.nat(1000)])) as Record<
        keyof typeof defaultQuota,
        fc.Arbitrary<number>
      >,
    );
    fc.assert(
      fc.property(quota, quota, quota, (limit, used, more) => {
        const over = overrun(limit, used, more);
        for (const key of quotaResources)
          expect(over.includes(key)).toBe(more[key] > 0 && used[key] + more[key] > limit[key]);
      }),
    );
  });
  it('every preset fits into a fresh project', () => {
    for (const preset of sizePresets)
      expect(overrun(defaultQuota, noUse, instanceUse({ kind: preset.kinds[0] ?? 'server', size: preset }))).toEqual(
        [],
      );
  });
});
