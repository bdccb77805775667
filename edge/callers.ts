/** Who sent a request: the console's session cookie or an API token, looked up in memory and, when new, once in the database. */
import type { IncomingHttpHeaders } from 'node:http';
import { API_TOKEN_PREFIX, SESSION_COOKIE } from '#contract/edge.ts';
import { cookieValue } from './cookies.ts';
import type { Lookup } from './feed.ts';
import { type Caller, type EdgeState, hashToken } from './state.ts';

const TOKEN_SHAPE = new RegExp(`^${API_TOKEN_PREFIX}[A-Za-z0-9_-]{16,200}$`);
const SESSION_LENGTH_MAX = 200;

/** What the decisions need besides the state; `lookup` returns null when there is nothing more to learn. */
export type Knowledge = {
  state: EdgeState;
  lookup(what: Lookup, missMs?: number): Promise<void> | null;
  now(): number;
};

/** The API token of an `Authorization` header; undefined when it holds none of Berth's. */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined || header.length < 8 || header.slice(0, 7).toLowerCase() !== 'bearer ') return undefined;
  const token = header.slice(7).trim();
  return TOKEN_SHAPE.test(token) ? token : undefined;
}

/** The caller a token or session secret proves; the answer is immediate when memory knows it. */
function prove(
  knowledge: Knowledge,
  by: 'sessionHash' | 'tokenHash',
  secret: string,
): Caller | undefined | Promise<Caller | undefined> {
  const hash = hashToken(secret);
  const known = () =>
    by === 'tokenHash'
      ? knowledge.state.tokenByHash(hash, knowledge.now())
      : knowledge.state.sessionByHash(hash, knowledge.now());
  return known() ?? knowledge.lookup({ by, key: hash })?.then(known);
}

export function callerByToken(knowledge: Knowledge, token: string): Caller | undefined | Promise<Caller | undefined> {
  return prove(knowledge, 'tokenHash', token);
}

/** Who calls one of edge's own endpoints on the control plane. A token wins over a cookie, as in the API. */
export async function identify(
  knowledge: Knowledge,
  headers: Pick<IncomingHttpHeaders, 'cookie' | 'authorization'>,
): Promise<Caller | undefined> {
  if (headers.authorization !== undefined && headers.authorization !== '') {
    const token = bearerToken(headers.authorization);
    return token === undefined ? undefined : await callerByToken(knowledge, token);
  }
  const cookie = cookieValue(headers.cookie, SESSION_COOKIE);
  if (cookie === undefined || cookie === '' || cookie.length > SESSION_LENGTH_MAX) return undefined;
  return await prove(knowledge, 'sessionHash', cookie);
}
