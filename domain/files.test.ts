import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkFilePath,
  FILE_NAME_BYTES_MAX,
  FILE_PATH_BYTES_MAX,
  fileNameProblem,
  filePathProblem,
  joinPath,
  modeText,
  nameOf,
  parentOf,
} from './files.ts';

describe('V2: paths of files', () => {
  it.each([
    '',
    'etc/passwd',
    './etc',
    '../etc',
    '/..',
    '/../etc/shadow',
    '/home/../../etc',
    '/home/.',
    '/home//berth',
    '/home/',
    '//',
    '/a\u0000b',
    '/a\nb',
    '/a\u0085b',
    '/\ud800',
    `/${'x'.repeat(FILE_NAME_BYTES_MAX + 1)}`,
    `/${'ä'.repeat(128)}`,
    `/${'x/'.repeat(FILE_PATH_BYTES_MAX / 2)}y`,
  ])('refuse %j', (path) => {
    expect(filePathProblem(path)).toBeTypeOf('string');
    expect(() => checkFilePath(path)).toThrow();
  });

  it.each(['/', '/etc', '/home/berth/...', '/home/berth/ a b ', '/%2e%2e/x', '/a\\..\\b', '/ünï/日本', '/-rf', '/~'])(
    'take %j',
    (path) => {
      expect(filePathProblem(path)).toBeNull();
    },
  );

  it('whatever is taken stays below its folder, and comes apart and together again', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 6 }), (parts) => {
        fc.pre(parts.every((part) => fileNameProblem(part) === null));
        const path = `/${parts.join('/')}`;
        fc.pre(filePathProblem(path) === null);
        expect(new URL(`file://${parts.map((part) => `/${encodeURIComponent(part)}`).join('')}`).pathname).toBe(
          parts.map((part) => `/${encodeURIComponent(part)}`).join(''),
        );
        expect(joinPath(parentOf(path), nameOf(path))).toBe(path);
      }),
    );
  });

  it('modes are written as ls writes them', () => {
    expect(modeText(0o644)).toBe('rw-r--r--');
    expect(modeText(0o4755)).toBe('rwsr-xr-x');
    expect(modeText(0o2644)).toBe('rw-r-Sr--');
    expect(modeText(0o1777)).toBe('rwxrwxrwt');
    expect(modeText(0)).toBe('---------');
  });
});
