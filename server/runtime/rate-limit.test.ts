import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { addressBlock, CallLimiter, type RateRule, reserve, type SharedCounter, type ShareHits } from './rate-limit.ts';

class FakeClock implements Clock {
  ms = 1_000_000_000_000;
  now(): Date {
    return new Date(this.ms);
  }
}

/** The shared counter, in memory, without waits. */
function counter(): SharedCounter & { rows: Map<string, number> } {
  const rows = new Map<string, number>();
  const key = (name: string, subject: string, start: Date) => `${name} ${subject} ${start.getTime()}`;
  return {
    rows,
    async add(hit) {
      const current = (rows.get(key(hit.class, hit.subject, hit.start)) ?? 0) + 1;
      rows.set(key(hit.class, hit.subject, hit.start), current);
      return { current, previous: rows.get(key(hit.class, hit.subject, hit.previous)) ?? 0, waitMs: 0 };
    },
    async remove(hit) {
      rows.set(key(hit.class, hit.subject, hit.start), (rows.get(key(hit.class, hit.subject, hit.start)) ?? 1) - 1);
    },
  };
}

/** What replicas share, in memory: the same arithmetic as store/rate-windows.ts. */
function shared() {
  const rows = new Map<string, number>();
  const state = { calls: 0, away: false };
  const share: ShareHits = async (hits) => {
    state.calls++;
    if (state.away) throw new Error('away');
    return hits.map((hit) => {
      const key = (start: Date) => `${hit.class} ${hit.subject} ${start.getTime()}`;
      const current = (rows.get(key(hit.start)) ?? 0) + hit.hits;
      rows.set(key(hit.start), current);
      return { current, previous: rows.get(key(hit.previous)) ?? 0 };
    });
  };
  return { share, state, rows };
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
});

describe('I7: plain calls', () => {
  const minute: RateRule = { limit: 100, windowSeconds: 60 };
  const passes = async (limiter: CallLimiter, count: number, subject = 'ada', limit = minute): Promise<number> => {
    let passed = 0;
    for (let i = 0; i < count; i++) {
      await limiter.take('api', subject, limit).then(
        () => passed++,
        () => {},
      );
    }
    return passed;
  };

  it('says how much is left and when to come back', async () => {
    const clock = new FakeClock();
    const limiter = new CallLimiter(clock, shared().share);
    const two = { limit: 2, windowSeconds: 60 };
    expect(await limiter.take('api', 'a', two)).toMatchObject({ limit: 2, remaining: 1, windowSeconds: 60 });
    await limiter.take('api', 'a', two);
    await expect(limiter.take('api', 'a', two)).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterSeconds: expect.any(Number),
    });
    expect((await limiter.take('api', 'b', two)).remaining).toBe(1);
    clock.ms += 120_000;
    expect((await limiter.take('api', 'a', two)).remaining).toBe(1);
  });

  it('two replicas that ask in turn let exactly the limit through', async () => {
    const clock = new FakeClock();
    const { share } = shared();
    const [one, two] = [new CallLimiter(clock, share), new CallLimiter(clock, share)];
    let passed = 0;
    for (let i = 0; i < 100; i++) {
      passed += (await passes(i % 2 === 0 ? one : two, 3)) ?? 0;
      if (i % 10 === 0) await Promise.all([one.share(), two.share()]);
    }
    expect(passed).toBe(100);
  });

  it('replicas that never shared overrun by a quarter each at most, and parallel calls by nothing', async () => {
    const clock = new FakeClock();
    const { share } = shared();
    const replicas = Array.from({ length: 3 }, () => new CallLimiter(clock, share));
    let passed = 0;
    for (const replica of replicas) passed += await passes(replica, 150);
    expect(passed).toBeGreaterThanOrEqual(100);
    expect(passed).toBeLessThanOrEqual(150);
    const alone = new CallLimiter(clock, share);
    const together = await Promise.allSettled(Array.from({ length: 300 }, () => alone.take('api', 'parallel', minute)));
    expect(together.filter((each) => each.status === 'fulfilled')).toHaveLength(100);
  });

  it('little use costs no statement but the shared one; a full limit costs none for what is refused', async () => {
    const clock = new FakeClock();
    const { share, state } = shared();
    const limiter = new CallLimiter(clock, share);
    await passes(limiter, 25);
    expect(state.calls).toBe(0);
    await limiter.share();
    await limiter.share();
    expect(state.calls).toBe(1);
    await passes(limiter, 75);
    const before = state.calls;
    expect(await passes(limiter, 1_000)).toBe(0);
    expect(state.calls).toBeLessThanOrEqual(before + 1);
  });

  it('goes on by itself while the database is away, and tells it afterwards', async () => {
    const clock = new FakeClock();
    const { share, state, rows } = shared();
    const limiter = new CallLimiter(clock, share);
    state.away = true;
    expect(await passes(limiter, 130)).toBe(100);
    await expect(limiter.share()).rejects.toThrow('away');
    state.away = false;
    await limiter.share();
    expect([...rows.values()]).toEqual([100]);
    // What was counted in a window that is over is told as well.
    state.away = true;
    clock.ms += 120_000;
    await passes(limiter, 30);
    clock.ms += 60_000;
    await passes(limiter, 1);
    state.away = false;
    await limiter.share();
    expect([...rows.values()].reduce((sum, hits) => sum + hits, 0)).toBe(131);
  });

  it('a process forgets the oldest subjects instead of growing for ever', async () => {
    const clock = new FakeClock();
    const limiter = new CallLimiter(clock, async () => {
      throw new Error('away');
    });
    const one = { limit: 4, windowSeconds: 60 };
    await limiter.take('api', 'first', one);
    for (let i = 0; i < 20_001; i++) await limiter.take('api', `s${i}`, one);
    expect((await limiter.take('api', 'first', one)).remaining).toBe(3);
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
