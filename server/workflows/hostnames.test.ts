import { describe, expect, it } from 'vitest';
import type { InstanceId } from '#domain/ids.ts';
import { isPlatformName, primaryHostnames, routeHostnameProblem } from './hostnames.ts';

const id = 'ins_01jabcdefghjkmnpqrstvwxyz9' as InstanceId;

describe('primaryHostnames', () => {
  it('D2: the name first, then with the project, then with a piece of the id', () => {
    expect(primaryHostnames('berth.test', 'web', 'main', id)).toEqual([
      'web.berth.test',
      'web-main.berth.test',
      'web-vwxyz9.berth.test',
    ]);
  });
  it('D2: labels never get too long', () => {
    const names = primaryHostnames('berth.test', 'a'.repeat(40), 'b'.repeat(40), id);
    expect(names).toHaveLength(2);
    for (const name of names) expect((name.split('.')[0] ?? '').length).toBeLessThanOrEqual(63);
  });
});

describe('routeHostnameProblem', () => {
  it.each([
    ['shop.berth.test', null],
    ['berth.test', 'address of Berth itself'],
    ['a.b.berth.test', 'without further dots'],
    ['admin.berth.test', 'kept for Berth itself'],
    ['xn--bcher-kva.berth.test', 'not possible'],
  ])('D2: %s', (hostname, problem) => {
    const found = routeHostnameProblem(hostname, 'berth.test');
    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
  });
});

it('V5: what is under the platform domain, and what only looks like it', () => {
  for (const name of ['berth.test', 'a.berth.test', 'a.b.berth.test'])
    expect(isPlatformName(name, 'berth.test')).toBe(true);
  for (const name of ['evilberth.test', 'berth.test.example.com', 'test'])
    expect(isPlatformName(name, 'berth.test')).toBe(false);
});
