/**
 * `ssh2`, as the gateway uses it. Where its native part is missing (no compiler, or built for another Node) it makes a
 * cipher for each packet out of the key's bytes, of which Node 24 spends most on wrapping those bytes: 24 µs, against 3 µs
 * with a key that is wrapped already. So each key is wrapped once.
 */
import crypto, { createSecretKey, type KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';

const wrapped = new WeakMap<Uint8Array, KeyObject>();

/** The bytes of a session's key stay what they are for its whole life. */
function wrap(key: unknown): unknown {
  if (!(key instanceof Uint8Array)) return key;
  const known = wrapped.get(key);
  if (known !== undefined) return known;
  const made = createSecretKey(key);
  wrapped.set(key, made);
  return made;
}

type Make = (algorithm: string, key: never, ...more: never[]) => unknown;
const wrapping =
  (make: Make) =>
  (algorithm: string, key: unknown, ...more: never[]) =>
    make(algorithm, wrap(key) as never, ...more);

function load(): typeof import('ssh2') {
  const { createCipheriv, createDecipheriv } = crypto;
  // It takes both functions once, while it loads; nobody else sees these.
  Object.assign(crypto, {
    createCipheriv: wrapping(createCipheriv as Make),
    createDecipheriv: wrapping(createDecipheriv as Make),
  });
  try {
    return createRequire(import.meta.url)('ssh2') as typeof import('ssh2');
  } finally {
    Object.assign(crypto, { createCipheriv, createDecipheriv });
  }
}

export const ssh2 = load();
