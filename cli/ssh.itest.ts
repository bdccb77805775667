/** The ssh commands of the CLI against the real control plane in this process; `ssh` itself is a stand-in that says how it was called. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InstanceId, SshRecordingId, UserId } from '#domain/ids.ts';
import { makeInstance, type Place } from '#testkit/factories.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { PASSWORD, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { addSshRecording, addSshSessionRow, fingerprintOfLine, makePublicKey } from '#testkit/ssh-rows.ts';
import { runCli } from './testing.ts';

const HOST_KEY = makePublicKey('the gateway').split(' ').slice(0, 2).join(' ');
let server: TestServer;
let owner: SetUp;
let box = '';
let instance: InstanceId;
const savedPath = process.env.PATH;

const berth = (argv: string[], stdin?: string) =>
  runCli(argv, { env: { HOME: box }, now: Date.now(), ...(stdin === undefined ? {} : { stdin }) });
async function ok(...argv: string[]): Promise<string> {
  const ran = await berth(argv);
  expect(ran.code, `${argv.join(' ')}: ${ran.err}`).toBe(0);
  return ran.out;
}
async function json<T>(...argv: string[]): Promise<T> {
  return JSON.parse(await ok(...argv, '--json')) as T;
}
const place = (): Place => ({
  organization: owner.organization,
  project: owner.project,
  person: owner.owner.userId as UserId,
});

beforeAll(async () => {
  box = mkdtempSync(join(tmpdir(), 'berth-cli-ssh-'));
  mkdirSync(join(box, 'recordings'));
  writeFileSync(join(box, 'host_keys.pub'), `${HOST_KEY}\n`);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  server = await startTestServer({
    database: await withDatabase(),
    config: {
      consoleOrigin: url,
      ssh: {
        port: 2222,
        socket: join(box, 'ssh.sock'),
        hostKeysFile: join(box, 'host_keys.pub'),
        recordings: join(box, 'recordings'),
      },
    },
    work: { withoutReconcilers: true },
  });
  owner = await server.setUp();
  await server.http.fastify.listen({ host: '127.0.0.1', port });
  const login = ['login', '--url', url, '--email', 'owner@example.test', '--password-stdin'];
  expect(await berth(login, `${PASSWORD}\n`)).toMatchObject({ code: 0 });
  instance = await makeInstance(server.app.db, place(), { phase: 'ready', observed: 'running', name: 'web' });
});
afterAll(async () => {
  process.env.PATH = savedPath;
  await server?.stop();
  rmSync(box, { recursive: true, force: true });
});

it('V4: ssh-keys add, list and remove; a private key never leaves the machine', async () => {
  const line = makePublicKey('ada@laptop');
  const file = join(box, 'id.pub');
  writeFileSync(file, `${line}\n`);
  expect(await ok('ssh-keys', 'add', file)).toContain(fingerprintOfLine(line));
  const { items } = await json<{ items: { label: string; fingerprint: string }[] }>('ssh-keys', 'list');
  expect(items).toMatchObject([{ label: 'ada@laptop', fingerprint: fingerprintOfLine(line) }]);
  writeFileSync(join(box, 'id'), '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n');
  const refused = await berth(['ssh-keys', 'add', join(box, 'id')]);
  expect(refused.code).toBe(2);
  expect(refused.err).toContain('private key');
  const other = makePublicKey('from a pipe');
  expect((await berth(['ssh-keys', 'add', '-', '--label', 'piped'], `${other}\n`)).code).toBe(0);
  expect(await ok('ssh-keys', 'remove', 'piped')).toContain('removed');
  expect((await berth(['ssh-keys', 'remove', 'nobody'])).code).toBe(2);
});

it('V4: ssh-config prints entries that ssh itself understands, with the host key of the gateway known', async () => {
  const text = await ok('ssh-config', 'web');
  const file = join(box, 'ssh_config');
  writeFileSync(file, text);
  const { execFileSync } = await import('node:child_process');
  const read = execFileSync('ssh', ['-G', '-F', file, 'web'], { encoding: 'utf8' });
  // Not every resolver knows names below .localhost; the key is looked up under the gateway's own name.
  expect(read).toMatch(/^hostname localhost$/m);
  expect(read).toMatch(/^hostkeyalias \[berth\.localhost\]:2222$/m);
  expect(read).toMatch(/^port 2222$/m);
  expect(read).toMatch(/^user web\.[a-z0-9-]+$/m);
  const known = /UserKnownHostsFile (\S+)/.exec(text)?.[1] ?? '';
  expect(readFileSync(known, 'utf8')).toBe(`[berth.localhost]:2222 ${HOST_KEY}\n`);
  // While the key is being changed both are known.
  const next = makePublicKey('next').split(' ').slice(0, 2).join(' ');
  writeFileSync(join(box, 'host_keys.pub'), `${HOST_KEY}\n${next}\n`);
  await ok('ssh-config', 'web');
  expect(readFileSync(known, 'utf8').trim().split('\n')).toHaveLength(2);
  expect((await berth(['ssh-config'])).code).toBe(2);
});

it('V4: ssh calls the ssh of this machine with checked host keys, and its exit code is the answer', async () => {
  const programs = join(box, 'programs');
  mkdirSync(programs);
  writeFileSync(join(programs, 'ssh'), `#!/bin/sh\nprintf '%s\\n' "$@" > ${join(box, 'called')}\nexit 7\n`);
  chmodSync(join(programs, 'ssh'), 0o755);
  process.env.PATH = `${programs}:${savedPath}`;
  const ran = await berth(['ssh', '-L', '5432:127.0.0.1:5432', 'web', '--', 'ls', '-l']);
  process.env.PATH = savedPath;
  expect(ran.code).toBe(7);
  const called = readFileSync(join(box, 'called'), 'utf8').trim().split('\n');
  expect(called).toContain('StrictHostKeyChecking=yes');
  expect(called.slice(called.indexOf('-L'), called.indexOf('-L') + 2)).toEqual(['-L', '5432:127.0.0.1:5432']);
  const end = called.slice(called.indexOf('--'));
  expect(end[1]).toMatch(/^web\.[a-z0-9-]+@berth\.localhost$/);
  expect(end.slice(2)).toEqual(['ls', '-l']);
  expect((await berth(['ssh', 'nothing-like-it'])).code).not.toBe(0);
});

it('V4: ssh-sessions lists who is in and ends a connection', async () => {
  expect(await ok('ssh-sessions', 'list', 'web')).toContain('Nobody has connected');
  const session = await addSshSessionRow(server.app.db, place(), instance, place().person);
  expect(await ok('ssh-sessions', 'list', 'web')).toMatch(/owner@example\.test.*192\.0\.2\.7.*connected/);
  expect(await ok('ssh-sessions', 'end', 'web', session)).toContain('ends now');
  const { items } = await json<{ items: { id: string; ending: boolean }[] }>('ssh-sessions', 'list', 'web');
  expect(items).toMatchObject([{ id: session, ending: true }]);
  expect((await berth(['ssh-sessions', 'end', 'web', `shs_${'0'.repeat(26)}`])).code).not.toBe(0);
});

it('V4: ssh-recordings: on, off, policy, list, get and delete', async () => {
  expect(await ok('ssh-recordings', 'on', 'web')).toContain('recorded from now on');
  expect(await ok('ssh-recordings', 'policy', '--all', '--days', '9')).toContain('kept for 9 days');
  expect(await ok('ssh-recordings', 'off', 'web')).toContain('its organization does');
  expect(await json('ssh-recordings', 'policy', '--chosen')).toMatchObject({ enabled: false, days: 9 });
  expect((await berth(['ssh-recordings', 'policy', '--days', '0'])).code).toBe(2);
  const made = await addSshRecording({ db: server.app.db, place: place() });
  const { instance: of, recording } = made.params as { instance: InstanceId; recording: SshRecordingId };
  writeFileSync(join(box, 'recordings', `${recording}.cast`), '{"version":2,"width":80,"height":24}\n[0.1,"o","hi"]\n');
  expect(await ok('ssh-recordings', 'list', of)).toContain(recording);
  expect(await ok('ssh-recordings', 'get', of, recording, join(box, 'taken.cast'))).toContain('taken.cast');
  expect(readFileSync(join(box, 'taken.cast'), 'utf8')).toContain('"hi"');
  expect((await berth(['ssh-recordings', 'get', of, recording, join(box, 'taken.cast')])).code).toBe(2);
  expect(await ok('ssh-recordings', 'delete', of, recording, '--yes')).toContain('deleted');
  expect(await ok('ssh-recordings', 'list', of)).toContain('Nothing was recorded');
});
