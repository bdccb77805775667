import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { kernelLimits, lowLimits, raiseLimits } from './kernel-limits.ts';

let folder = '';
const file = (name: string) => join(folder, 'sys', ...name.split('.'));
const persistent = () => join(folder, '60-berth.conf');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-limits-'));
  for (const [name, wanted] of Object.entries(kernelLimits)) {
    mkdirSync(dirname(file(name)), { recursive: true });
    writeFileSync(file(name), `${wanted}\n`);
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

it('U1: raises what is too low, keeps it for the next boot, and is done once', () => {
  writeFileSync(file('fs.inotify.max_user_instances'), '128\n');
  writeFileSync(file('kernel.keys.maxkeys'), '200\n');
  const at = { proc: join(folder, 'sys'), persistent: persistent() };
  expect(lowLimits(at.proc)).toEqual([
    { name: 'fs.inotify.max_user_instances', value: 128 },
    { name: 'kernel.keys.maxkeys', value: 200 },
  ]);
  expect(raiseLimits(at)).toEqual({ raised: ['fs.inotify.max_user_instances', 'kernel.keys.maxkeys'], refused: [] });
  expect(readFileSync(file('fs.inotify.max_user_instances'), 'utf8')).toBe('1048576\n');
  expect(readFileSync(persistent(), 'utf8')).toMatch(/^fs\.inotify\.max_user_instances = 1048576\n/m);
  expect(raiseLimits(at)).toEqual({ raised: [], refused: [] });
});

it('U1: never lowers a limit, and misses none that the kernel does not have', () => {
  writeFileSync(file('vm.max_map_count'), '9999999\n');
  rmSync(file('fs.aio-max-nr'));
  expect(raiseLimits({ proc: join(folder, 'sys'), persistent: persistent() })).toEqual({ raised: [], refused: [] });
  expect(readFileSync(file('vm.max_map_count'), 'utf8')).toBe('9999999\n');
});
