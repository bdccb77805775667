import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { blockOf, type Waiting, WaitingRoom } from './waiting-room.ts';

afterEach(() => void vi.useRealTimers());

class Peer implements Waiting {
  isGone = false;
  destroy(): void {
    this.isGone = true;
  }
}
const limits = { seconds: 30, perAddress: 3, whole: 10 };

it('V4: an address with too many loses its own oldest, nobody else loses any', () => {
  const room = new WaitingRoom(limits);
  const quiet = new Peer();
  room.enter(quiet, '192.0.2.1');
  const loud = Array.from({ length: 50 }, () => new Peer());
  for (const peer of loud) room.enter(peer, '192.0.2.2');
  expect(quiet.isGone).toBe(false);
  expect(loud.map((peer) => peer.isGone)).toEqual([...Array(47).fill(true), ...Array(3).fill(false)]);
  expect(room.size).toBe(4);
});

it('V4: silent ones go first, then who only speaks: a flood from the own address does not push out a log-in', () => {
  const room = new WaitingRoom(limits);
  const [agreed, speaks] = [new Peer(), new Peer()];
  for (const peer of [agreed, speaks]) room.enter(peer, '192.0.2.1');
  room.advance(agreed, '192.0.2.1', 'agreed');
  room.advance(speaks, '192.0.2.1', 'speaks');
  // Nobody goes back.
  room.advance(agreed, '192.0.2.1', 'silent');
  const flood = Array.from({ length: 50 }, () => new Peer());
  for (const peer of flood) room.enter(peer, '192.0.2.1');
  expect([agreed.isGone, speaks.isGone]).toEqual([false, false]);
  expect(flood.filter((peer) => !peer.isGone)).toEqual([flood.at(-1)]);
  // Among those that came equally far the oldest goes; who agreed on keys last of all.
  const talkers = Array.from({ length: 3 }, () => new Peer());
  for (const peer of talkers) {
    room.enter(peer, '192.0.2.1');
    room.advance(peer, '192.0.2.1', 'speaks');
  }
  expect([agreed.isGone, speaks.isGone]).toEqual([false, true]);
});

it('V4: when there are too many in all, the address with the most loses one', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 120 }), (addresses) => {
      const room = new WaitingRoom(limits);
      for (const number of addresses) {
        const peer = new Peer();
        room.enter(peer, `192.0.2.${number}`);
        // Whoever comes always gets in.
        expect(peer.isGone).toBe(false);
        expect(room.size).toBeLessThanOrEqual(limits.whole);
        room.leave(new Peer(), `192.0.2.${number}`);
      }
    }),
  );
});

it('V4: who is not signed in after the time goes; who is, stays', () => {
  vi.useFakeTimers();
  const room = new WaitingRoom(limits);
  const [slow, quick] = [new Peer(), new Peer()];
  room.enter(slow, '2001:db8::1');
  room.enter(quick, '2001:db8::2');
  room.leave(quick, '2001:db8::2');
  vi.advanceTimersByTime(30_000);
  expect([slow.isGone, quick.isGone]).toEqual([true, false]);
});

it('V4: IPv6 counts by its first 64 bits, IPv4 written as IPv6 as what it is', () => {
  expect(blockOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
  expect(blockOf('2001:db8::9')).toBe(blockOf('2001:db8:0:0:ffff::1'));
  expect(blockOf('::1')).toBe('0:0:0:0');
  expect(blockOf('::ffff:192.0.2.7')).toBe('192.0.2.7');
  expect(blockOf('192.0.2.7')).toBe('192.0.2.7');
});
