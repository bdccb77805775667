/**
 * What people hold: an authenticator app (the same arithmetic as the real one) and a software passkey that answers
 * WebAuthn ceremonies with real ES256 signatures. Both can also be wrong on purpose.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { generateSync } from 'otplib';
import { api } from '#contract/api.ts';
import type { PasskeyAnswer, PasskeyRegistration } from '#contract/factors.ts';
import { TOTP_PERIOD_SECONDS } from '#domain/factors.ts';
import type { TestClient } from './server.ts';

/** The code at a moment; `steps` later (or earlier). */
export function totpCode(secret: string, at: Date, steps = 0): string {
  return generateSync({
    secret,
    epoch: Math.floor(at.getTime() / 1000) + steps * TOTP_PERIOD_SECONDS,
    period: TOTP_PERIOD_SECONDS,
  });
}

/** Sets up an authenticator app for a signed-in client; the first code is used up by it. */
export async function enrolTotp(client: TestClient, now: Date): Promise<{ secret: string; recoveryCodes: string[] }> {
  const { secret } = await client.call(api.totpBegin);
  const { recoveryCodes } = await client.call(api.totpConfirm, { body: { code: totpCode(secret, now) } });
  return { secret, recoveryCodes: recoveryCodes ?? [] };
}

type Site = { rpId: string; origin: string };
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();
const text = (data: string | Buffer) => Buffer.from(data).toString('base64url');

/** CBOR, as far as a credential needs it: small integers, byte strings, text strings, maps. */
function cbor(value: number | string | Buffer | Map<number | string, unknown>): Buffer {
  const head = (major: number, length: number): Buffer => {
    if (length < 24) return Buffer.from([(major << 5) | length]);
    if (length < 256) return Buffer.from([(major << 5) | 24, length]);
    return Buffer.from([(major << 5) | 25, length >> 8, length & 255]);
  };
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  const pairs = [...value].flatMap(([key, each]) => [cbor(key), cbor(each as Parameters<typeof cbor>[0])]);
  return Buffer.concat([head(5, value.size), ...pairs]);
}

/** One passkey on one device. */
export class SoftPasskey {
  readonly id = randomBytes(32);
  readonly #key: KeyObject;
  readonly #point: { x: Buffer; y: Buffer };
  readonly #site: Site;
  userHandle: string | null = null;
  counter = 0;

  constructor(site: Site) {
    this.#site = site;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    this.#key = privateKey;
    this.#point = { x: Buffer.from(jwk.x ?? '', 'base64url'), y: Buffer.from(jwk.y ?? '', 'base64url') };
  }

  #authenticatorData(verified: boolean, attested: Buffer, rpId = this.#site.rpId): Buffer {
    const flags = 0x01 | (verified ? 0x04 : 0) | (attested.length > 0 ? 0x40 : 0);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.counter);
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), count, attested]);
  }

  #clientData(type: string, challenge: string, origin = this.#site.origin): string {
    return JSON.stringify({ type, challenge, origin, crossOrigin: false });
  }

  register(options: { challenge: string; user?: { id: string } }, origin?: string): PasskeyRegistration {
    this.userHandle = options.user?.id ?? null;
    const length = Buffer.from([this.id.length >> 8, this.id.length & 255]);
    const publicKey = cbor(
      new Map<number, unknown>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, this.#point.x],
        [-3, this.#point.y],
      ]),
    );
    const attested = Buffer.concat([Buffer.alloc(16), length, this.id, publicKey]);
    const attestation = cbor(
      new Map<string, unknown>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', this.#authenticatorData(true, attested)],
      ]),
    );
    return {
      id: text(this.id),
      rawId: text(this.id),
      type: 'public-key',
      response: {
        clientDataJSON: text(this.#clientData('webauthn.create', options.challenge, origin)),
        attestationObject: text(attestation),
        transports: ['internal'],
      },
      clientExtensionResults: {},
    };
  }

  /** `verified`: the device has asked for finger, face or PIN. The rest makes wrong answers. */
  answer(
    options: { challenge: string },
    wrong: { verified?: boolean; origin?: string; rpId?: string; key?: KeyObject } = {},
  ): PasskeyAnswer {
    this.counter++;
    const data = this.#authenticatorData(wrong.verified ?? true, Buffer.alloc(0), wrong.rpId);
    const clientData = this.#clientData('webauthn.get', options.challenge, wrong.origin);
    const signature = sign('sha256', Buffer.concat([data, sha256(clientData)]), wrong.key ?? this.#key);
    return {
      id: text(this.id),
      rawId: text(this.id),
      type: 'public-key',
      response: {
        clientDataJSON: text(clientData),
        authenticatorData: text(data),
        signature: text(signature),
        userHandle: this.userHandle,
      },
      clientExtensionResults: {},
    };
  }
}

/** Adds a passkey to a signed-in client's account. */
export async function enrolPasskey(client: TestClient, site: Site, name = 'Key'): Promise<SoftPasskey> {
  const passkey = new SoftPasskey(site);
  const { options } = await client.call(api.passkeyOptions);
  await client.call(api.passkeysCreate, { body: { name, passkey: passkey.register(options) } });
  return passkey;
}
