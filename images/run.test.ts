import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildImage, machineArch } from './build.ts';
import { prune } from './customise.ts';
import { mountsBelow, removeAbandoned } from './leftovers.ts';
import { imageMetadata } from './pack.ts';
import { recipes } from './recipes.ts';
import { confined, run, runForText } from './run.ts';

it('arguments are never read by a shell', async () => {
  const sharp = ['$(id)', '`id`', '; id', '&& id', '*'];
  expect(await runForText('printf', ['%s\\n', ...sharp])).toBe(sharp.join('\n'));
});

it('a failing command tells its last words in the detail and not in the message', async () => {
  await expect(run('ls', ['/nonexistent-berth'])).rejects.toMatchObject({
    code: 'internal',
    message: 'ls ended with exit code 2.',
    detail: expect.stringContaining('nonexistent-berth'),
  });
  await expect(run('/nonexistent-berth', [])).rejects.toMatchObject({ message: expect.stringContaining('installed?') });
});

it('an abort ends the command and all that it started', async () => {
  const abort = new AbortController();
  const reason = new Error('stopped');
  const pids: number[] = [];
  const script = `const c = require('node:child_process').spawn('sleep', ['600']); console.log(process.pid); console.log(c.pid); setInterval(() => {}, 1000)`;
  const running = run(process.execPath, ['-e', script], {
    signal: abort.signal,
    onLine: (line) => {
      pids.push(Number(line));
      if (pids.length === 2) abort.abort(reason);
    },
  });
  await expect(running).rejects.toBe(reason);
  for (const pid of pids)
    await expect
      .poll(() => runForText('ps', ['-o', 'stat=', '-p', String(pid)]).catch(() => 'gone'))
      .toMatch(/^(gone|Z.*)$/);
});

it.each(['', 'nothing', '../server', 'server;id', '__proto__'])('U6: building %j is refused clearly', async (name) => {
  await expect(buildImage({ name, workDir: '/tmp/x', arch: machineArch() })).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringContaining('server, desktop'),
  });
});

it('U6: a relative work directory and a foreign architecture are refused', async () => {
  await expect(buildImage({ name: 'server', workDir: 'x', arch: machineArch() })).rejects.toMatchObject({
    code: 'invalid_input',
  });
  for (const arch of ['riscv64', '', machineArch() === 'amd64' ? 'arm64' : 'amd64']) {
    await expect(buildImage({ name: 'server', workDir: '/tmp/x', arch })).rejects.toMatchObject({
      code: 'unsupported',
    });
  }
});

it('U6: a build that was called off before it began leaves nothing', async () => {
  const workDir = mkdtempSync(join(tmpdir(), 'berth-build-'));
  const signal = AbortSignal.abort(new Error('no'));
  await expect(buildImage({ name: 'server', workDir, arch: machineArch(), signal })).rejects.toThrow();
  expect(readdirSync(workDir)).toEqual([]);
  rmSync(workDir, { recursive: true });
});

it('U6: removal stays below the root', () => {
  const root = mkdtempSync(join(tmpdir(), 'berth-prune-'));
  mkdirSync(join(root, 'a/b'), { recursive: true });
  writeFileSync(join(root, 'a/b/x.map'), '');
  writeFileSync(join(root, 'a/b/x.js'), '');
  prune(root, ['a/**/*.map', 'missing/*']);
  expect(readdirSync(join(root, 'a/b'))).toEqual(['x.js']);
  for (const unsafe of ['/etc', '../x', 'a/../../x']) expect(() => prune(root, [unsafe])).toThrow(/unsafe/);
  rmSync(root, { recursive: true });
});

it('A5: the metadata names the recipe by hash and the templates that give each machine its name', () => {
  const parsed: unknown = JSON.parse(imageMetadata(recipes.server, 'amd64', 'abc', new Date(1_700_000_000_000)));
  expect(parsed).toMatchObject({
    architecture: 'x86_64',
    creation_date: 1_700_000_000,
    properties: { os: 'Debian', release: 'trixie', variant: 'server', 'berth.recipe': 'abc' },
    templates: { '/etc/hostname': { when: ['create', 'copy', 'rename'] }, '/etc/hosts': {} },
  });
});

it('U6: what a confined program mounts is not seen outside and goes with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-confined-'));
  const look = `require('node:child_process').execFileSync('mount', ['-t', 'tmpfs', 'x', '${folder}']); console.log(process.pid, require('node:fs').readFileSync('/proc/self/mountinfo', 'utf8').includes('${folder}'))`;
  expect(await runForText(...confined([process.execPath, '-e', look]))).toBe('1 true');
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
  rmSync(folder, { recursive: true });
});

it('U6: folders of dead builders are removed, those of living ones stay', async () => {
  const workDir = mkdtempSync(join(tmpdir(), 'berth-left-'));
  for (const name of ['build-999999999-abc', `build-${process.pid}-abc`, 'out', 'build-notes'])
    mkdirSync(join(workDir, name));
  await removeAbandoned(workDir);
  expect(readdirSync(workDir).sort()).toEqual([`build-${process.pid}-abc`, 'build-notes', 'out']);
  rmSync(workDir, { recursive: true });
});

it('U6: mount points below a folder are found, its neighbours are not', () => {
  const line = (point: string) => `36 35 98:0 / ${point} rw,noatime - ext4 /dev/root rw`;
  const text = [line('/w/build-1/root/proc'), line('/w/build-10'), line('/w/build-1\\040x'), line('/')].join('\n');
  expect(mountsBelow('/w/build-1', text)).toEqual(['/w/build-1/root/proc']);
  expect(mountsBelow('/w', text)).toContain('/w/build-1 x');
});
