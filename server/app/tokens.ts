/** The random secrets that people and programs hold, and the digests that Berth keeps of them. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Ids } from '#server/runtime/clock.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 characters of base 62 hold 256 bits. */
const API_TOKEN_CHARACTERS = 43;
export const API_TOKEN_PREFIX = 'brt_';
export const TOKEN_PREFIX_SHOWN = 8;

/** 256 bits for a cookie or an invitation link. */
export function makeSecret(ids: Ids): string {
  return ids.random(32).toString('base64url');
}

/** An API token: recognisable by its prefix, so that scanners find leaked ones. */
export function makeApiToken(ids: Ids): string {
  let text = '';
  while (text.length < API_TOKEN_CHARACTERS) {
    for (const byte of ids.random(64)) {
      // 248 is the largest multiple of 62 in a byte: the rest would favour the first characters.
      if (byte < 248 && text.length < API_TOKEN_CHARACTERS) text += BASE62.charAt(byte % 62);
    }
  }
  return `${API_TOKEN_PREFIX}${text}`;
}

/** What is stored instead of a secret. The secrets are random, so a plain digest is enough. */
export function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Compares in constant time. */
export function sameDigest(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

export const sessionSecretPattern = /^[A-Za-z0-9_-]{43}$/;
export const apiTokenPattern = /^brt_[0-9A-Za-z]{43}$/;
