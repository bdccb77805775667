/** Caddy's user plane: every route's host name, one static configuration for all of them. See caddy.ts. */
import { ROUTE_HEADERS_MAX, routeBodyLimits } from '#domain/route-rules.ts';
import {
  askEdge,
  CADDY_HEADER_BYTES_MAX,
  type CaddyInput,
  type CaddyJson,
  clientHeadersRemoved,
  DIAL_UPSTREAM_NS,
  FLUSH_SOON_NS,
  fromClient,
  fromEdge,
  type HeaderRuleKind,
  headerRulePlace,
  INTERNAL_AUTHORIZE,
  INTERNAL_UNREACHABLE,
  LINE_HEADER,
  staticPage,
  toUnix,
  UPSTREAM_HEADERS,
} from './caddy-parts.ts';

const variable = (name: string): string => `{http.vars.${name}}`;
const is = (name: string, value: string): { [matcher: string]: CaddyJson } => ({ vars: { [variable(name)]: [value] } });
const isNot = (name: string, value: string): CaddyJson => ({ not: [is(name, value)] });

/**
 * A route's header rules: as many places as there may be rules, each filled or passed by. Names and values come from
 * edge, which takes them from a list of harmless ones; an empty value on the way out removes the header.
 */
function headerRules(): CaddyJson[] {
  const kinds: readonly HeaderRuleKind[] = ['request', 'response'];
  return kinds.flatMap((kind) =>
    Array.from({ length: ROUTE_HEADERS_MAX }, (_, at): CaddyJson[] => {
      const place = headerRulePlace(kind, at);
      const [name, value] = [`berth_${kind}${at}_name`, `berth_${kind}${at}_value`];
      const filled = { [variable(name)]: [variable(value)] };
      const fill: CaddyJson = {
        handle: [{ handler: 'vars', [name]: fromEdge(place.name), [value]: fromEdge(place.value) }],
      };
      if (kind === 'request') {
        return [fill, { match: [isNot(name, '')], handle: [{ handler: 'headers', request: { set: filled } }] }];
      }
      const unless = { not: [is(name, ''), is(value, '')] };
      const removes = { not: [is(name, '')], ...is(value, '') };
      return [
        fill,
        { match: [unless], handle: [{ handler: 'headers', response: { deferred: true, set: filled } }] },
        {
          match: [removes],
          handle: [{ handler: 'headers', response: { deferred: true, delete: [variable(name)] } }],
        },
      ];
    }).flat(),
  );
}

/** What a route's rules change about a request besides its headers. */
function treatment(): CaddyJson[] {
  const { authorization, body, protocol } = UPSTREAM_HEADERS;
  return [
    {
      handle: [
        {
          handler: 'vars',
          berth_authorization: fromEdge(authorization),
          berth_body: fromEdge(body),
          berth_protocol: fromEdge(protocol),
        },
      ],
    },
    {
      match: [is('berth_authorization', 'drop')],
      handle: [{ handler: 'headers', request: { delete: ['Authorization'] } }],
    },
    ...routeBodyLimits.map((bytes) => ({
      match: [is('berth_body', String(bytes))],
      handle: [{ handler: 'request_body', max_size: bytes }],
    })),
  ];
}

export function userPlane(input: CaddyInput): CaddyJson {
  const { upstream, bridge, user, email, role, cookie, rules } = UPSTREAM_HEADERS;
  const proxyTo = (more: { [key: string]: CaddyJson }, headers: { [name: string]: CaddyJson }): CaddyJson => ({
    handler: 'reverse_proxy',
    ...more,
    flush_interval: FLUSH_SOON_NS,
    // Set here and not before: the proxy first drops what the client's `Connection` header names.
    headers: {
      request: {
        set: {
          [user]: ['{http.vars.berth_user}'],
          [email]: ['{http.vars.berth_email}'],
          [role]: ['{http.vars.berth_role}'],
          ...headers,
        },
      },
    },
  });
  const toInstance = (versions: string[]): CaddyJson =>
    proxyTo(
      {
        upstreams: [{ dial: '{http.vars.berth_upstream}' }],
        transport: { protocol: 'http', dial_timeout: DIAL_UPSTREAM_NS, versions },
      },
      {},
    );
  // No second try and no connection kept: a pass is good once, and each bridged request is cut by itself.
  const toBridge = proxyTo(
    {
      upstreams: toUnix(input.sockets.bridge),
      transport: { protocol: 'http', keep_alive: { enabled: false }, versions: ['1.1'] },
    },
    { [bridge]: ['{http.vars.berth_bridge}'] },
  );
  const authorize: CaddyJson = {
    ...askEdge(input, INTERNAL_AUTHORIZE, {
      Cookie: fromClient('Cookie'),
      Authorization: fromClient('Authorization'),
      Origin: fromClient('Origin'),
      'Sec-Fetch-Site': fromClient('Sec-Fetch-Site'),
      'X-Forwarded-Upgrade': fromClient('Upgrade'),
      'X-Forwarded-Length': fromClient('Content-Length'),
      [LINE_HEADER]: ['{http.request.proto} {http.request.remote.port}'],
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
                berth_bridge: fromEdge(bridge),
                berth_user: fromEdge(user),
                berth_email: fromEdge(email),
                berth_role: fromEdge(role),
                berth_cookie: fromEdge(cookie),
                berth_rules: fromEdge(rules),
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
            // Most routes have none, and each thing looked at here costs every request.
            match: [is('berth_rules', '1')],
            handle: [{ handler: 'subroute', routes: [...treatment(), ...headerRules()] }],
          },
          {
            match: [{ not: [{ vars: { '{http.vars.berth_bridge}': [''] } }] }],
            handle: [toBridge],
            terminal: true,
          },
          {
            match: [{ vars: { '{http.vars.berth_upstream}': [''] } }],
            handle: [{ handler: 'error', status_code: '503', error: 'no upstream' }],
            terminal: true,
          },
          { match: [is('berth_protocol', 'h2c')], handle: [toInstance(['h2c', '2'])], terminal: true },
          { handle: [toInstance(['1.1'])] },
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
    // The variables exist from the start: old versions take an unset one for something.
    routes: [
      {
        handle: [
          { handler: 'vars', berth_upstream: '', berth_bridge: '', berth_protocol: '' },
          clientHeadersRemoved,
          authorize,
        ],
      },
    ],
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
