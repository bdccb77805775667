import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InstanceId } from '#domain/ids.ts';
import type { Engine } from './engine.ts';
import { KeyedLocks } from './locks.ts';
import { isLogin, SshLogins } from './ssh.ts';

const here = 'ins_01ja0c9r8e2m4k6t8v0x2z4b6d' as InstanceId;
const there = 'ins_01ja0c9r8e2m4k6t8v0x2z4b6e' as InstanceId;
let dir = '';
let logins: SshLogins;

/** An engine with two running guests that remember what is written to them. */
const files = new Map<string, { content: Buffer; mode: number; uid: number; gid: number }>();
const ran: string[] = [];
const engine = {
  observe: async (instance: InstanceId) => ({
    instance,
    state: instance === here || instance === there ? 'running' : 'stopped',
  }),
  readFile: async (instance: InstanceId, path: string) => files.get(`${instance}${path}`) ?? null,
  writeFile: async (instance: InstanceId, path: string, content: string, mode: number) => {
    files.set(`${instance}${path}`, { content: Buffer.from(content), mode, uid: 0, gid: 0 });
  },
  exec: async (_: InstanceId, argv: readonly string[]) => {
    ran.push(argv.join(' '));
    return { code: 0, stdout: '', stderr: '' };
  },
} as unknown as Engine;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-ssh-'));
  logins = new SshLogins(engine, new KeyedLocks(), dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const field = (bytes: Buffer | string): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(bytes));
  return Buffer.concat([length, Buffer.from(bytes as string)]);
};
const login = (
  line: string,
  change: Partial<{ id: Buffer; user: string; service: string; method: string; tail: Buffer }> = {},
) => {
  const blob = Buffer.from(line.split(' ')[1] ?? '', 'base64');
  return Buffer.concat([
    field(change.id ?? randomBytes(32)),
    Buffer.from([50]),
    field(change.user ?? 'berth'),
    field(change.service ?? 'ssh-connection'),
    field(change.method ?? 'publickey'),
    Buffer.from([1]),
    field('ssh-ed25519'),
    field(blob),
    change.tail ?? Buffer.alloc(0),
  ]);
};

it('V4: every server trusts a key of its own, the same after a restart of the agent', async () => {
  const { publicKey } = await logins.prepare(here);
  const other = await logins.prepare(there);
  expect(other.publicKey).not.toBe(publicKey);
  expect(await new SshLogins(engine, new KeyedLocks(), dir).prepare(here)).toEqual({ publicKey });
  expect(statSync(join(dir, 'ssh-login.key')).mode & 0o777).toBe(0o600);
  expect(files.get(`${here}/etc/ssh/berth_gateway_keys`)?.content.toString()).toContain(publicKey);
});

it('V4: sshd is told once, and again when somebody changed the file', async () => {
  ran.length = 0;
  await logins.prepare(here);
  expect(ran).toEqual([]);
  files.delete(`${here}/etc/ssh/sshd_config.d/05-berth-gateway.conf`);
  await logins.prepare(here);
  expect(ran).toEqual(['systemctl try-reload-or-restart ssh.service']);
});

it('V4: the agent signs a login at one named server and nothing else', async () => {
  const { publicKey } = await logins.prepare(here);
  const data = login(publicKey);
  const { signature } = await logins.sign(here, data.toString('base64'));
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: blob.subarray(-32).toString('base64url') },
    format: 'jwk',
  });
  expect(verify(null, data, key, Buffer.from(signature, 'base64'))).toBe(true);
  const { publicKey: stranger } = { publicKey: (await logins.prepare(there)).publicKey };
  const refused: [string, Buffer][] = [
    ['the key of another server', login(stranger)],
    ['root', login(publicKey, { user: 'root' })],
    ['another service', login(publicKey, { service: 'ssh-userauth' })],
    ['another method', login(publicKey, { method: 'hostbased' })],
    ['something behind it', login(publicKey, { tail: Buffer.from('x') })],
    ['a short identifier', login(publicKey, { id: randomBytes(8) })],
    ['nothing', Buffer.alloc(0)],
    ['a certificate request', Buffer.from('SSHSIG')],
    ['half of it', data.subarray(0, data.length - 1)],
  ];
  for (const [what, bytes] of refused) {
    await expect(logins.sign(here, bytes.toString('base64')), what).rejects.toMatchObject({ code: 'invalid_input' });
  }
  for (let end = 0; end < data.length; end++) expect(isLogin(data.subarray(0, end), blob)).toBe(false);
});

it('V4: nothing is signed for a server that does not run here', async () => {
  const away = 'ins_01ja0c9r8e2m4k6t8v0x2z4b6f' as InstanceId;
  await expect(logins.prepare(away)).rejects.toMatchObject({ code: 'state_conflict' });
  const { publicKey } = generateKeyPairSync('ed25519');
  expect(publicKey.asymmetricKeyType).toBe('ed25519');
});
