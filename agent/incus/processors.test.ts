import { cpus } from 'node:os';
import { expect, it } from 'vitest';
import { awaitProcessors, countOf } from './processors.ts';

it('V1: counts the kernel’s lists of processors', () => {
  expect([countOf('0'), countOf('0-1'), countOf('0-3,8'), countOf('1,3,5-6')]).toEqual([1, 2, 5, 4]);
});

it('V1: asks the engine again while a guest has not what it should have, and gives up in the end', async () => {
  const all = cpus().length;
  let nudged = 0;
  const nudge = async (): Promise<void> => {
    nudged++;
  };
  expect(await awaitProcessors(process.pid, all + 3, nudge)).toBe(true);
  expect(await awaitProcessors(2 ** 30, 1, nudge)).toBe(true);
  expect(nudged).toBe(0);
  if (all === 1) return;
  expect(await awaitProcessors(process.pid, all - 1, nudge)).toBe(false);
  expect(nudged).toBe(5);
});
