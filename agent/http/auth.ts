/** Who is calling: bearer tokens, compared in constant time over their digests. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BerthError } from '#domain/errors.ts';

export type Caller = 'server' | 'edge';
export type Token = { caller: Caller; digest: Buffer };

/** Shortest token that is accepted from a file; shorter ones were not made by Berth. */
const TOKEN_LENGTH_MIN = 32;

/** Errors: throws when the text cannot be a token. */
export function token(caller: Caller, text: string): Token {
  const value = text.trim();
  if (value.length < TOKEN_LENGTH_MIN) throw new Error(`the token of ${caller} is too short`);
  return { caller, digest: digest(value) };
}

/** Errors: unauthenticated. */
export function authenticate(request: IncomingMessage, tokens: readonly Token[]): Caller {
  const given = /^Bearer ([\x21-\x7e]{1,512})$/.exec(request.headers.authorization ?? '')?.[1];
  const seen = digest(given ?? '');
  let caller: Caller | null = null;
  for (const candidate of tokens) if (timingSafeEqual(candidate.digest, seen)) caller = candidate.caller;
  if (given === undefined || caller === null) throw new BerthError('unauthenticated', 'A valid token is needed.');
  return caller;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
