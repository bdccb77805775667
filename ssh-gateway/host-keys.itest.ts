/** Changing the gateway's host key with a real OpenSSH client and its known_hosts. */
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { sshHostKeyWatcher } from '#server/reconcilers/ssh-host-key-watcher.ts';
import { freePort } from '#testkit/ingress.ts';
import { SshStack } from '#testkit/ssh.ts';

let stack: SshStack;
let guest: Awaited<ReturnType<SshStack['guest']>>;
let key: string;
beforeAll(async () => {
  stack = await SshStack.start();
  guest = await stack.guest();
  const pair = await stack.keyPair();
  key = pair.file;
  await stack.home.owner.call(api.sshKeysAdd, { body: { publicKey: pair.line, label: 'laptop' } });
});
afterAll(() => stack?.close());

const file = (name: string) => join(stack.dir, name);
const publicKey = (name: string) => readFileSync(file(name), 'utf8').trim().split(' ')[1] ?? '';
const known = () => readFileSync(file('own_known_hosts'), 'utf8');
/** A person's own ssh: with a known_hosts of theirs that it may extend. */
const connect = (more: string[] = [], command = 'echo in') => {
  const options = [
    ...[
      '-F',
      '/dev/null',
      '-o',
      `UserKnownHostsFile=${file('own_known_hosts')}`,
      '-o',
      'GlobalKnownHostsFile=/dev/null',
    ],
    ...['-o', 'StrictHostKeyChecking=yes', '-o', 'UpdateHostKeys=yes', '-o', 'IdentityAgent=none'],
    ...['-i', key, '-o', 'BatchMode=yes', '-p', String(stack.port), ...more],
  ];
  return stack.run(['ssh', ...options, `${guest.name}@127.0.0.1`, command]);
};
const audited = () =>
  stack.server.app.db
    .selectFrom('audit')
    .select(['before', 'after'])
    .where('action', '=', 'platform.ssh-host-keys')
    .execute();

it('V4: the host key changes under people who have been in between, without a question and without a cut', async () => {
  const old = publicKey('host_key.pub');
  writeFileSync(file('own_known_hosts'), `[127.0.0.1]:${stack.port} ssh-ed25519 ${old}\n`);
  writeFileSync(file('stranger_known_hosts'), known());
  expect((await connect()).stdout).toBe('in\n');
  expect(known().trim().split('\n')).toHaveLength(1);
  const lives = stack.open(guest.name, key, ['echo up; sleep 120']);
  // The next key is made and announced; it takes no restart.
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file('host_key.next')]);
  const later = publicKey('host_key.next.pub');
  const first = await connect();
  expect(first, stack.logs().slice(-2_000)).toMatchObject({ code: 0, stdout: 'in\n' });
  expect(known()).toContain(old);
  expect(known()).toContain(later);
  // Forwards of the server that are asked for at the same time get their own answers.
  const forwarded = await connect(['-o', 'ExitOnForwardFailure=yes', '-R', `${await freePort()}:127.0.0.1:9`]);
  expect(forwarded).toMatchObject({ code: 0, stdout: 'in\n' });
  // The switch.
  renameSync(file('host_key.next'), file('host_key'));
  renameSync(file('host_key.next.pub'), file('host_key.pub'));
  const after = await connect();
  expect(after).toMatchObject({ code: 0, stdout: 'in\n' });
  expect(after.stderr).not.toContain('WARNING');
  expect(known()).toContain(later);
  expect(known(), 'the old key is forgotten').not.toContain(old);
  expect(lives.child.exitCode).toBeNull();
  lives.child.kill();
  await lives.ended;
  // Who was not there in between is told, by their own client.
  const stranger = await connect(['-o', `UserKnownHostsFile=${file('stranger_known_hosts')}`]);
  expect(stranger.code).toBe(0);
  const options = [
    '-F',
    '/dev/null',
    '-o',
    `UserKnownHostsFile=${file('stranger_known_hosts')}`,
    '-o',
    'BatchMode=yes',
  ];
  const warned = await stack.run([
    ...['ssh', ...options, '-o', 'StrictHostKeyChecking=yes', '-i', key, '-p', String(stack.port)],
    ...[`${guest.name}@127.0.0.1`, 'true'],
  ]);
  expect(warned.code).toBe(255);
  expect(warned.stderr).toContain('REMOTE HOST IDENTIFICATION HAS CHANGED');
});

it('V4: people are told of the keys there are now, and a change stands in the audit log', async () => {
  const watcher = sshHostKeyWatcher(stack.server.app.services, file('host_keys.pub'));
  const run = () => watcher.run(new AbortController().signal);
  expect(await run()).toContain('its host keys');
  expect(await run()).toBeNull();
  writeFileSync(file('host_keys.pub'), readFileSync(file('host_key.pub')));
  const { gateway } = await stack.home.owner.call(api.sshAccess, { params: { instance: guest.id } });
  expect(gateway?.knownHosts).toEqual([`[berth.localhost]:${stack.port} ssh-ed25519 ${publicKey('host_key.pub')}`]);
  expect(await run()).toContain('other host keys');
  const rows = await audited();
  expect(rows).toHaveLength(2);
  expect(rows[1]?.before).not.toEqual(rows[1]?.after);
});
