import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

type Entry = {
  version?: string;
  integrity?: string;
  optionalDependencies?: Record<string, string>;
  cpu?: string[];
  os?: string[];
};
const read = (name: string) => JSON.parse(readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), 'utf8'));
const packages = (read('package-lock.json') as { packages: Record<string, Entry> }).packages;

/** Where Node would find `name` from the package at `from`; null when the lock file does not have it. */
function find(from: string, name: string): string | null {
  for (
    let base = from;
    ;
    base = base.includes('/node_modules/') ? base.slice(0, base.lastIndexOf('/node_modules/')) : ''
  ) {
    const key = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (key in packages) return key;
    if (base === '') return null;
  }
}

it('U1: npm ci works on a clean clone: every platform package that a dependency names is in the lock file', () => {
  const missing = Object.entries(packages).flatMap(([key, entry]) =>
    Object.keys(entry.optionalDependencies ?? {})
      .filter((name) => find(key, name) === null)
      .map((name) => `${key} -> ${name}`),
  );
  expect(missing).toEqual([]);
});

it('what is installed on Linux is pinned by version and checksum', () => {
  const unpinned = Object.entries(packages).filter(([key, entry]) => {
    if (key === '') return false;
    const elsewhere =
      (entry.os !== undefined && !entry.os.includes('linux')) ||
      (entry.cpu !== undefined && !entry.cpu.some((cpu) => cpu === 'x64' || cpu === 'arm64'));
    return !elsewhere && !key.endsWith('-musl') && (entry.version === undefined || entry.integrity === undefined);
  });
  expect(unpinned.map(([key]) => key)).toEqual([]);
});

it('direct dependencies are exact versions', () => {
  const manifest = read('package.json') as Record<string, Record<string, string>>;
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(manifest[group] ?? {}))
      expect(`${name} ${version}`).toMatch(/ \d+\.\d+\.\d+[-\w.]*$/);
  }
});
