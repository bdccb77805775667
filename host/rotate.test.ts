import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nextBackoff } from './backoff.ts';
import { LOG_FILES_KEPT, rotate } from './rotate.ts';

it('keeps a writer writing while its log is rotated, and bounds the number of files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-rot-'));
  const file = join(dir, 'a.log');
  const writer = openSync(file, 'a');
  try {
    for (let round = 0; round < 6; round++) {
      writeSync(writer, `${round}\n`.repeat(100));
      expect(rotate(file, 100)).toBe(true);
    }
    writeSync(writer, 'last\n');
    expect(readFileSync(file, 'utf8')).toBe('last\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/^5/);
    expect(() => readFileSync(`${file}.${LOG_FILES_KEPT + 1}`)).toThrow();
    expect(rotate(file, 100)).toBe(false);
    appendFileSync(file, 'x');
    expect(rotate(join(dir, 'absent'))).toBe(false);
  } finally {
    closeSync(writer);
    rmSync(dir, { recursive: true, force: true });
  }
});

it('waits 0.2 s, doubles to 30 s, starts over after a healthy minute', () => {
  const waits: number[] = [];
  let wait = 0;
  for (let i = 0; i < 10; i++) {
    wait = nextBackoff(wait, 10, 1);
    waits.push(wait);
  }
  expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
  expect(nextBackoff(30_000, 60_000, 1)).toBe(200);
  expect(nextBackoff(0, 10, 78)).toBe(30_000);
});
