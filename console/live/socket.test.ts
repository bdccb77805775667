import { expect, it } from 'vitest';
import { closeCodes as contractCodes } from '#contract/edge.ts';
import { joinLines } from '../pages/instance/logs/use-logs.ts';
import { closeCodes, endOf, RETRY_MS_MAX, retryDelay } from './socket.ts';

it('knows the close codes of the contract', () => {
  expect(closeCodes).toEqual(contractCodes);
});

it('waits longer each time, up to a limit', () => {
  expect([0, 1, 2, 3].map((attempt) => retryDelay(attempt, () => 0.5))).toEqual([500, 1000, 2000, 4000]);
  expect(retryDelay(40, () => 1)).toBeLessThanOrEqual(RETRY_MS_MAX * 1.2);
});

it('tries again after a lost connection, not after a refusal', () => {
  expect(endOf(1006)).toBeNull();
  expect(endOf(contractCodes.upstream)).toBeNull();
  expect(endOf(contractCodes.forbidden)?.final).toBe(true);
  expect(endOf(contractCodes.notRunning)?.final).toBe(false);
});

it('joins history and followed lines without repeats, and keeps a bounded number', () => {
  const line = (n: number) => ({ ts: `t${n}`, unit: 'u', priority: 6, message: `m${n}` });
  const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => line(from + index));
  expect(joinLines(lines(0, 10), lines(5, 15)).map((each) => each.ts)).toEqual(lines(0, 15).map((each) => each.ts));
  expect(joinLines(lines(0, 10), lines(10, 20), 12)).toEqual(lines(8, 20));
});
