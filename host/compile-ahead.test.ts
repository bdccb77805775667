import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiledFolder, lazyModules } from './compile-ahead.ts';

const app = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['agent', 'contract', 'domain', 'drivers', 'edge', 'images', 'integrations', 'server', 'ssh-gateway'];
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-compiled-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Own modules that some file of the product loads later, as paths below the root. */
function loadedLater(): string[] {
  const found = new Set<string>();
  for (const room of rooms) {
    for (const entry of readdirSync(join(app, room), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/(?<!\.i?test|\.d)\.ts$/.test(entry.name)) continue;
      const file = join(entry.parentPath, entry.name);
      for (const [, to = ''] of readFileSync(file, 'utf8').matchAll(/\bimport\(\s*['"]([#.][^'"]+\.ts)['"]/g)) {
        const path = to.startsWith('#') ? to.slice(1) : posix.join(dirname(file).slice(app.length), to);
        found.add(path);
      }
    }
  }
  return [...found].sort();
}

describe('code compiled ahead', () => {
  it('U1: each version compiles into a folder of its own and clears away what others left', () => {
    const first = compiledFolder(root, 'server', 'a'.repeat(64));
    writeFileSync(join(first, 'kept'), '');
    expect(compiledFolder(root, 'server', 'a'.repeat(64))).toBe(first);
    expect(readdirSync(first)).toEqual(['kept']);
    const second = compiledFolder(root, 'server', 'b'.repeat(64));
    expect(readdirSync(second)).toEqual([]);
    expect(readdirSync(join(root, 'server'))).toEqual(['b'.repeat(16)]);
  });

  it('U1: every own module that is loaded later is compiled before the first start', () => {
    expect(loadedLater()).toEqual(Object.values(lazyModules).flat().sort());
  });
});
