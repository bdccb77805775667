import { expect, it } from 'vitest';
import { BerthError } from '#domain/errors.ts';
import { patiently } from './patience.ts';

it('R2: what the engine fails at for a moment is tried again, what it refuses is not', async () => {
  let tries = 0;
  const failing = (times: number, code: 'upstream_failed' | 'conflict') => async () => {
    if (tries++ < times) throw new BerthError(code, 'no');
    return 'done';
  };
  expect(await patiently(failing(2, 'upstream_failed'))).toBe('done');
  expect(tries).toBe(3);
  tries = 0;
  await expect(patiently(failing(2, 'conflict'))).rejects.toMatchObject({ code: 'conflict' });
  expect(tries).toBe(1);
  tries = 0;
  await expect(patiently(failing(9, 'upstream_failed'))).rejects.toMatchObject({ code: 'upstream_failed' });
  expect(tries).toBe(5);
});
