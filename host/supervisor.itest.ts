import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProcessSpec } from './process-spec.ts';
import { isRunning, processInfo } from './proctable.ts';
import { Supervisor } from './supervisor.ts';

let dir: string;
let supervisors: Supervisor[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-sup-'));
  supervisors = [];
});
afterEach(async () => {
  for (const supervisor of supervisors) await supervisor.stopAll();
  rmSync(dir, { recursive: true, force: true });
});

function supervisor(): Supervisor {
  const made = new Supervisor({ pidDir: join(dir, 'pids'), log: () => {} });
  supervisors.push(made);
  return made;
}

/** A real child program: says its pid and stays, or does what `body` says. */
function spec(name: string, body = 'setInterval(() => {}, 1000)', more: Partial<ProcessSpec> = {}): ProcessSpec {
  const script = join(dir, `${name}.mjs`);
  writeFileSync(script, `console.log('pid', process.pid, process.getuid(), process.umask());\n${body}\n`);
  return {
    name,
    argv: [process.execPath, script],
    env: { PATH: process.env.PATH ?? '' },
    cwd: '/',
    user: null,
    capabilities: [],
    umask: 0o007,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 1000,
    prepare: null,
    fingerprint: 'a',
    health: { type: 'none' },
    shared: false,
    logFile: join(dir, `${name}.log`),
    ...more,
  };
}

const one = (s: Supervisor, name: string) => s.status().find((status) => status.name === name);
async function until(what: () => boolean, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!what()) {
    if (Date.now() > end) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the built-in supervisor', () => {
  it('starts again what was killed with -9', async () => {
    const s = supervisor();
    await s.apply([spec('a')]);
    const first = one(s, 'a')?.pid ?? 0;
    process.kill(first, 'SIGKILL');
    await until(() => one(s, 'a')?.state === 'running' && one(s, 'a')?.pid !== first);
    expect(one(s, 'a')).toMatchObject({ restarts: 1, lastExit: expect.stringContaining('SIGKILL') });
  });

  it('backs off from a program that ends at once, and does not hammer on a refused configuration', async () => {
    const s = supervisor();
    await s.apply([spec('quick', 'process.exit(1)'), spec('refused', 'process.exit(78)')]);
    await until(() => (one(s, 'quick')?.restarts ?? 0) >= 3);
    expect(one(s, 'refused')?.restarts).toBe(0);
    await until(() => one(s, 'refused')?.state === 'waiting');
    expect(one(s, 'refused')?.nextStartInMs).toBeGreaterThan(20_000);
    const starts = readFileSync(join(dir, 'quick.log'), 'utf8').match(/pid/g)?.length ?? 0;
    expect(starts).toBeLessThanOrEqual(6);
  });

  it('a successor adopts running children, restarts a changed one, and sees the end of an adopted one', async () => {
    const before = supervisor();
    await before.apply([spec('same'), spec('changed')]);
    const same = one(before, 'same')?.pid;
    const changed = one(before, 'changed')?.pid;
    before.leave();
    const after = supervisor();
    await after.apply([spec('same'), spec('changed', undefined, { fingerprint: 'b' })]);
    expect(one(after, 'same')).toMatchObject({ pid: same, adopted: true });
    expect(one(after, 'changed')?.pid).not.toBe(changed);
    process.kill(same ?? 0, 'SIGKILL');
    await until(() => one(after, 'same')?.state === 'running' && one(after, 'same')?.pid !== same);
  });

  it('is not fooled by a pid that belongs to another process now', async () => {
    const s = supervisor();
    const record = { pid: process.pid, startTime: 1, argv0: process.execPath, fingerprint: 'a', startedAt: 0 };
    writeFileSync(join(dir, 'pids/a.json'), JSON.stringify(record));
    await s.apply([spec('a')]);
    expect(one(s, 'a')?.pid).not.toBe(process.pid);
    const mine = { ...record, startTime: processInfo(process.pid)?.startTime, argv0: '/some/other/program' };
    writeFileSync(join(dir, 'pids/b.json'), JSON.stringify(mine));
    await s.apply([spec('a'), spec('b')]);
    expect(one(s, 'b')?.pid).not.toBe(process.pid);
  });

  it('kills what does not stop, and leaves nothing behind', async () => {
    const s = supervisor();
    await s.apply([
      spec('deaf', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)", { stopTimeoutMs: 300 }),
    ]);
    await until(() => readFileSync(join(dir, 'deaf.log'), 'utf8').includes('pid'));
    const pid = one(s, 'deaf')?.pid ?? 0;
    await s.stopAll();
    expect(isRunning(pid)).toBe(false);
  });

  it('drops root, capabilities and groups for an unprivileged process', async () => {
    if (process.getuid?.() !== 0) return;
    const s = supervisor();
    const body =
      "const fs = await import('node:fs'); console.log(fs.readFileSync('/proc/self/status', 'utf8')); setInterval(() => {}, 1000);";
    const user = { uid: 65534, gid: 65534, groups: [65534], name: 'nobody' };
    // The test's folder belongs to root alone: hand the program over on the command line.
    const argv: [string, ...string[]] = [process.execPath, '--input-type=module', '-e', body];
    await s.apply([
      spec('low', '', { argv, user }),
      spec('port', '', { argv, user, capabilities: ['net_bind_service'] }),
    ]);
    await until(() => /voluntary/.test(readFileSync(join(dir, 'low.log'), 'utf8')));
    await until(() => /voluntary/.test(readFileSync(join(dir, 'port.log'), 'utf8')));
    const low = readFileSync(join(dir, 'low.log'), 'utf8');
    expect(low).toMatch(/^Uid:\s+65534\s+65534\s+65534\s+65534$/m);
    expect(low).toMatch(/^Groups:\s+65534\s*$/m);
    expect(low).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(low).toMatch(/^CapEff:\s+0{16}$/m);
    expect(low).toMatch(/^CapBnd:\s+0{16}$/m);
    expect(low).toMatch(/^Umask:\s+0007$/m);
    expect(readFileSync(join(dir, 'port.log'), 'utf8')).toMatch(/^CapEff:\s+0{13}400$/m);
  });

  it('starts a daemon of the machine only while nothing answers, and does not stop it', async () => {
    const s = supervisor();
    const socket = join(dir, 'engine.sock');
    const body = `const { createServer } = await import('node:net'); const { rmSync } = await import('node:fs'); rmSync('${socket}', { force: true }); createServer((c) => c.end()).listen('${socket}');`;
    const shared = spec('engine', body, { shared: true, health: { type: 'socket', socket } });
    await s.apply([shared]);
    await until(() => one(s, 'engine')?.state === 'machine' && one(s, 'engine')?.pid !== null);
    const pid = one(s, 'engine')?.pid ?? 0;
    const second = supervisor();
    await second.apply([shared]);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(one(second, 'engine')?.pid).toBeNull();
    process.kill(pid, 'SIGKILL');
    await until(() =>
      [one(s, 'engine')?.pid, one(second, 'engine')?.pid].some(
        (p) => p !== null && p !== undefined && p !== pid && isRunning(p),
      ),
    );
    await s.stopAll();
    await second.stopAll();
    const again = [one(s, 'engine')?.pid, one(second, 'engine')?.pid].filter(
      (p) => p !== null && p !== undefined && isRunning(p),
    );
    expect(again.length).toBeGreaterThan(0);
    for (const p of again) process.kill(p as number, 'SIGKILL');
  });
});
