import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findProgram } from './machine.ts';
import type { ProcessSpec } from './process-spec.ts';
import { run } from './run.ts';
import { quote, unitFile } from './systemd.ts';

function spec(more: Partial<ProcessSpec> = {}): ProcessSpec {
  return {
    name: 'caddy',
    argv: ['/bin/true', 'run', '--config', '/data dir/config.json'],
    env: { HOME: '/var/lib/x', ODD: '100% $HOME "q" \\' },
    cwd: '/',
    user: { uid: 33, gid: 33, groups: [33], name: 'www-data' },
    capabilities: ['net_bind_service'],
    umask: 0o007,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 8000,
    prepare: null,
    fingerprint: 'abc',
    health: { type: 'none' },
    shared: false,
    logFile: '/var/log/caddy.log',
    ...more,
  };
}

it('hardens units and gives a process just its own folders and capabilities', () => {
  const text = unitFile('abc123', spec(), ['/data dir/caddy']);
  expect(text).toContain('ExecStart=/bin/true run --config "/data dir/config.json"');
  expect(text).toContain('Environment="ODD=100%% $$HOME \\"q\\" \\\\"');
  expect(text).toMatch(/^User=www-data$/m);
  expect(text).toMatch(/^NoNewPrivileges=yes$/m);
  expect(text).toMatch(/^CapabilityBoundingSet=CAP_NET_BIND_SERVICE$/m);
  expect(text).toMatch(/^ProtectSystem=strict$/m);
  expect(text).toMatch(/^ReadWritePaths="\/data dir\/caddy"$/m);
  expect(text).toMatch(/^UMask=0007$/m);
  const none = unitFile('abc123', spec({ name: 'server', capabilities: [] }), []);
  expect(none).toMatch(/^CapabilityBoundingSet=$/m);
  expect(unitFile('abc123', spec({ name: 'agent', user: null }), [])).not.toContain('NoNewPrivileges');
});

it('quotes what a shell-like reader would take apart', () => {
  expect([quote('/a/b'), quote('a b'), quote('50%'), quote('$X')]).toEqual(['/a/b', '"a b"', '"50%%"', '"$$X"']);
});

it('systemd itself accepts the units', async () => {
  if (findProgram('systemd-analyze') === null) return;
  const dir = mkdtempSync(join(tmpdir(), 'berth-unit-'));
  try {
    const file = join(dir, 'berth-abc123-caddy.service');
    writeFileSync(file, unitFile('abc123', spec(), ['/var/lib']));
    const result = await run(['systemd-analyze', 'verify', '--man=no', file], { timeoutMs: 20_000 });
    const complaints = `${result.stdout}${result.stderr}`
      .split('\n')
      .filter((line) => line.includes('berth-abc123') && !line.includes('Failed to'));
    // Older systemd does not know graduated restarts; it says so and goes on.
    expect(complaints.filter((line) => !/RestartSteps|RestartMaxDelaySec/.test(line))).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
