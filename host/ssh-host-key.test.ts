import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { layoutOf } from './layout.ts';
import {
  copyHostKeysFor,
  dropNextHostKey,
  ensureSshHostKey,
  makeNextHostKey,
  sshHostKeys,
  switchHostKey,
} from './ssh-host-key.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'berth-host-key-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));
const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

it('V4: the next key is made beside the current one, published, and takes its place; nothing is overwritten before', async () => {
  const layout = layoutOf(data);
  await ensureSshHostKey(layout);
  const { current } = sshHostKeys(layout);
  await ensureSshHostKey(layout);
  expect(sshHostKeys(layout)).toEqual({ current, next: null });
  expect(switchHostKey(layout, user)).toBe(false);
  expect(await makeNextHostKey(layout, user)).toBe(true);
  expect(await makeNextHostKey(layout, user)).toBe(false);
  const { next } = sshHostKeys(layout);
  expect(next).not.toBe(current);
  expect(readFileSync(layout.sshHostKeys, 'utf8')).toBe(`${current}\n${next}\n`);
  const { hostKeyFiles, nextHostKeyFile } = copyHostKeysFor(layout, user);
  expect(statSync(nextHostKeyFile).mode & 0o777).toBe(0o400);
  const later = readFileSync(nextHostKeyFile, 'utf8');
  expect(switchHostKey(layout, user)).toBe(true);
  expect(sshHostKeys(layout)).toEqual({ current: next, next: null });
  expect(readFileSync(hostKeyFiles[0] ?? '', 'utf8')).toBe(later);
  expect(existsSync(nextHostKeyFile)).toBe(false);
  expect(readFileSync(layout.sshHostKeys, 'utf8')).toBe(`${next}\n`);
  await makeNextHostKey(layout, user);
  expect(dropNextHostKey(layout, user)).toBe(true);
  expect(sshHostKeys(layout)).toEqual({ current: next, next: null });
});

it('R1: a switch that was interrupted is finished at the next start', async () => {
  const layout = layoutOf(data);
  await ensureSshHostKey(layout);
  await makeNextHostKey(layout, user);
  const { next } = sshHostKeys(layout);
  const file = join(layout.sshGateway, 'ssh_host_ed25519_key');
  renameSync(`${file}.next`, file);
  await ensureSshHostKey(layout);
  expect(sshHostKeys(layout)).toEqual({ current: next, next: null });
});
