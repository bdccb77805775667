import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { addressBlock, LocalLimiter, type RateRule, reserve, type SharedCounter } from './rate-limit.ts';

class FakeClock implements Clock {
  ms = 1_000_000_000_000;
  now(): Date {
    return new Date(this.ms);
  }
}

/** The shared counter, in memory. */
function counter(): SharedCounter & { rows: Map<string, number> } {
  const rows = new Map<string, number>();
  const key = (name: string, subject: string, start: Date) => `${name} ${subject} ${start.getTime()}`;
  return {
    rows,
    async add(hit) {
      const current = (rows.get(key(hit.class, hit.subject, hit.start)) ?? 0) + 1;
      rows.set(key(hit.class, hit.subject, hit.start), current);
      return { current, previous: rows.get(key(hit.class, hit.subject, hit.previous)) ?? 0 };
    },
    async remove(hit) {
      rows.set(key(hit.class, hit.subject, hit.start), (rows.get(key(hit.class, hit.subject, hit.start)) ?? 1) - 1);
    },
  };
}

const rule: RateRule = { limit: 5, windowSeconds: 900 };

describe('I7: the sliding window', () => {
  it('never lets more than the limit through in any stretch as long as the window, give or take the estimate', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 120 }), async (gaps) => {
        const clock = new FakeClock();
        const shared = counter();
        const passed: number[] = [];
        for (const gap of gaps) {
          clock.ms += gap * 1000;
          try {
            await reserve(shared, clock, 'x', 'subject', rule);
            passed.push(clock.ms);
          } catch {
            // Refused.
          }
        }
        for (const start of passed) {
          const within = passed.filter((at) => at >= start && at < start + rule.windowSeconds * 1000).length;
          // The estimate spreads the last window evenly: at worst a window's worth minus one slips in at the border.
          expect(within).toBeLessThanOrEqual(rule.limit * 2 - 1);
        }
      }),
    );
  });

  it('refused attempts are not counted and refunds give the place back', async () => {
    const clock = new FakeClock();
    const shared = counter();
    for (let i = 0; i < 5; i++) await reserve(shared, clock, 'x', 's', rule);
    for (let i = 0; i < 50; i++) {
      await expect(reserve(shared, clock, 'x', 's', rule)).rejects.toMatchObject({ code: 'rate_limited' });
    }
    expect([...shared.rows.values()]).toEqual([5]);
    clock.ms += 2 * 900_000;
    const attempt = await reserve(shared, clock, 'x', 's', rule);
    await attempt.refund();
    for (let i = 0; i < 5; i++) await reserve(shared, clock, 'x', 's', rule);
  });

  it('says when to come back', async () => {
    const clock = new FakeClock();
    const limiter = new LocalLimiter(clock, { limit: 2, windowSeconds: 60 });
    expect(limiter.take('a').remaining).toBe(1);
    limiter.take('a');
    let waited: unknown;
    try {
      limiter.take('a');
    } catch (error) {
      waited = error;
    }
    expect(waited).toMatchObject({ code: 'rate_limited', retryAfterSeconds: expect.any(Number) });
    expect(limiter.take('b').remaining).toBe(1);
    clock.ms += 120_000;
    expect(limiter.take('a').remaining).toBe(1);
  });

  it('a process forgets the oldest subjects instead of growing for ever', () => {
    const clock = new FakeClock();
    const limiter = new LocalLimiter(clock, { limit: 1, windowSeconds: 60 });
    limiter.take('first');
    for (let i = 0; i < 20_001; i++) limiter.take(`s${i}`);
    expect(limiter.take('first').remaining).toBe(0);
  });
});

describe('I7: one subscriber', () => {
  it('is an IPv4 address or an IPv6 /64, however it is written', () => {
    expect(addressBlock('192.0.2.1')).toBe('192.0.2.1');
    expect(addressBlock('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(addressBlock('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(addressBlock('2001:DB8:1:2::')).toBe('2001:db8:1:2::/64');
    expect(addressBlock('2001:0db8:0001:0002::9')).toBe('2001:db8:1:2::/64');
    expect(addressBlock('2001:db8::1')).toBe('2001:db8:0:0::/64');
    expect(addressBlock('::1')).toBe('0:0:0:0::/64');
    expect(addressBlock('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
    expect(addressBlock(null)).toBe('unknown');
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        if (address.includes('.')) return;
        expect(addressBlock(address)).toMatch(/^(?:[0-9a-f]{1,4}:){4}:\/64$/);
      }),
    );
  });
});
