import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { layoutOf } from './layout.ts';
import { pretty } from './logs.ts';
import {
  copySecretFor,
  ensureSecrets,
  makeSetupCode,
  readSecret,
  readSetupCode,
  secretNames,
  setupCodeHash,
} from './secrets.ts';

it('makes secrets once, closed to others, and copies each to the process that needs it', () => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-sec-'));
  const layout = layoutOf(dir);
  const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  try {
    ensureSecrets(layout);
    const first = secretNames.map((name) => readSecret(layout, name));
    const code = readSetupCode(layout);
    ensureSecrets(layout);
    expect(secretNames.map((name) => readSecret(layout, name))).toEqual(first);
    expect(readSetupCode(layout)).toBe(code);
    expect(Buffer.from(readSecret(layout, 'master.key'), 'base64')).toHaveLength(32);
    expect(statSync(layout.secrets).mode & 0o777).toBe(0o700);
    const copy = copySecretFor(layout, 'server', 'master.key', me);
    expect(statSync(copy).mode & 0o777).toBe(0o400);
    expect(readFileSync(copy, 'utf8').trim()).toBe(readSecret(layout, 'master.key'));
    expect(setupCodeHash(layout)).toMatch(/^[0-9a-f]{64}$/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

it('writes set-up codes that can be read aloud', () => {
  const codes = new Set(Array.from({ length: 200 }, makeSetupCode));
  expect(codes.size).toBe(200);
  for (const code of codes) expect(code).toMatch(/^[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){3}$/);
});

it('shows JSON log lines to people and everything else as it is', () => {
  expect(
    pretty('server', '{"level":"info","time":"2026-01-01T00:00:00Z","process":"server","msg":"ready","port":1}'),
  ).toBe('2026-01-01T00:00:00Z server     info  ready  port=1');
  expect(pretty('postgres', 'LOG: {x')).toBe('postgres   LOG: {x');
  expect(pretty('server', '{broken')).toBe('server     {broken');
});
