import { describe, expect, it } from 'vitest';
import { CODE_SECONDS_MAX, RoutePasses, SignInCodes } from './route-pass.ts';

const session = `ses_${'0'.repeat(26)}`;
const now = 1_700_000_000_000;
const hour = 3_600_000;

describe('RoutePasses', () => {
  const passes = new RoutePasses(Buffer.alloc(32, 1));
  const pass = passes.issue(session, 'a.berth.localhost', now + hour);

  it('I2: holds for its host name until it expires, also for another process with the same key', () => {
    expect(passes.check(pass, 'a.berth.localhost', now)).toBe(session);
    expect(new RoutePasses(Buffer.alloc(32, 1)).check(pass, 'a.berth.localhost', now)).toBe(session);
    expect(passes.check(pass, 'a.berth.localhost', now + hour)).toBeUndefined();
  });

  it('I6: is worth nothing elsewhere, changed, or under another key', () => {
    expect(passes.check(pass, 'b.berth.localhost', now)).toBeUndefined();
    expect(new RoutePasses(Buffer.alloc(32, 2)).check(pass, 'a.berth.localhost', now)).toBeUndefined();
    const [id, until, mac] = pass.split('.') as [string, string, string];
    for (const forged of [
      `${id}.${Number(until) + 1}.${mac}`,
      `ses_${'1'.repeat(26)}.${until}.${mac}`,
      `${id}.${until}.${mac.slice(0, -2)}AA`,
      `${id}.${until}`,
      `${pass}.`,
      '',
      'x'.repeat(10_000),
    ]) {
      expect(passes.check(forged, 'a.berth.localhost', now)).toBeUndefined();
    }
  });

  it('refuses a short key', () => {
    expect(() => new RoutePasses(Buffer.alloc(16))).toThrow(RangeError);
  });
});

describe('SignInCodes', () => {
  const make = () => {
    let n = 0;
    return new SignInCodes(() => `code${n++}`);
  };
  const lent = { sessionId: session, hostname: 'a.berth.localhost', state: 's'.repeat(32), path: '/x' };

  it('I2: works once', () => {
    const codes = make();
    const code = codes.issue(lent, now);
    expect(codes.take(code, lent.hostname, lent.state, now)).toMatchObject(lent);
    expect(codes.take(code, lent.hostname, lent.state, now)).toBeUndefined();
  });

  it('I2: not late, not elsewhere, not in another browser; a wrong try uses it up', () => {
    for (const [hostname, state, at] of [
      ['b.berth.localhost', lent.state, now],
      [lent.hostname, 'other', now],
      [lent.hostname, undefined, now],
      [lent.hostname, lent.state, now + CODE_SECONDS_MAX * 1000],
    ] as const) {
      const codes = make();
      const code = codes.issue(lent, now);
      expect(codes.take(code, hostname, state, at)).toBeUndefined();
      expect(codes.take(code, lent.hostname, lent.state, now)).toBeUndefined();
    }
  });

  it('stays bounded', () => {
    const codes = make();
    for (let n = 0; n < 25_000; n++) codes.issue(lent, now);
    expect(codes.take('code0', lent.hostname, lent.state, now)).toBeUndefined();
    expect(codes.take('code24999', lent.hostname, lent.state, now)).toMatchObject(lent);
  });
});
