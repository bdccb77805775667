import { expect, it } from 'vitest';
import { docsFiles } from './docs.ts';

it('U5: addresses without an ending mean pages', () => {
  expect(docsFiles('')).toEqual(['index.html']);
  expect(docsFiles('reference/errors')).toEqual(['reference/errors.html', 'reference/errors/index.html']);
  expect(docsFiles('assets/docs.css')[0]).toBe('assets/docs.css');
});

it('U5: nothing outside the folder, nothing of another type', () => {
  for (const bad of [
    '../../../etc/passwd',
    '..',
    'a/../../b',
    '/etc/passwd',
    'a//b',
    '.env',
    'a\0b',
    'assets/%2e%2e/x',
  ]) {
    expect(
      docsFiles(bad).filter((file) => file.includes('..') || file.startsWith('/')),
      bad,
    ).toEqual([]);
  }
  expect(docsFiles('main.ts')).toEqual(['main.ts.html', 'main.ts/index.html']);
});
