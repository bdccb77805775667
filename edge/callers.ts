/** Who sent a request: the console's session cookie or an API token, looked up in memory and, when new, once in the database. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { accessTokenPattern } from '#contract/access-tokens.ts';
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

/** A bearer token as memory knows it: by the digest of an API token or of an access token. */
export type Bearer = { token: string; kind: 'tokenHash' | 'accessToken' };

/** The token of an `Authorization` header; undefined when it holds none of Berth's. */
export function bearerToken(header: string | undefined): Bearer | undefined {
  if (header === undefined || header.length < 8 || header.slice(0, 7).toLowerCase() !== 'bearer ') return undefined;
  const token = header.slice(7).trim();
  if (TOKEN_SHAPE.test(token)) return { token, kind: 'tokenHash' };
  return accessTokenPattern.test(token) ? { token, kind: 'accessToken' } : undefined;
}

/** Who a bearer token proves, as far as memory knows; otherwise what to ask for. */
export function knownBearer(knowledge: Knowledge, { token, kind }: Bearer): Caller | Lookup {
  const hash = hashToken(token);
  const { state } = knowledge;
  if (kind === 'tokenHash') return state.tokenByHash(hash, knowledge.now()) ?? { by: kind, key: hash };
  return state.accessTokenByHash(hash, knowledge.now()) ?? { by: kind, key: token };
}

/** A bearer token opens nothing in a browser's place and a cookie nothing in a program's. */
export function isCaller(found: Caller | Lookup): found is Caller {
  return 'userId' in found;
}

async function callerByToken(knowledge: Knowledge, bearer: Bearer): Promise<Caller | undefined> {
  const found = knownBearer(knowledge, bearer);
  if (isCaller(found)) return found;
  await knowledge.lookup(found);
  const again = knownBearer(knowledge, bearer);
  return isCaller(again) ? again : undefined;
}

async function callerByCookie(knowledge: Knowledge, secret: string): Promise<Caller | undefined> {
  const hash = hashToken(secret);
  const known = () => knowledge.state.sessionByHash(hash, knowledge.now());
  return known() ?? knowledge.lookup({ by: 'sessionHash', key: hash })?.then(known);
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
  return await callerByCookie(knowledge, cookie);
}

/** Where a request on the control plane comes from: Caddy alone reaches the socket and writes the true peer last. */
export function peerAddress(request: IncomingMessage): string {
  const header = request.headers['x-forwarded-for'];
  return (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').at(-1)?.trim() ?? '';
}
