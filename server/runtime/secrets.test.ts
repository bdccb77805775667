import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { KeyRing } from './secrets.ts';

const key = randomBytes(32).toString('base64');
const place = { table: 'provider', row: 'prv_1', column: 'api_key' };

describe('D4: sealed secrets', () => {
  it('open where they were sealed, and differ each time', () => {
    const box = new KeyRing(`${key}\n`);
    const sealed = box.seal(place, 'hunter2 — ąžuolas 🗝');
    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
    expect(sealed).not.toContain('hunter2');
    expect(box.open(place, sealed)).toBe('hunter2 — ąžuolas 🗝');
    expect(box.seal(place, 'hunter2')).not.toBe(box.seal(place, 'hunter2'));
  });

  it('do not open in another table, row or column, with another key, or changed', () => {
    const box = new KeyRing(key);
    const sealed = box.seal(place, 'hunter2');
    for (const other of [
      { ...place, table: 'x' },
      { ...place, row: 'prv_2' },
      { ...place, column: 'x' },
    ]) {
      expect(() => box.open(other, sealed)).toThrow('cannot be opened');
    }
    expect(() => new KeyRing(randomBytes(32).toString('base64')).open(place, sealed)).toThrow('cannot be opened');
    for (let index = sealed.lastIndexOf('.') + 1; index < sealed.length - 1; index += 3) {
      const changed = sealed.slice(0, index) + (sealed[index] === 'A' ? 'B' : 'A') + sealed.slice(index + 1);
      expect(() => box.open(place, changed)).toThrow('cannot be opened');
    }
    for (const nonsense of [
      '',
      'v1',
      'v2.a.b.c',
      sealed.replace('v1', 'v9'),
      `${sealed.split('.').slice(0, 3).join('.')}.`,
    ]) {
      expect(() => box.open(place, nonsense)).toThrow('cannot be opened');
    }
  });

  it('no start without 32 bytes of key', () => {
    for (const bad of ['', 'short', randomBytes(31).toString('base64'), randomBytes(33).toString('base64')]) {
      expect(() => new KeyRing(bad)).toThrow('32 bytes');
    }
  });
});
