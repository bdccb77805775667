import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cookieValue, withoutBerthCookies } from './cookies.ts';

describe('cookies', () => {
  it('finds a cookie by its whole name', () => {
    const header = 'x__Host-berth=no; __Host-berth-route=pass; __Host-berth=yes;last=1';
    expect(cookieValue(header, '__Host-berth')).toBe('yes');
    expect(cookieValue(header, '__Host-berth-route')).toBe('pass');
    expect(cookieValue(header, 'last')).toBe('1');
    expect(cookieValue(header, 'berth')).toBeUndefined();
    expect(cookieValue('', 'a')).toBeUndefined();
    expect(cookieValue(undefined, 'a')).toBeUndefined();
    expect(cookieValue('a=b=c', 'a')).toBe('b=c');
  });

  it('I6: takes out every cookie of Berth, however it is written, and nothing else', () => {
    expect(withoutBerthCookies('a=1; __Host-berth=s; b=2;__HOST-BERTH-route=x;  __Host-berth-state=y')).toBe(
      'a=1; b=2',
    );
    expect(withoutBerthCookies('__Host-berth=s')).toBe('');
    expect(withoutBerthCookies('a=1;b=2')).toBe('a=1;b=2');
    expect(withoutBerthCookies('a=__Host-berth; b=2')).toBe('a=__Host-berth; b=2');
    expect(withoutBerthCookies(undefined)).toBe('');
  });

  it('I6: no header lets a cookie of Berth through', () => {
    const name = fc.constantFrom('a', '__Host-berth', '__host-Berth-route', 'x__Host-berth', '');
    const gap = fc.constantFrom(';', '; ', ' ;\t', ';;');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.stringMatching(/^[a-z=]{0,4}$/), gap)), (parts) => {
        const kept = withoutBerthCookies(parts.map(([key, value, between]) => `${key}=${value}${between}`).join(''));
        for (const pair of kept.split(';')) expect(pair.trim().toLowerCase().startsWith('__host-berth')).toBe(false);
      }),
    );
  });
});
