import { describe, expect, it } from 'vitest';
import { safeReturn } from './scope.ts';

const ORIGIN = 'https://berth.localhost:9443';
const targets = [
  'https://evil.example/',
  '//evil.example/',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '/\r/evil.example',
  '\t//evil.example',
  ' //evil.example',
  '\u0000//evil.example',
  'javascript:alert(1)',
  'java\nscript:alert(1)',
  'data:text/html,x',
  'https:evil.example',
  '/p/main/../..//evil.example',
  '/./\\/evil.example',
  '/%09/evil.example',
  '/%2f/evil.example',
  '/%5cevil.example',
  '',
  'p/main',
  'x'.repeat(5_000),
  null,
  undefined,
  7,
  ['/p/main'],
];

describe('D4: after signing in, people stay in this console', () => {
  it.each(targets)('%j leads nowhere else', (target) => {
    const found = safeReturn(target);
    if (found !== null) expect(new URL(found, ORIGIN).origin).toBe(ORIGIN);
  });

  it('pages of the console are followed', () => {
    for (const path of ['/', '/p/main/instances?view=deleted', '/o/harbour/members#x', '/edge/v1/sign-in?return=a']) {
      expect(safeReturn(path)).toBe(path);
    }
  });
});
