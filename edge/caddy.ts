/**
 * The one static Caddy configuration: control plane (console, API, edge) and user plane (every route's host name).
 * Routes are rows that edge knows, never configuration, so nothing here is ever reloaded and no socket is ever cut.
 *
 * How a user-plane request flows: headers that only Berth may write are removed -> edge is asked (sub-request) ->
 * anything but 2xx from edge goes to the client as it is (sign-in redirect, error page) -> on 2xx the address edge
 * named is dialled. The address lives in a Caddy variable, not in a request header, so no client can supply it.
 * Connections that stay open on private routes get no address: they go to edge's bridge, with a pass (see bridge.ts).
 */
import { CERTIFICATE_USER } from '#contract/wildcards.ts';
import {
  ASK_PATH,
  askEdge,
  atLeast,
  CADDY_HEADER_BYTES_MAX,
  type CaddyInput,
  type CaddyJson,
  CERTIFICATE_PATH,
  clientHeadersRemoved,
  FLUSH_SOON_NS,
  fromClient,
  httpsOrigin,
  INTERNAL_ASK,
  INTERNAL_CERTIFICATE,
  isLocalName,
  parseCaddyVersion,
  staticPage,
  toUnix,
  unixTransport,
  waitForRestart,
} from './caddy-parts.ts';
import { userPlane } from './caddy-routes.ts';

function controlPlane(input: CaddyInput): CaddyJson {
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
    flush_interval: FLUSH_SOON_NS,
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
        match: [{ path: [CERTIFICATE_PATH], host: ['127.0.0.1'], remote_ip: { ranges: ['127.0.0.0/8'] } }],
        handle: [
          askEdge(input, `${INTERNAL_CERTIFICATE}?{http.request.uri.query}`, {
            Authorization: fromClient('Authorization'),
          }),
        ],
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

/**
 * Caddy's own authority, or one that speaks ACME. Ownership is shown in the TLS handshake itself (TLS-ALPN): it needs
 * the HTTPS port only, and nothing on the plain port answers for a tenant's name.
 */
function certificateIssuers({ acme, httpsPort }: CaddyInput): CaddyJson {
  if (acme === undefined) return [{ module: 'internal' }];
  return [
    {
      module: 'acme',
      ca: acme.directory,
      ...(acme.email === null ? {} : { email: acme.email }),
      ...(acme.caFile === null ? {} : { trusted_roots_pem_files: [acme.caFile] }),
      challenges: { http: { disabled: true }, 'tls-alpn': { alternate_port: httpsPort } },
    },
  ];
}

/**
 * Go's default lets the heap grow to twice what lives in it before it looks for garbage, which is often where little lives
 * and every request makes some. Five times: 3 to 7 % more requests through edge's authorization, for some 50 MB.
 */
export const CADDY_ENVIRONMENT: Readonly<Record<string, string>> = { GOGC: '400' };

/** The whole configuration as JSON, for `caddy run --config`. Pure. */
export function caddyConfig(input: CaddyInput): { [key: string]: CaddyJson } {
  const version = parseCaddyVersion(input.version);
  const askUrl = `http://127.0.0.1:${input.httpPort}${ASK_PATH}`;
  const issuers = certificateIssuers(input);
  const { certificatePassword: password } = input;
  // The password goes before the host: there Go's client neither logs it nor sends it in the path.
  const getters =
    password === undefined
      ? []
      : [{ via: 'http', url: `http://${CERTIFICATE_USER}:${password}@127.0.0.1:${input.httpPort}${CERTIFICATE_PATH}` }];
  return {
    admin: {
      listen: `unix/${input.sockets.admin}${atLeast(version, 8) ? '|0600' : ''}`,
      config: { persist: false },
    },
    // The proxy's own logger renders every request for debug lines that nobody sees; what fails is logged by the server's.
    logging: {
      logs: { default: { level: 'INFO', encoder: { format: 'json' }, exclude: ['http.handlers.reverse_proxy'] } },
    },
    storage: { module: 'file_system', root: input.storageDirectory },
    apps: {
      http: {
        http_port: input.httpPort,
        https_port: input.httpsPort,
        grace_period: 3_000_000_000,
        servers: {
          control: controlPlane(input),
          user: userPlane(input),
          plain: plainHttp(input),
        },
      },
      tls: {
        certificates: { automate: [input.domain] },
        automation: {
          on_demand: atLeast(version, 8) ? { permission: { module: 'http', endpoint: askUrl } } : { ask: askUrl },
          policies: [
            { subjects: [input.domain], issuers },
            { on_demand: true, issuers, ...(getters.length === 0 ? {} : { get_certificate: getters }) },
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
