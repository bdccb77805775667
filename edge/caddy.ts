/**
 * The one static Caddy configuration: control plane (console, API, edge) and user plane (every route's host name).
 * Routes are rows that edge knows, never configuration, so nothing here is ever reloaded and no socket is ever cut.
 *
 * How a user-plane request flows: headers that only Berth may write are removed -> edge is asked (sub-request) ->
 * anything but 2xx from edge goes to the client as it is (sign-in redirect, error page) -> on 2xx the address edge
 * named is dialled. The address lives in a Caddy variable, not in a request header, so no client can supply it.
 */
export const CADDY_HEADER_BYTES_MAX = 64 * 1024;
/** How long a request waits for edge or server to come back from a restart before it fails closed. */
const RESTART_WAIT_NS = 5_000_000_000;
const RETRY_EVERY_NS = 50_000_000;
const DIAL_UPSTREAM_NS = 4_000_000_000;
const EDGE_IDLE_CONNECTIONS_MAX = 256;
/** Detaches nothing, only flushes: old versions read -1 as "never cancel the upstream", so they get 10 ms. */
const FLUSH_SOON_NS = 10_000_000;

/** Paths on edge.sock that only Caddy asks for; the control plane forwards none of them. */
export const INTERNAL_AUTHORIZE = '/internal/authorize';
export const INTERNAL_ASK = '/internal/ask';
export const INTERNAL_UNREACHABLE = '/internal/unreachable';
/** Where Caddy asks itself for certificate permission on the plain HTTP port (its client cannot dial unix sockets). */
const ASK_PATH = '/.berth/ask';

/** What edge answers with on success; every one is always present, so nothing of the client's can shine through. */
export const UPSTREAM_HEADERS = {
  upstream: 'X-Berth-Upstream',
  user: 'X-Berth-User',
  email: 'X-Berth-Email',
  role: 'X-Berth-Role',
  cookie: 'X-Berth-Cookie',
} as const;

export type CaddyInput = {
  /** `caddy version`, such as '2.11.2' or 'v2.6.2 h1:...'. */
  version: string;
  /** Console domain, such as 'berth.localhost'. */
  domain: string;
  controlPort: number;
  httpsPort: number;
  httpPort: number;
  sockets: { server: string; edge: string; admin: string };
  /** Directory of certificates and of the internal CA. */
  storageDirectory: string;
};

export type CaddyJson = null | boolean | number | string | CaddyJson[] | { [key: string]: CaddyJson };

/** [major, minor, patch] of a `caddy version` line. Errors: RangeError when it is none. */
export function parseCaddyVersion(text: string): [number, number, number] {
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (match === null) throw new RangeError(`not a Caddy version: ${text}`);
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}

function atLeast(version: [number, number, number], minor: number, patch = 0): boolean {
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
const clientHeadersRemoved: CaddyJson = {
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

const waitForRestart: CaddyJson = { try_duration: RESTART_WAIT_NS, try_interval: RETRY_EVERY_NS };
const unixTransport: CaddyJson = {
  protocol: 'http',
  keep_alive: { enabled: true, max_idle_conns_per_host: EDGE_IDLE_CONNECTIONS_MAX },
};
const toUnix = (path: string): CaddyJson => [{ dial: `unix/${path}` }];
const fromClient = (name: string): CaddyJson => [`{http.request.header.${name}}`];
const fromEdge = (name: string): string => `{http.reverse_proxy.header.${name}}`;

/** Asks edge with a request that carries only what edge reads: fast, and nothing else can matter. */
function askEdge(input: CaddyInput, path: string, more: { [header: string]: CaddyJson }): { [key: string]: CaddyJson } {
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
          ...more,
        },
      },
    },
  };
}

function page(title: string, text: string, refreshSeconds: number): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="${refreshSeconds}"><title>${title}</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.25rem}h1{font-size:1.35rem}</style><h1>${title}</h1><p>${text}</p></html>`;
}

function staticPage(status: number, title: string, text: string): CaddyJson {
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

function userPlane(input: CaddyInput, version: [number, number, number]): CaddyJson {
  const { upstream, user, email, role, cookie } = UPSTREAM_HEADERS;
  const proxy: CaddyJson = {
    handler: 'reverse_proxy',
    upstreams: [{ dial: '{http.vars.berth_upstream}' }],
    transport: { protocol: 'http', dial_timeout: DIAL_UPSTREAM_NS, versions: ['1.1'] },
    flush_interval: atLeast(version, 7) ? -1 : FLUSH_SOON_NS,
    // Set here and not before: the proxy first drops what the client's `Connection` header names.
    headers: {
      request: {
        set: {
          [user]: ['{http.vars.berth_user}'],
          [email]: ['{http.vars.berth_email}'],
          [role]: ['{http.vars.berth_role}'],
        },
      },
    },
  };
  const authorize: CaddyJson = {
    ...askEdge(input, INTERNAL_AUTHORIZE, {
      Cookie: fromClient('Cookie'),
      Authorization: fromClient('Authorization'),
      Origin: fromClient('Origin'),
      'Sec-Fetch-Site': fromClient('Sec-Fetch-Site'),
      'X-Forwarded-Upgrade': fromClient('Upgrade'),
    }),
    handle_response: [
      {
        match: { status_code: [2] },
        routes: [
          {
            handle: [
              {
                handler: 'vars',
                berth_upstream: fromEdge(upstream),
                berth_user: fromEdge(user),
                berth_email: fromEdge(email),
                berth_role: fromEdge(role),
                berth_cookie: fromEdge(cookie),
              },
              { handler: 'headers', request: { delete: ['Cookie'] } },
            ],
          },
          {
            match: [{ not: [{ vars: { '{http.vars.berth_cookie}': [''] } }] }],
            handle: [{ handler: 'headers', request: { set: { Cookie: ['{http.vars.berth_cookie}'] } } }],
          },
          {
            // API tokens of Berth are for Berth: an instance never sees one.
            match: [{ header_regexp: { Authorization: { pattern: 'brt_' } } }],
            handle: [{ handler: 'headers', request: { delete: ['Authorization'] } }],
          },
          {
            match: [{ vars: { '{http.vars.berth_upstream}': [''] } }],
            handle: [{ handler: 'error', status_code: '503', error: 'no upstream' }],
            terminal: true,
          },
          { handle: [proxy] },
        ],
      },
    ],
  };
  return {
    listen: [`:${input.httpsPort}`],
    protocols: ['h1', 'h2'],
    max_header_bytes: CADDY_HEADER_BYTES_MAX,
    read_header_timeout: 15_000_000_000,
    idle_timeout: 300_000_000_000,
    automatic_https: { disable: true },
    tls_connection_policies: [{}],
    // The variable exists from the start: old versions take an unset one for something.
    routes: [{ handle: [{ handler: 'vars', berth_upstream: '' }, clientHeadersRemoved, authorize] }],
    errors: {
      routes: [
        {
          match: [{ not: [{ vars: { '{http.vars.berth_upstream}': [''] } }] }],
          handle: [
            askEdge(input, INTERNAL_UNREACHABLE, {
              'X-Berth-Error': ['{http.error.message}'],
              'X-Berth-Tried': ['{http.vars.berth_upstream}'],
            }),
          ],
          terminal: true,
        },
        {
          handle: [
            staticPage(
              503,
              'One moment',
              'The part of Berth that checks who may enter is not answering. It is restarted by itself; this page tries again in a few seconds.',
            ),
          ],
        },
      ],
    },
  };
}

function controlPlane(input: CaddyInput, version: [number, number, number]): CaddyJson {
  const compress: CaddyJson = {
    handler: 'encode',
    encodings: { zstd: {}, gzip: {} },
    prefer: ['zstd', 'gzip'],
    minimum_length: 1024,
    // An explicit list: live events (text/event-stream) must never wait in a compressor.
    match: {
      headers: {
        'Content-Type': [
          'application/json*',
          'application/problem+json*',
          'application/javascript*',
          'text/javascript*',
          'text/css*',
          'text/html*',
          'text/plain*',
          'image/svg+xml*',
        ],
      },
    },
  };
  const security: CaddyJson = {
    handler: 'headers',
    response: {
      deferred: true,
      set: isLocalName(input.domain) ? {} : { 'Strict-Transport-Security': ['max-age=31536000'] },
      delete: ['Server', 'Via'],
    },
  };
  const to = (socket: string): CaddyJson => ({
    handler: 'reverse_proxy',
    upstreams: toUnix(socket),
    transport: unixTransport,
    load_balancing: waitForRestart,
    flush_interval: atLeast(version, 7) ? -1 : FLUSH_SOON_NS,
  });
  return {
    listen: [`:${input.controlPort}`],
    protocols: ['h1', 'h2'],
    max_header_bytes: CADDY_HEADER_BYTES_MAX,
    read_header_timeout: 15_000_000_000,
    idle_timeout: 300_000_000_000,
    automatic_https: { disable: true },
    tls_connection_policies: [{}],
    routes: [
      {
        match: [{ host: [input.domain] }],
        handle: [
          {
            handler: 'subroute',
            routes: [
              { handle: [clientHeadersRemoved, security] },
              { match: [{ path: ['/edge/*'] }], handle: [to(input.sockets.edge)], terminal: true },
              { handle: [compress, to(input.sockets.server)] },
            ],
          },
        ],
        terminal: true,
      },
      {
        handle: [
          {
            handler: 'static_response',
            status_code: 421,
            headers: { 'Content-Type': ['text/plain; charset=utf-8'] },
            body: `This address serves only ${input.domain}.\n`,
          },
        ],
      },
    ],
    errors: {
      routes: [
        {
          match: [{ path: ['/api/*', '/edge/*'] }],
          handle: [
            {
              handler: 'static_response',
              status_code: 503,
              headers: {
                'Content-Type': ['application/problem+json'],
                'Cache-Control': ['no-store'],
                'Retry-After': ['2'],
              },
              body: JSON.stringify({
                type: 'about:blank',
                title: 'Not available right now',
                status: 503,
                detail: 'Berth is starting again. Try once more in a few seconds.',
                code: 'unavailable',
                requestId: 'proxy',
                retryAfterSeconds: 2,
              }),
            },
          ],
          terminal: true,
        },
        {
          handle: [
            staticPage(
              503,
              'Berth is starting',
              'The console comes back by itself. Your desktops and servers keep running meanwhile.',
            ),
          ],
        },
      ],
    },
  };
}

function plainHttp(input: CaddyInput): CaddyJson {
  const redirect = (origin: string): CaddyJson => ({
    handler: 'static_response',
    status_code: 308,
    headers: { Location: [`${origin}{http.request.uri}`] },
  });
  return {
    listen: [`:${input.httpPort}`],
    protocols: ['h1'],
    max_header_bytes: CADDY_HEADER_BYTES_MAX,
    read_header_timeout: 15_000_000_000,
    automatic_https: { disable: true },
    routes: [
      {
        match: [{ path: [ASK_PATH], host: ['127.0.0.1'], remote_ip: { ranges: ['127.0.0.0/8'] } }],
        handle: [askEdge(input, `${INTERNAL_ASK}?{http.request.uri.query}`, {})],
        terminal: true,
      },
      {
        match: [{ host: [input.domain] }],
        handle: [redirect(httpsOrigin(input.domain, input.controlPort))],
        terminal: true,
      },
      { handle: [redirect(httpsOrigin('{http.request.host}', input.httpsPort))] },
    ],
  };
}

/** The whole configuration as JSON, for `caddy run --config`. Pure. */
export function caddyConfig(input: CaddyInput): { [key: string]: CaddyJson } {
  const version = parseCaddyVersion(input.version);
  const askUrl = `http://127.0.0.1:${input.httpPort}${ASK_PATH}`;
  const internal: CaddyJson = [{ module: 'internal' }];
  return {
    admin: {
      listen: `unix/${input.sockets.admin}${atLeast(version, 8) ? '|0600' : ''}`,
      config: { persist: false },
    },
    logging: { logs: { default: { level: 'INFO', encoder: { format: 'json' } } } },
    storage: { module: 'file_system', root: input.storageDirectory },
    apps: {
      http: {
        http_port: input.httpPort,
        https_port: input.httpsPort,
        grace_period: 3_000_000_000,
        servers: {
          control: controlPlane(input, version),
          user: userPlane(input, version),
          plain: plainHttp(input),
        },
      },
      tls: {
        certificates: { automate: [input.domain] },
        automation: {
          on_demand: atLeast(version, 8) ? { permission: { module: 'http', endpoint: askUrl } } : { ask: askUrl },
          policies: [
            { subjects: [input.domain], issuers: internal },
            { on_demand: true, issuers: internal },
          ],
        },
      },
      pki: {
        certificate_authorities: {
          local: {
            name: `Berth (${input.domain})`,
            root_common_name: `Berth CA for ${input.domain}`,
            intermediate_common_name: `Berth intermediate CA for ${input.domain}`,
            install_trust: false,
          },
        },
      },
    },
  };
}
