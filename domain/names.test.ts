import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostnameProblem, NAME_LENGTH_MAX, nameProblem, reservedNames, slug } from './names.ts';

describe('names', () => {
  it.each(['a', 'shop', 'web-1', `a${'b'.repeat(NAME_LENGTH_MAX - 1)}`])('accepts %s', (name) => {
    expect(nameProblem(name)).toBeNull();
  });
  it.each([
    '',
    'A',
    '1a',
    '-a',
    'a-',
    'a_b',
    'a.b',
    'a b',
    'ä',
    'a--b',
    'xn--abc',
    'a\u0000',
    'a\n',
    '../a',
    `a${'b'.repeat(NAME_LENGTH_MAX)}`,
    ...reservedNames,
  ])('refuses %j with a reason', (name) => {
    expect(nameProblem(name)).toEqual(expect.any(String));
  });
  it('slug gives a valid name, a reserved one, or nothing', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        const name = slug(text);
        expect(name === '' || nameProblem(name) === null || reservedNames.includes(name)).toBe(true);
      }),
    );
  });
  it('whatever is accepted is a DNS label', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 64 }), (text) => {
        if (nameProblem(text) === null) expect(text).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      }),
    );
  });
});

describe('host names', () => {
  it.each(['shop.example.com', 'a.b', 'x1.berth.localhost', `${'a'.repeat(63)}.example`])('accepts %s', (hostname) => {
    expect(hostnameProblem(hostname)).toBeNull();
  });
  it.each([
    '',
    'localhost',
    '10.0.0.1',
    'a..b',
    '.a.b',
    'a.b.',
    '*.a.b',
    'a.b:80',
    'A.b',
    'a_b.c',
    '-a.b',
    'a-.b',
    `${'a'.repeat(64)}.b`,
    'a.b/c',
    'a b.c',
    `${'a.'.repeat(127)}aa`,
  ])('refuses %j', (hostname) => {
    expect(hostnameProblem(hostname)).toEqual(expect.any(String));
  });
});
