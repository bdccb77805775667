import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { archiveSource, SOURCE_ARCHIVE } from './source-archive.ts';

let checkout: string;
let folder: string;
beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'berth-source-'));
  folder = join(checkout, 'dist');
  mkdirSync(folder);
});
afterEach(() => rmSync(checkout, { recursive: true, force: true }));

const listed = (): string[] =>
  execFileSync('tar', ['--list', `--file=${join(folder, SOURCE_ARCHIVE)}`], { encoding: 'utf8' })
    .trim()
    .split('\n');

it('U5: holds what git knows as it is on disk, and nothing else that lies there', async () => {
  execFileSync('git', ['init', '-q'], { cwd: checkout });
  writeFileSync(join(checkout, 'known.ts'), 'one');
  writeFileSync(join(checkout, 'with space.ts'), 'two');
  writeFileSync(join(checkout, 'removed.ts'), 'three');
  execFileSync('git', ['add', '.'], { cwd: checkout });
  rmSync(join(checkout, 'removed.ts'));
  writeFileSync(join(checkout, 'secret.env'), 'mine');
  expect(await archiveSource(checkout, folder)).toBe(true);
  expect(listed()).toEqual(['known.ts', 'with space.ts']);
  expect(await archiveSource(checkout, folder)).toBe(false);
  writeFileSync(join(checkout, 'known.ts'), 'changed');
  expect(await archiveSource(checkout, folder)).toBe(true);
  const text = execFileSync('tar', ['-xOf', join(folder, SOURCE_ARCHIVE), 'known.ts'], { encoding: 'utf8' });
  expect(text).toBe('changed');
});

it('U5: makes nothing outside of a clone', async () => {
  expect(await archiveSource(checkout, folder)).toBe(false);
});
