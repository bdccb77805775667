/**
 * Secrets at rest: AES-256-GCM. A sealed value is `v1.<key id>.<nonce>.<tag + text>` (base64url); the table, row and
 * column it belongs to are authenticated with it, so that a sealed value copied to another row does not open there.
 * Values in the database are sealed with sealing keys, which change (`berth keys rotate`); those are sealed with the
 * master key, which never leaves its file.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { BerthError } from '#domain/errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Where a secret lives. */
export type SecretPlace = { table: string; row: string; column: string };

export type SecretBox = {
  seal(place: SecretPlace, secret: string): string;
  /** Errors: internal when it was sealed elsewhere, with a key that is not here, or changed. */
  open(place: SecretPlace, sealed: string): string;
};

/** The key file does not hold what the database was sealed with: the process must not start. */
export class KeyMissing extends Error {
  constructor(keyIds: readonly string[]) {
    super(
      `secrets in the database were sealed with ${keyIds.length === 1 ? 'the key' : 'the keys'} ${keyIds.join(', ')}, and the key file does not have ${keyIds.length === 1 ? 'it' : 'them'}. ` +
        'Put the right master.key back (docs/runbooks/keys.md). Nothing was changed.',
    );
    this.name = 'KeyMissing';
  }
}

/** Every key this process has, by id; one of them seals. */
export class KeyRing implements SecretBox {
  readonly #keys = new Map<string, Buffer>();
  #current: string;
  /** Id of the newest master key: what seals sealing keys. */
  readonly masterId: string;

  /**
   * `masterKey` is the text of the key file: 32 bytes in base64 on the first line; further lines are older master keys.
   * Until `use` is called the master key seals. Errors: Error when it is not; the process must not start without it.
   */
  constructor(masterKey: string) {
    const ids = decodeKeys(masterKey).map((key) => this.add(key));
    this.#current = this.masterId = ids[0] as string;
  }

  /** Answers the id of the key. */
  add(key: Buffer): string {
    const id = keyIdOf(key);
    this.#keys.set(id, key);
    return id;
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /** From now on this key seals. Errors: Error when it is not here. */
  use(id: string): void {
    if (!this.#keys.has(id)) throw new Error(`there is no key ${id}`);
    this.#current = id;
  }

  get currentId(): string {
    return this.#current;
  }

  seal(place: SecretPlace, secret: string): string {
    return this.sealWith(this.#current, place, secret);
  }

  sealWith(keyId: string, place: SecretPlace, secret: string): string {
    const key = this.#keys.get(keyId);
    if (key === undefined)
      throw new BerthError('internal', 'A secret cannot be sealed.', { detail: `key id ${keyId}` });
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(bind(place, keyId));
    const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    const payload = Buffer.concat([cipher.getAuthTag(), text]);
    return `v1.${keyId}.${nonce.toString('base64url')}.${payload.toString('base64url')}`;
  }

  open(place: SecretPlace, sealed: string): string {
    const [version, id, nonce, payload] = sealed.split('.');
    const key = id === undefined ? undefined : this.#keys.get(id);
    if (version !== 'v1' || key === undefined || nonce === undefined || payload === undefined) {
      throw new BerthError('internal', 'A stored secret cannot be opened.', { detail: `key id ${id ?? 'missing'}` });
    }
    const bytes = Buffer.from(payload, 'base64url');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
      decipher.setAAD(bind(place, id as string));
      decipher.setAuthTag(bytes.subarray(0, TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(TAG_BYTES)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new BerthError('internal', 'A stored secret cannot be opened.', { cause });
    }
  }
}

/** A new key for sealing. */
export function makeSealingKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** Eight characters that name a key and tell nothing about it. */
export function keyIdOf(key: Buffer): string {
  return createHash('sha256').update('berth key id').update(key).digest('hex').slice(0, 8);
}

/** The keys of a key file, the one in force first. Errors: Error with the reason. */
export function decodeKeys(text: string): Buffer[] {
  const keys = text
    .trim()
    .split(/\s*\n\s*/)
    .map((line) => Buffer.from(line, 'base64'));
  if (keys.some((key) => key.length !== KEY_BYTES)) throw new Error('the key must be 32 bytes in base64');
  return keys;
}

function bind(place: SecretPlace, keyId: string): Buffer {
  return Buffer.from(JSON.stringify([keyId, place.table, place.row, place.column]));
}
