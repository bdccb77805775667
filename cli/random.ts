/** Randomness of the program, in one place. */
import { randomBytes } from 'node:crypto';

/** A fresh key that makes a repeated create safe. */
export function newIdempotencyKey(): string {
  return randomBytes(18).toString('base64url');
}

/** A fresh terminal session name, as contract/edge.ts wants it. */
export function newTerminalSession(): string {
  return randomBytes(18).toString('base64url');
}
