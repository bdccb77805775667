/**
 * How the SSH gateway gets into a server: with a key that only this agent has. Each server trusts a key of its own,
 * derived from one secret of the agent; the agent signs exactly one kind of thing with it, a login of one user on one
 * connection, and never gives it away. Nothing is kept beside the secret.
 */
import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { readPublicKey, SSH_GUEST_USER } from '#domain/ssh.ts';
import type { Engine } from './engine.ts';
import type { KeyedLocks } from './locks.ts';

const SECRET_BYTES = 32;
/** DER in front of the 32 bytes of an ed25519 private key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_TYPE = 'ssh-ed25519';

const KEY_FILE = '/etc/ssh/berth_gateway_keys';
const CONFIG_FILE = '/etc/ssh/sshd_config.d/05-berth-gateway.conf';
/** Two names, because a person's own keys go on working as well. */
const CONFIG = `# Berth's SSH gateway signs in with the key in the last file. Written anew when it is changed.
AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 ${KEY_FILE}
PubkeyAuthentication yes
`;
const HOST_KEY_DIR = '/etc/ssh';
const HOST_KEY_NAME = /^ssh_host_[a-z0-9]{1,20}_key\.pub$/;
const HOST_KEYS_MAX = 8;
const FILE_BYTES_MAX = 8 * 1024;
const RELOAD_MS_MAX = 10_000;

/** SSH_MSG_USERAUTH_REQUEST */
const USERAUTH_REQUEST = 50;
const SESSION_ID_BYTES = { min: 20, max: 64 };

type LoginKey = { privateKey: KeyObject; blob: Buffer; line: string };

const field = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

export class SshLogins {
  readonly #engine: Engine;
  readonly #locks: KeyedLocks;
  readonly #secret: Buffer;

  constructor(engine: Engine, locks: KeyedLocks, stateDir: string) {
    this.#engine = engine;
    this.#locks = locks;
    this.#secret = readSecret(stateDir);
  }

  /**
   * Sees to it that the server lets the gateway in, and answers the key it does so with. Errors: not_found,
   * state_conflict when it does not run.
   */
  async prepare(instance: InstanceId): Promise<{ publicKey: string }> {
    await this.#running(instance);
    const { line } = this.#key(instance);
    await this.#locks.run(`ssh ${instance}`, async () => {
      await this.#ensure(instance, KEY_FILE, `${line} berth-gateway\n`);
      if (!(await this.#ensure(instance, CONFIG_FILE, CONFIG))) return;
      // sshd reads its configuration at its start; one that is not there reads it when it comes.
      await this.#engine.exec(instance, ['systemctl', 'try-reload-or-restart', 'ssh.service'], {
        timeoutMs: RELOAD_MS_MAX,
        bytesMax: FILE_BYTES_MAX,
      });
    });
    return { publicKey: line };
  }

  /** Signs one login as the account for people. Errors: invalid_input for everything else, not_found. */
  async sign(instance: InstanceId, data: string): Promise<{ signature: string }> {
    const key = this.#key(instance);
    const bytes = Buffer.from(data, 'base64');
    if (!isLogin(bytes, key.blob)) throw new BerthError('invalid_input', 'This is no login of the SSH gateway.');
    await this.#running(instance);
    return { signature: sign(null, bytes, key.privateKey).toString('base64') };
  }

  /** What the server proves itself with, as `<type> <base64>`. Errors: not_found, state_conflict (none yet). */
  async hostKeys(instance: InstanceId): Promise<{ publicKeys: string[] }> {
    await this.#running(instance);
    const names = (await this.#engine.readDirectory(instance, HOST_KEY_DIR)).filter((name) => HOST_KEY_NAME.test(name));
    const publicKeys: string[] = [];
    for (const name of names.sort().slice(0, HOST_KEYS_MAX)) {
      const file = await this.#engine.readFile(instance, `${HOST_KEY_DIR}/${name}`, FILE_BYTES_MAX);
      const key = file === null ? null : readPublicKey(file.content.toString('latin1'));
      if (key !== null && !('problem' in key)) publicKeys.push(`${key.type} ${key.base64}`);
    }
    if (publicKeys.length === 0) throw new BerthError('state_conflict', 'It has no SSH host keys yet.');
    return { publicKeys };
  }

  async #running(instance: InstanceId): Promise<void> {
    const guest = await this.#engine.observe(instance);
    if (guest === null) throw notFound('instance on this host');
    if (guest.state !== 'running') throw new BerthError('state_conflict', 'Start it first.');
  }

  /** True when the file had to be written. */
  async #ensure(instance: InstanceId, path: string, content: string): Promise<boolean> {
    const file = await this.#engine.readFile(instance, path, FILE_BYTES_MAX);
    const isRight = file !== null && file.content.toString('utf8') === content && file.uid === 0 && file.gid === 0;
    if (isRight && (file.mode & 0o777) === 0o644) return false;
    await this.#engine.writeFile(instance, path, content, 0o644);
    return true;
  }

  #key(instance: InstanceId): LoginKey {
    const seed = Buffer.from(hkdfSync('sha256', this.#secret, 'berth ssh login', instance, 32));
    const privateKey = createPrivateKey({
      key: Buffer.concat([PKCS8_PREFIX, seed]),
      format: 'der',
      type: 'pkcs8',
    });
    const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
    const blob = Buffer.concat([field(Buffer.from(KEY_TYPE)), field(Buffer.from(x, 'base64url'))]);
    return { privateKey, blob, line: `${KEY_TYPE} ${blob.toString('base64')}` };
  }
}

/** RFC 4252, section 7: the identifier of the connection, then a request of the one user to sign in with this key. */
export function isLogin(bytes: Buffer, blob: Buffer): boolean {
  if (bytes.length < 4) return false;
  const length = bytes.readUInt32BE(0);
  if (length < SESSION_ID_BYTES.min || length > SESSION_ID_BYTES.max) return false;
  const request = Buffer.concat([
    Buffer.from([USERAUTH_REQUEST]),
    field(Buffer.from(SSH_GUEST_USER)),
    field(Buffer.from('ssh-connection')),
    field(Buffer.from('publickey')),
    Buffer.from([1]),
    field(Buffer.from(KEY_TYPE)),
    field(blob),
  ]);
  return bytes.subarray(4 + length).equals(request);
}

/** Made once; whoever reads it could enter every server of this host, so it is root's alone and never leaves. */
function readSecret(stateDir: string): Buffer {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, 'ssh-login.key');
  try {
    const secret = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
    if (secret.length === SECRET_BYTES) return secret;
    throw new Error(`${path} is damaged`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secret = randomBytes(SECRET_BYTES);
  writeFileSync(`${path}.tmp`, `${secret.toString('base64')}\n`, { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
  return secret;
}
