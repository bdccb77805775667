import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { passesEnvironment, readPublicKey, readSshUser, SSH_KEY_LENGTH_MAX } from './ssh.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-keys-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let made = 0;
function keygen(...argv: string[]): { line: string; privateKey: string } {
  const file = join(dir, `key${made++}`);
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'ada@laptop', '-f', file, ...argv]);
  return { line: readFileSync(`${file}.pub`, 'utf8'), privateKey: readFileSync(file, 'utf8') };
}
const problemOf = (text: string): string | undefined => {
  const read = readPublicKey(text);
  return 'problem' in read ? read.problem : undefined;
};

describe('V4: public keys as ssh-keygen makes them', () => {
  it.each([
    ['ssh-ed25519', 256, ['-t', 'ed25519']],
    ['ecdsa-sha2-nistp256', 256, ['-t', 'ecdsa', '-b', '256']],
    ['ecdsa-sha2-nistp384', 384, ['-t', 'ecdsa', '-b', '384']],
    ['ecdsa-sha2-nistp521', 521, ['-t', 'ecdsa', '-b', '521']],
    ['ssh-rsa', 3072, ['-t', 'rsa', '-b', '3072']],
  ] as const)('%s is read', (type, bits, argv) => {
    expect(readPublicKey(keygen(...argv).line)).toMatchObject({ type, bits, comment: 'ada@laptop' });
  });

  it('weak, private and other kinds of keys are refused with words that help', () => {
    expect(problemOf(keygen('-t', 'rsa', '-b', '2048').line)).toContain('2048 bits');
    expect(problemOf(keygen('-t', 'ed25519').privateKey)).toContain('private key');
    const { line } = keygen('-t', 'ed25519');
    const base64 = line.split(' ')[1] ?? '';
    expect(problemOf(`sk-ssh-ed25519@openssh.com ${base64}`)).toContain('not supported');
    expect(problemOf(`ssh-dss ${base64}`)).toContain('DSA');
    expect(problemOf(`ssh-ed25519-cert-v01@openssh.com ${base64}`)).toContain('certificate');
    // What says one thing in front and is another inside.
    expect(problemOf(`ssh-rsa ${base64}`)).toContain('Not a public key');
    expect(problemOf(`${line.trim()}\n${line}`)).toContain('Not a public key');
    expect(problemOf(`command="x" ${line}`)).toContain('Not a public key');
    expect(problemOf(`ssh-ed25519 ${'A'.repeat(SSH_KEY_LENGTH_MAX)}`)).toContain('too long');
  });

  it('a key cut short or changed in length anywhere is refused, whatever the bytes', () => {
    const whole = readPublicKey(keygen('-t', 'rsa', '-b', '3072').line);
    if ('problem' in whole) throw new Error(whole.problem);
    const bytes = Buffer.from(whole.blob);
    for (let end = 0; end < bytes.length; end++) {
      expect(problemOf(`ssh-rsa ${bytes.subarray(0, end).toString('base64')}`), String(end)).toBeDefined();
    }
    expect(problemOf(`ssh-rsa ${Buffer.concat([bytes, Buffer.alloc(4)]).toString('base64')}`)).toBeDefined();
    fc.assert(fc.property(fc.string(), (text) => void readPublicKey(text)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (some) => {
        expect(problemOf(`ssh-ed25519 ${Buffer.from(some).toString('base64')}`)).toBeDefined();
      }),
    );
  });
});

describe('V4: user names at the gateway', () => {
  it('name a server, also with its project and organization', () => {
    expect(readSshUser('web')).toEqual({ instance: 'web', project: null, organization: null });
    expect(readSshUser('Web.Shop')).toEqual({ instance: 'web', project: 'shop', organization: null });
    expect(readSshUser('web.shop.acme')).toEqual({ instance: 'web', project: 'shop', organization: 'acme' });
  });
  it.each([
    '',
    '.',
    'web.',
    '.shop',
    'a.b.c.d',
    '-web',
    'web-',
    'we b',
    'wéb',
    'root@web',
    '../web',
    `w${'x'.repeat(63)}`,
  ])('nothing else: %j', (name) => expect(readSshUser(name)).toBeNull());
});

it('V4: of the environment only what changes no program passes', () => {
  for (const name of ['LANG', 'LC_ALL', 'TERM', 'GIT_PROTOCOL']) expect(passesEnvironment(name)).toBe(true);
  for (const name of ['LD_PRELOAD', 'PATH', 'BASH_ENV', 'LC_', 'lang', 'SSH_AUTH_SOCK']) {
    expect(passesEnvironment(name), name).toBe(false);
  }
});
