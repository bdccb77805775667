/** What Caddy's configuration is made of: names, limits and handlers that both planes share. */
export const CADDY_HEADER_BYTES_MAX = 64 * 1024;
/** How long a request waits for edge or server to come back from a restart before it fails closed. */
const RESTART_WAIT_NS = 5_000_000_000;
const RETRY_EVERY_NS = 50_000_000;
export const DIAL_UPSTREAM_NS = 4_000_000_000;
const EDGE_IDLE_CONNECTIONS_MAX = 256;
/**
 * What an instance sent goes on after 10 ms at the latest; events and bodies of unknown length go on at once anyway.
 * Not -1: small answers would leave in two TLS records instead of one, and old versions read it as "never cancel".
 */
export const FLUSH_SOON_NS = 10_000_000;

/** Paths on edge.sock that only Caddy asks for; the control plane forwards none of them. */
export const INTERNAL_AUTHORIZE = '/internal/authorize';
/** What edge is told of the client's connection besides its address; see lines.ts. */
export const LINE_HEADER = 'X-Berth-Line';
export const INTERNAL_ASK = '/internal/ask';
export const INTERNAL_CERTIFICATE = '/internal/certificate';
export const INTERNAL_UNREACHABLE = '/internal/unreachable';
/** Where Caddy asks itself for certificate permission on the plain HTTP port (its client cannot dial unix sockets). */
export const ASK_PATH = '/.berth/ask';
/** Where it asks itself for wildcard certificates, for the same reason; what it shows there only edge can check. */
export const CERTIFICATE_PATH = '/.berth/certificate';

/**
 * What edge answers with on success; each is present whenever Caddy reads it, so nothing of the client's can shine through. Either
 * `upstream` (an address to dial) or `bridge` (a pass for edge's own bridge) has a value, the other is empty.
 */
export const UPSTREAM_HEADERS = {
  upstream: 'X-Berth-Upstream',
  bridge: 'X-Berth-Bridge',
  user: 'X-Berth-User',
  email: 'X-Berth-Email',
  role: 'X-Berth-Role',
  cookie: 'X-Berth-Cookie',
  /** `1`: the route's rules change something; the three below and those of headerRulePlace follow. Else empty. */
  rules: 'X-Berth-Rules',
  /** `drop`: the instance does not see the Authorization header. */
  authorization: 'X-Berth-Authorization',
  /** One of routeBodyLimits, or empty. */
  body: 'X-Berth-Body',
  /** `h2c`, or empty for HTTP/1.1. */
  protocol: 'X-Berth-Protocol',
} as const;

export type HeaderRuleKind = 'request' | 'response';

/** The answer's headers that hold name and value of one header rule. `at` counts from 0 to ROUTE_HEADERS_MAX - 1. */
export function headerRulePlace(kind: HeaderRuleKind, at: number): { name: string; value: string } {
  const prefix = `X-Berth-${kind === 'request' ? 'Q' : 'S'}${at}`;
  return { name: `${prefix}-Name`, value: `${prefix}-Value` };
}

export type CaddyInput = {
  /** `caddy version`, such as '2.11.2' or 'v2.6.2 h1:...'. */
  version: string;
  /** Console domain, such as 'berth.localhost'. */
  domain: string;
  controlPort: number;
  httpsPort: number;
  httpPort: number;
  sockets: { server: string; edge: string; bridge: string; admin: string };
  /** Directory of certificates and of the internal CA. */
  storageDirectory: string;
  /** What Caddy shows edge to get wildcard certificates (contract/wildcards.ts); absent: it does not ask. */
  certificatePassword?: string | undefined;
  /** Where certificates come from; absent: Caddy's own authority. `caFile`: what the directory's own is checked with. */
  acme?: { directory: string; email: string | null; caFile: string | null } | undefined;
};

export type CaddyJson = null | boolean | number | string | CaddyJson[] | { [key: string]: CaddyJson };

/** [major, minor, patch] of a `caddy version` line. Errors: RangeError when it is none. */
export function parseCaddyVersion(text: string): [number, number, number] {
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (match === null) throw new RangeError(`not a Caddy version: ${text}`);
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}

export function atLeast(version: [number, number, number], minor: number, patch = 0): boolean {
  if (version[0] !== 2) return version[0] > 2;
  return version[1] > minor || (version[1] === minor && version[2] >= patch);
}

/** True for names that only ever mean this machine: no HSTS there, it would outlive the installation. */
export function isLocalName(domain: string): boolean {
  return domain === 'localhost' || domain.endsWith('.localhost');
}

/** `https://name` with the port only when it is not 443. */
export function httpsOrigin(name: string, port: number): string {
  return port === 443 ? `https://${name}` : `https://${name}:${port}`;
}

/** What clients may never send past Caddy: Berth's own headers and every forwarding header, in all spellings. */
export const clientHeadersRemoved: CaddyJson = {
  handler: 'headers',
  request: {
    delete: [
      'X-Berth*',
      'X_Berth*',
      'X-Forwarded*',
      'X_Forwarded*',
      'Forwarded',
      'X-Real-Ip',
      'X_Real_Ip',
      'X-Real_Ip',
      'X_Real-Ip',
    ],
  },
};

export const waitForRestart: CaddyJson = { try_duration: RESTART_WAIT_NS, try_interval: RETRY_EVERY_NS };
export const unixTransport: CaddyJson = {
  protocol: 'http',
  keep_alive: { enabled: true, max_idle_conns_per_host: EDGE_IDLE_CONNECTIONS_MAX },
};
export const toUnix = (path: string): CaddyJson => [{ dial: `unix/${path}` }];
export const fromClient = (name: string): CaddyJson => [`{http.request.header.${name}}`];
export const fromEdge = (name: string): string => `{http.reverse_proxy.header.${name}}`;

/** Asks edge with a request that carries only what edge reads: fast, and nothing else can matter. */
export function askEdge(
  input: CaddyInput,
  path: string,
  more: { [header: string]: CaddyJson },
): { [key: string]: CaddyJson } {
  return {
    handler: 'reverse_proxy',
    upstreams: toUnix(input.sockets.edge),
    transport: unixTransport,
    load_balancing: waitForRestart,
    rewrite: { method: 'GET', uri: path },
    headers: {
      request: {
        // Old versions crash on '*': there the client's other headers travel along, unread.
        delete: atLeast(parseCaddyVersion(input.version), 8) ? ['*'] : ['Connection', 'Upgrade'],
        set: {
          Host: ['{http.request.hostport}'],
          Accept: fromClient('Accept'),
          'X-Forwarded-Method': ['{http.request.method}'],
          'X-Forwarded-Uri': ['{http.request.orig_uri}'],
          'X-Berth-Address': ['{http.request.remote.host}'],
          ...more,
        },
      },
    },
  };
}

function page(title: string, text: string, refreshSeconds: number): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="${refreshSeconds}"><title>${title}</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.25rem}h1{font-size:1.35rem}</style><h1>${title}</h1><p>${text}</p></html>`;
}

export function staticPage(status: number, title: string, text: string): CaddyJson {
  return {
    handler: 'static_response',
    status_code: status,
    headers: {
      'Content-Type': ['text/html; charset=utf-8'],
      'Cache-Control': ['no-store'],
      'Retry-After': ['3'],
    },
    body: page(title, text, 3),
  };
}
