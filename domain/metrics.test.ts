import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  METRIC_POINTS_MAX,
  metricGrid,
  metricRangeNames,
  metricRanges,
  metricTiers,
  RATE_GAP_SECONDS_MAX,
  ratesBetween,
} from './metrics.ts';

const counters = (cpuSeconds: number, bytes: number, at: number) => ({
  at,
  cpuSeconds,
  readBytes: bytes,
  writtenBytes: bytes,
  receivedBytes: bytes,
  sentBytes: bytes,
});

describe('V11: rates from counters', () => {
  it('V11: rates times their seconds add up to what the counters counted', () => {
    const steps = fc.array(
      fc.record({ ms: fc.integer({ min: 1_000, max: 30_000 }), cpu: fc.nat(1_000), bytes: fc.nat(1_000_000_000) }),
      { minLength: 1, maxLength: 50 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        let now = counters(5, 7, 1_000_000);
        let cpu = 0;
        let sent = 0;
        for (const step of all) {
          const next = counters(now.cpuSeconds + step.cpu, now.sentBytes + step.bytes, now.at + step.ms);
          const rates = ratesBetween(now, next);
          cpu += (rates.cpu ?? Number.NaN) * (step.ms / 1000);
          sent += (rates.sent ?? Number.NaN) * (step.ms / 1000);
          now = next;
        }
        expect(cpu).toBeCloseTo(now.cpuSeconds - 5, 4);
        expect(sent / Math.max(1, now.sentBytes - 7)).toBeCloseTo(now.sentBytes === 7 ? 0 : 1, 6);
      }),
    );
  });

  it('V11: no rate is ever negative or infinite, whatever the counters do', () => {
    const look = fc.record({ at: fc.nat(100_000), cpu: fc.nat(1_000), bytes: fc.nat(1_000_000) });
    fc.assert(
      fc.property(look, look, (one, two) => {
        const rates = ratesBetween(counters(one.cpu, one.bytes, one.at), counters(two.cpu, two.bytes, two.at));
        for (const value of Object.values(rates))
          expect(value === null || (value >= 0 && Number.isFinite(value))).toBe(true);
      }),
    );
  });

  it('V11: a guest that started anew counts from zero; a counter that fell alone says nothing', () => {
    const restarted = ratesBetween(counters(500, 900, 0), counters(5, 1_000, 10_000));
    expect(restarted).toMatchObject({ cpu: 0.5, sent: 100 });
    const fell = ratesBetween(counters(500, 900, 0), { ...counters(505, 1_000, 10_000), sentBytes: 3 });
    expect(fell).toMatchObject({ cpu: 0.5, received: 10, sent: null });
  });

  it('V11: nothing is said about a time in which nobody looked, nor of what the kernel does not count', () => {
    const late = ratesBetween(counters(1, 1, 0), counters(2, 2, (RATE_GAP_SECONDS_MAX + 1) * 1000));
    expect(Object.values(late).every((value) => value === null)).toBe(true);
    expect(ratesBetween(null, counters(1, 1, 0)).cpu).toBeNull();
    expect(ratesBetween(counters(1, 1, 0), { ...counters(2, 2, 10_000), readBytes: null }).read).toBeNull();
  });
});

describe('V11: ranges', () => {
  it('V11: every range is bounded, ends with now, and comes from a tier that is kept that long', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...metricRangeNames),
        fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }),
        (range, now) => {
          const { first, step, count } = metricGrid(range, now);
          expect(count).toBeLessThanOrEqual(METRIC_POINTS_MAX);
          expect(first % step).toBe(0);
          expect(first + step * count).toBeGreaterThan(now / 1000);
          expect(first + step * (count - 1)).toBeLessThanOrEqual(now / 1000);
        },
      ),
    );
    for (const { seconds, tier, step } of Object.values(metricRanges)) {
      const source = metricTiers.find((one) => one.seconds === tier);
      expect(source?.keptSeconds).toBeGreaterThanOrEqual(seconds);
      expect(step % tier).toBe(0);
    }
  });
});
