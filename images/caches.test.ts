import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillFromCache, keepInCache } from './deb-cache.ts';
import { cloneFolder, keepOnly, lock, openCache } from './machine-cache.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-caches-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('U6: packages are downloaded once', () => {
  it('go from a build into the cache and from there before the next', () => {
    const [cache, first, second] = ['cache', 'first', 'second'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(first);
    for (const name of ['a_1_all.deb', 'b_1%3a2_amd64.deb', 'lock']) writeFileSync(join(first, name), name);
    expect(keepInCache(cache, first, new Set())).toBe(2);
    expect(keepInCache(cache, first, new Set())).toBe(0);
    expect(fillFromCache(cache, second)).toBe(2);
    expect(readdirSync(second).sort()).toEqual(['a_1_all.deb', 'b_1%3a2_amd64.deb']);
    // A hard link, not a copy: two builds do not take the space twice.
    expect(statSync(join(second, 'a_1_all.deb')).nlink).toBe(3);
  });

  it('leave when the cache is full, the longest unused first', () => {
    const cache = join(folder, 'cache');
    const archives = join(folder, 'archives');
    mkdirSync(cache);
    mkdirSync(archives);
    for (const [age, name] of ['used.deb', 'recent.deb', 'old.deb'].entries()) {
      writeFileSync(join(cache, name), Buffer.alloc(1000));
      const time = new Date(Date.UTC(2026, 0, 20 - age));
      utimesSync(join(cache, name), time, time);
    }
    const long = new Date(Date.UTC(2020, 0, 1));
    utimesSync(join(cache, 'used.deb'), long, long);
    writeFileSync(join(archives, 'used.deb'), '');
    keepInCache(cache, archives, new Set(['used.deb']), 2500);
    expect(readdirSync(cache).sort()).toEqual(['recent.deb', 'used.deb']);
  });
});

describe('U6: what installations on one machine share', () => {
  it('is refused when others may write to it', () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(() => openCache(open)).toThrow(/only this user/);
    expect(statSync(openCache(join(folder, 'a/new/one'))).mode & 0o777).toBe(0o700);
  });

  it('appears complete or not at all, and only the newest stays', () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'rootfs.tar'), 'x');
    for (const name of ['server-1', 'server-2', 'desktop-1']) cloneFolder(source, join(folder, 'results', name));
    keepOnly(join(folder, 'results'), 'server-', 'server-2');
    expect(readdirSync(join(folder, 'results')).sort()).toEqual(['desktop-1', 'server-2']);
    expect(existsSync(join(folder, 'results/server-2/rootfs.tar'))).toBe(true);
  });

  it('is worked on by one at a time', async () => {
    const path = join(folder, 'lock');
    const order: string[] = [];
    const release = await lock(path, () => {});
    let waits = 0;
    const second = lock(path, () => {
      waits += 1;
      if (waits > 1) return;
      order.push('first done');
      release();
    });
    (await second)();
    order.push('second done');
    expect(order).toEqual(['first done', 'second done']);
    expect(existsSync(path)).toBe(false);
  });

  it('is freed when its worker died, also when the process id was given to another', async () => {
    const path = join(folder, 'lock');
    for (const left of ['999999999 1\n', `${process.pid} 1\n`, 'rubbish']) {
      writeFileSync(path, left);
      (await lock(path, () => expect.unreachable('waits for the dead')))();
    }
  });

  it('stops waiting when told to', async () => {
    const path = join(folder, 'lock');
    await lock(path, () => {});
    const abort = new AbortController();
    const reason = new Error('enough');
    await expect(lock(path, () => abort.abort(reason), abort.signal)).rejects.toBe(reason);
  });
});
