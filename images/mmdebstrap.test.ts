import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mmdebstrapArgs } from './mmdebstrap.ts';
import { recipes } from './recipes.ts';

const input = { arch: 'amd64', root: '/build/root', mirrors: [], aptOptions: [], dpkgOptions: [] };

it('U6: every word of the recipe is one argument', () => {
  const args = mmdebstrapArgs({
    ...input,
    recipe: recipes.server,
    mirrors: ['deb http://m.test/debian trixie main'],
    aptOptions: ['Acquire::Retries "3"'],
    dpkgOptions: ['path-exclude=/usr/share/man/*'],
  });
  expect(args).toContain(`--include=${recipes.server.packages.join(',')}`);
  expect(args).toContain('--aptopt=Acquire::Retries "3"');
  expect(args).toContain('--dpkgopt=path-exclude=/usr/share/man/*');
  expect(args.slice(-3)).toEqual(['trixie', '/build/root', 'deb http://m.test/debian trixie main']);
});

it('U6: uses no hook, so nothing passes through a shell', () => {
  const args = mmdebstrapArgs({ ...input, recipe: recipes.desktop });
  expect(args.filter((argument) => argument.includes('hook'))).toEqual([]);
});

it('U6: refuses package names that are more than names', () => {
  const strange = fc.string({ minLength: 1 }).filter((text) => !/^[a-z0-9][a-z0-9+.-]+$/.test(text));
  fc.assert(
    fc.property(strange, (name) => {
      expect(() => mmdebstrapArgs({ ...input, recipe: { packages: [name], release: 'trixie' } })).toThrow(
        /package names/,
      );
    }),
  );
});
