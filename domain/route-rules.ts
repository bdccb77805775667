/**
 * What a route may do with a request beside leading to a port: path prefixes, header rules, an allow-list, a password,
 * a size limit. Everything here is applied by edge and by Caddy's one static configuration.
 */
import { networkProblem } from './networks.ts';

export const ROUTE_PATH_LENGTH_MAX = 200;
export const ROUTE_NETWORKS_MAX = 50;
/** For each direction; Caddy's configuration has as many places. */
export const ROUTE_HEADERS_MAX = 8;
export const ROUTE_HEADER_VALUE_LENGTH_MAX = 1_000;
export const ROUTE_REDIRECT_LENGTH_MAX = 1_000;
export const ROUTE_PASSWORD_LENGTH_MIN = 8;
export const ROUTE_PASSWORD_LENGTH_MAX = 128;

/** `screen`: the desktop's screen page; `port`: a port inside the instance; `redirect`: elsewhere. */
export const routeTargets = ['port', 'screen', 'redirect'] as const;
export type RouteTarget = (typeof routeTargets)[number];

/** Sizes that a route can limit bodies to. Each is a place in Caddy's configuration. */
export const routeBodyLimits = [1_000_000, 10_000_000, 100_000_000, 1_000_000_000] as const;
export type RouteBodyLimit = (typeof routeBodyLimits)[number];

/** How Berth speaks to the program inside: HTTP/1.1, or HTTP/2 without TLS (gRPC). */
export const routeProtocols = ['http1', 'h2c'] as const;
export type RouteProtocol = (typeof routeProtocols)[number];

export const redirectStatuses = [301, 302, 307, 308] as const;
export type RedirectStatus = (typeof redirectStatuses)[number];

export type RouteHeader = { name: string; value: string };
/** As the database and edge keep it; absent members mean "nothing of that kind". */
export type RouteRules = {
  allow?: string[];
  bodyBytesMax?: RouteBodyLimit;
  protocol?: RouteProtocol;
  requestHeaders?: RouteHeader[];
  /** An empty value removes the header. */
  responseHeaders?: RouteHeader[];
  /** `hash` is argon2id. */
  basicAuth?: { user: string; hash: string };
};

/**
 * Headers of an answer that a route may set or remove: what tells browsers and caches how to treat a page. None that
 * frames the message, says who somebody is, or sets cookies.
 */
export const responseHeaderNames = [
  'Access-Control-Allow-Credentials',
  'Access-Control-Allow-Headers',
  'Access-Control-Allow-Methods',
  'Access-Control-Allow-Origin',
  'Access-Control-Expose-Headers',
  'Access-Control-Max-Age',
  'Cache-Control',
  'Content-Security-Policy',
  'Content-Security-Policy-Report-Only',
  'Cross-Origin-Embedder-Policy',
  'Cross-Origin-Opener-Policy',
  'Cross-Origin-Resource-Policy',
  'Expires',
  'Permissions-Policy',
  'Referrer-Policy',
  'Server',
  'Strict-Transport-Security',
  'Vary',
  'X-Content-Type-Options',
  'X-Frame-Options',
  'X-Powered-By',
  'X-Robots-Tag',
] as const;

const responseNames: ReadonlySet<string> = new Set(responseHeaderNames.map((name) => name.toLowerCase()));
const requestNamePattern = /^x-[a-z0-9-]{1,60}$/;
/** Berth's own, and what tells a program where a request comes from. */
const requestNamesKept = /^x-(?:berth|forwarded|real-ip|original-|http-method|method-override|rewrite-url)/;

/** Why a route may not set this header on the way in; null when it may. Only names beginning with X-. */
export function requestHeaderProblem(name: string): string | null {
  const lower = name.toLowerCase();
  if (!requestNamePattern.test(lower)) return 'Only headers whose names begin with X-, of letters, digits and hyphens.';
  return requestNamesKept.test(lower) ? 'This header is kept for Berth and for what proxies tell.' : null;
}

export function responseHeaderProblem(name: string): string | null {
  return responseNames.has(name.toLowerCase())
    ? null
    : 'This header cannot be changed. The list of those that can is in the documentation of routes.';
}

/**
 * Why this cannot be a header's value; null when it can. Printable ASCII without braces: the proxy would take what
 * stands in braces for one of its own variables.
 */
export function headerValueProblem(value: string): string | null {
  if (value.length > ROUTE_HEADER_VALUE_LENGTH_MAX) return `At most ${ROUTE_HEADER_VALUE_LENGTH_MAX} characters.`;
  if (!/^[\x20-\x7e]*$/.test(value) || value.trim() !== value) return 'Only plain characters, no line breaks.';
  return /[{}]/.test(value) ? 'No braces.' : null;
}

export function allowProblem(network: string): string | null {
  return networkProblem(network);
}

/** Why this cannot be a route's path; null when it can: '/' or '/api/v1', without a slash at the end. */
export function routePathProblem(path: string): string | null {
  if (path === '/') return null;
  if (path.length > ROUTE_PATH_LENGTH_MAX) return `At most ${ROUTE_PATH_LENGTH_MAX} characters.`;
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(path)) {
    return 'A path such as /api: letters, digits and . _ ~ - between slashes, without a slash at the end.';
  }
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return 'No parts that are only dots.';
  return path === '/.berth' || path.startsWith('/.berth/') ? 'This path is kept for Berth.' : null;
}

/** Why nobody can be sent there; null when they can. */
export function redirectProblem(target: string): string | null {
  if (target.length > ROUTE_REDIRECT_LENGTH_MAX) return `At most ${ROUTE_REDIRECT_LENGTH_MAX} characters.`;
  if (!/^[\x21-\x7e]+$/.test(target) || target.includes('\\')) return 'A web address without spaces.';
  const url = URL.parse(target);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || !/^https?:\/\/[^/]/i.test(target)) {
    return 'A full address that begins with https:// or http://.';
  }
  return url.username === '' && url.password === '' ? null : 'No user name or password inside an address.';
}

/**
 * The path of a request as path rules compare it: percent-encoding of plain characters undone, nothing else touched.
 * Null when programs read it in different ways (dot segments, doubled or encoded slashes, encoded percent signs,
 * parameters after `;`, control characters, broken encoding): where rules decide by path, such a request is refused,
 * so that nobody walks around a rule by spelling.
 */
export function comparablePath(uri: string): string | null {
  const end = uri.search(/[?#]/);
  const raw = end === -1 ? uri : uri.slice(0, end);
  if (!raw.startsWith('/')) return null;
  let path = raw;
  if (raw.includes('%')) {
    // Of these, undone, a program may make a separator, an end, or another round of decoding.
    if (/%(?:2[ef5]|5c|3b|0|1|7f)/i.test(raw)) return null;
    try {
      path = decodeURIComponent(raw);
    } catch {
      return null;
    }
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\\;\x00-\x1f\x7f]|\/\//.test(path)) return null;
  return path.split('/').some((segment) => segment === '.' || segment === '..') ? null : path;
}

/** Whether `prefix` (a route's path) covers `path`: by whole segments. */
export function pathCovers(prefix: string, path: string): boolean {
  return prefix === '/' || path === prefix || (path.startsWith(prefix) && path[prefix.length] === '/');
}
