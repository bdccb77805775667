/**
 * The keys that sign tokens, kept in memory and read again when a hint says that they changed. The first key of a purpose
 * is made when it is first needed. Private halves are opened only to sign.
 */
import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair, importJWK, importPKCS8 } from 'jose';
import type { SigningKeyId } from '#domain/ids.ts';
import { SIGNING_KEY_BITS, type SigningPurpose, signingKeyState } from '#domain/keys.ts';
import type { Clock, Ids } from '#server/runtime/clock.ts';
import type { SecretBox } from '#server/runtime/secrets.ts';
import { type Db, transact } from '#server/store/database.ts';
import {
  insertFirstSigningKey,
  listSigningKeys,
  type StoredSigningKey,
  signingKeyPlace,
} from '#server/store/signing-keys.ts';
import type { PublicJwk } from '#server/store/tables.ts';

export const SIGNING_ALGORITHM = 'RS256';
/** Keys are read again after this long whatever the hints said. */
const KNOWN_MS_MAX = 60_000;
/** An unknown key id makes us look at most this often. */
const UNKNOWN_MS = 1_000;

export type Jwk = PublicJwk & { kid: string; use: 'sig'; alg: 'RS256' };
/** Ready to sign with. */
export type Signer = { kid: SigningKeyId; key: CryptoKey };

type Parts = { db: Db; clock: Clock; ids: Ids; secrets: SecretBox };

export class SigningKeys {
  readonly #parts: Parts;
  #known: Promise<StoredSigningKey[]> | null = null;
  #readAt = 0;
  readonly #signers = new Map<SigningKeyId, Promise<CryptoKey>>();
  readonly #checkers = new Map<SigningKeyId, Promise<CryptoKey>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** They changed: the next use reads them again. */
  forget(): void {
    this.#known = null;
  }

  /** The key that signs for this purpose now; made when there is none yet. */
  async signer(purpose: SigningPurpose): Promise<Signer> {
    const stored = (await this.#signing(purpose)) ?? (await this.#makeFirst(purpose));
    const { secrets } = this.#parts;
    let key = this.#signers.get(stored.id);
    if (key === undefined) {
      key = importPKCS8(secrets.open(signingKeyPlace(stored.id), stored.privateSealed), SIGNING_ALGORITHM);
      this.#signers.set(stored.id, key);
    }
    return { kid: stored.id, key: await key };
  }

  /** The public key with this id, when it counts for this purpose now; null otherwise. */
  async checker(purpose: SigningPurpose, kid: string): Promise<CryptoKey | null> {
    const find = async () => (await this.#keys()).find((key) => key.id === kid && key.purpose === purpose);
    let stored = await find();
    if (stored === undefined && this.#parts.clock.now().getTime() - this.#readAt >= UNKNOWN_MS) {
      this.forget();
      stored = await find();
    }
    if (stored === undefined) return null;
    const { id, publicJwk, expiresAt } = stored;
    if (expiresAt !== null && expiresAt <= this.#parts.clock.now()) return null;
    let key = this.#checkers.get(id);
    if (key === undefined) {
      key = importJWK(publicJwk, SIGNING_ALGORITHM) as Promise<CryptoKey>;
      this.#checkers.set(id, key);
    }
    return key;
  }

  /** What others check with: every public key of the purpose, also those that do not sign yet or any more. */
  async publicKeys(purpose: SigningPurpose): Promise<Jwk[]> {
    if ((await this.#signing(purpose)) === null) await this.#makeFirst(purpose);
    return (await this.#keys())
      .filter((key) => key.purpose === purpose)
      .map((key) => ({ ...key.publicJwk, kid: key.id, use: 'sig', alg: SIGNING_ALGORITHM }));
  }

  async #signing(purpose: SigningPurpose): Promise<StoredSigningKey | null> {
    const keys = (await this.#keys()).filter((key) => key.purpose === purpose);
    return keys.find((key) => signingKeyState(key, keys, this.#parts.clock.now()) === 'signing') ?? null;
  }

  async #keys(): Promise<StoredSigningKey[]> {
    const now = this.#parts.clock.now();
    if (this.#known === null || Math.abs(now.getTime() - this.#readAt) > KNOWN_MS_MAX) {
      this.#readAt = now.getTime();
      this.#known = listSigningKeys(this.#parts.db, now);
      // What could not be read is asked for again.
      this.#known.catch(() => this.forget());
    }
    return this.#known;
  }

  async #makeFirst(purpose: SigningPurpose): Promise<StoredSigningKey> {
    const key = await makeSigningKey(this.#parts, purpose, this.#parts.clock.now());
    await transact(this.#parts.db, (trx) => insertFirstSigningKey(trx, key));
    this.forget();
    // Another replica may have been first.
    const signing = await this.#signing(purpose);
    if (signing === null) throw new Error('a signing key vanished');
    return signing;
  }
}

/** A new key, sealed, that signs from `activeFrom` on. Takes about a second. */
export async function makeSigningKey(
  { ids, clock, secrets }: Omit<Parts, 'db'>,
  purpose: SigningPurpose,
  activeFrom: Date,
): Promise<StoredSigningKey> {
  const id = ids.make('key');
  const pair = await generateKeyPair(SIGNING_ALGORITHM, { modulusLength: SIGNING_KEY_BITS, extractable: true });
  const { kty, n, e } = await exportJWK(pair.publicKey);
  if (kty === undefined || n === undefined || e === undefined) throw new Error('not an RSA key');
  return {
    id,
    purpose,
    publicJwk: { kty, n, e },
    privateSealed: secrets.seal(signingKeyPlace(id), await exportPKCS8(pair.privateKey)),
    createdAt: clock.now(),
    activeFrom,
    expiresAt: null,
  };
}
