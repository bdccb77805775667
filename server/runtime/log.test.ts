import { expect, it } from 'vitest';
import { createLog } from './log.ts';

function logged(fields: object): Record<string, unknown> {
  const lines: string[] = [];
  createLog({ level: 'info', write: (line) => lines.push(line) }).info(fields, 'hello');
  return JSON.parse(lines[0] as string) as Record<string, unknown>;
}

it('I7: secrets are masked at the top and one level down', () => {
  expect(logged({ password: 'x', body: { token: 'y', name: 'z' } })).toMatchObject({
    password: '***',
    body: { token: '***', name: 'z' },
  });
});

it('I7: an error is written with its code and causes, not with the connection that hangs on it', () => {
  const error = Object.assign(new Error('cut', { cause: new TypeError('why') }), {
    code: '57P01',
    client: { connectionParameters: { password: 'secret' } },
    detail: 'Key (email)=(someone@example.test) already exists.',
  });
  const line = logged({ err: error });
  expect(line.err).toMatchObject({ type: 'Error', message: 'cut', code: '57P01', cause: { type: 'TypeError' } });
  expect(JSON.stringify(line)).not.toMatch(/secret|someone/);
});

it('I7: what was thrown without being an error is written as text; a circle of causes ends', () => {
  expect(logged({ err: 'no' }).err).toEqual({ type: 'string', message: 'no' });
  const circle = new Error('round');
  circle.cause = circle;
  expect(JSON.stringify(logged({ err: circle })).match(/round/g)?.length).toBeLessThan(20);
});
