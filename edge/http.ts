/** Edge's door: one HTTP server on its socket, behind Caddy. Paths are compared exactly as they came, never normalised. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { closeCodes, EDGE_PREFIX, edgePaths } from '#contract/edge.ts';
import { controlRefusal } from '#domain/control-access.ts';
import type { RouteHeader } from '#domain/route-rules.ts';
import { mayHaveCertificate } from './ask.ts';
import { type Authorizer, hostnameOf, type Site, type Treatment, type UserRequest } from './authorize.ts';
import {
  type HeaderRuleKind,
  headerRulePlace,
  INTERNAL_ASK,
  INTERNAL_AUTHORIZE,
  INTERNAL_CERTIFICATE,
  INTERNAL_UNREACHABLE,
  LINE_HEADER,
  UPSTREAM_HEADERS,
} from './caddy-parts.ts';
import { identify, type Knowledge, peerAddress } from './callers.ts';
import { lineEnd } from './lines.ts';
import { type Answer, problem } from './pages.ts';
import * as refusals from './refusals.ts';
import { headerPlaces, routeFor } from './route-rules.ts';
import type { SignIn } from './sign-in.ts';
import type { Sockets } from './sockets.ts';
import type { Thumbnails } from './thumbnails.ts';
import type { Wildcards } from './wildcards.ts';

/** Above Caddy's own limit, so that what Caddy lets through always fits. */
const HEADER_BYTES_MAX = 128 * 1024;
/** Longer than Caddy keeps idle connections: the end that opened a connection also closes it. */
const KEEP_ALIVE_MS = 300_000;
const THUMBNAIL = /^\/edge\/v1\/instances\/(ins_[0-9a-hjkmnp-tv-z]{26})\/thumbnail$/;
const SOCKET_PATH = /^\/edge\/v1\/instances\/[^/]+\/(?:screen|terminal|logs)$/;

export type HttpOptions = {
  authorizer: Authorizer;
  knowledge: Knowledge;
  signIn: SignIn;
  sockets: Sockets;
  thumbnails: Thumbnails;
  site: Site;
  wildcards: Wildcards;
  health(): object;
  log: { error(fields: object, message: string): void };
};

const LINE = LINE_HEADER.toLowerCase();
const text = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '');

function userRequest(request: IncomingMessage): UserRequest {
  const { headers } = request;
  return {
    host: headers.host ?? '',
    uri: text(headers['x-forwarded-uri']),
    method: text(headers['x-forwarded-method']),
    accept: headers.accept ?? '',
    cookie: headers.cookie ?? '',
    authorization: headers.authorization ?? '',
    origin: headers.origin ?? '',
    fetchSite: text(headers['sec-fetch-site']),
    upgrade: text(headers['x-forwarded-upgrade']),
    address: text(headers['x-berth-address']),
    length: text(headers['x-forwarded-length']),
    line: lineEnd(text(headers['x-berth-address']), text(headers[LINE])),
  };
}

/** All places, also empty ones: Caddy would take a missing one for a text. */
function treatmentHeaders({ authorization, body, protocol, request, response }: Treatment): string[] {
  const pairs = (kind: HeaderRuleKind, headers: readonly RouteHeader[] | undefined) =>
    headerPlaces(headers).flatMap(({ name, value }, at) => {
      const place = headerRulePlace(kind, at);
      return [place.name, name, place.value, value];
    });
  return [
    UPSTREAM_HEADERS.authorization,
    authorization,
    UPSTREAM_HEADERS.body,
    body,
    UPSTREAM_HEADERS.protocol,
    protocol,
    ...pairs('request', request),
    ...pairs('response', response),
  ];
}

function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(answer.body);
}

export function edgeServer(options: HttpOptions): Server {
  const { authorizer, knowledge, signIn, sockets, thumbnails, site, wildcards, log } = options;

  const finish = (response: ServerResponse, verdict: Awaited<ReturnType<Authorizer['authorize']>>): void => {
    if ('status' in verdict) {
      send(response, verdict);
      return;
    }
    response.writeHead(200, [
      UPSTREAM_HEADERS.upstream,
      verdict.upstream,
      UPSTREAM_HEADERS.bridge,
      verdict.bridge,
      UPSTREAM_HEADERS.user,
      verdict.user,
      UPSTREAM_HEADERS.email,
      verdict.email,
      UPSTREAM_HEADERS.role,
      verdict.role,
      UPSTREAM_HEADERS.cookie,
      verdict.cookie,
      UPSTREAM_HEADERS.rules,
      verdict.treatment === null ? '' : '1',
      ...(verdict.treatment === null ? [] : treatmentHeaders(verdict.treatment)),
      'Content-Length',
      '0',
    ]);
    response.end();
  };

  const unreachable = (request: IncomingMessage): Answer => {
    const { headers } = request;
    const routes = knowledge.state.routes(hostnameOf(headers.host ?? '') ?? '');
    const found = routeFor(routes, text(headers['x-forwarded-uri']));
    const route = found === 'unclear' ? undefined : found;
    const instance = route === undefined ? undefined : knowledge.state.instance(route.instanceId);
    const accept = headers.accept ?? '';
    if (route?.port == null || instance === undefined) return refusals.unknownHost(accept, site);
    const error = text(headers['x-berth-error']);
    if (error.includes('body too large')) return refusals.bodyTooLarge(accept, route.rules?.bodyBytesMax ?? 0);
    return refusals.unreachable(accept, instance.name, route.port, error);
  };

  const thumbnail = async (request: IncomingMessage, response: ServerResponse, instanceId: string): Promise<void> => {
    const caller = await identify(knowledge, request.headers);
    const refusal = await sockets.doors.decide(caller, 'instance.open', instanceId);
    if (refusal?.code === closeCodes.signedOut) {
      return send(response, problem('unauthenticated', refusal.reason, randomUUID()));
    }
    const desktop = knowledge.state.instance(instanceId)?.kind === 'desktop';
    const png = refusal === null && desktop ? await thumbnails.get(instanceId) : null;
    if (png === null) return send(response, problem('not_found', 'There is no picture of it now.', randomUUID()));
    response.writeHead(200, {
      'content-type': 'image/png',
      'content-length': png.length,
      'cache-control': 'private, max-age=10',
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'same-origin',
    });
    response.end(png);
  };

  const other = async (
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: string,
  ): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return send(response, problem('not_found', 'There is nothing here.', randomUUID()));
    }
    if (path === INTERNAL_ASK) {
      response.writeHead((await mayHaveCertificate(knowledge, site, query)) ? 200 : 403, { 'content-length': '0' });
      response.end();
      return;
    }
    if (path === INTERNAL_CERTIFICATE) {
      const isCaddy = wildcards.isAllowed(text(request.headers.authorization));
      const pem = isCaddy ? await wildcards.find(query) : null;
      const headers = { 'content-type': 'application/x-pem-file', 'cache-control': 'no-store' };
      response.writeHead(isCaddy ? (pem === null ? 204 : 200) : 403, pem === null ? {} : headers);
      response.end(pem ?? undefined);
      return;
    }
    if (path === INTERNAL_UNREACHABLE) return send(response, unreachable(request));
    if (path.startsWith(`${EDGE_PREFIX}/`)) {
      const address = peerAddress(request);
      if (!knowledge.state.mayEnterControl(address)) {
        return send(response, problem('forbidden', controlRefusal(address), randomUUID()));
      }
    }
    if (path === '/healthz') {
      const body = JSON.stringify(options.health());
      return send(response, { status: 200, headers: { 'content-type': 'application/json' }, body });
    }
    if (path === edgePaths.signIn) return send(response, await signIn.lend(request.headers, query));
    const picture = THUMBNAIL.exec(path);
    if (picture !== null) return thumbnail(request, response, picture[1]!);
    if (SOCKET_PATH.test(path)) {
      return send(response, problem('invalid_input', 'This address is a WebSocket.', randomUUID(), undefined, 426));
    }
    return send(response, problem('not_found', 'There is nothing here.', randomUUID()));
  };

  const failed = (response: ServerResponse, error: unknown): void => {
    const requestId = randomUUID();
    log.error({ requestId, err: error }, 'request failed');
    if (response.headersSent) response.destroy();
    else send(response, problem('internal', 'Something went wrong inside Berth.', requestId));
  };

  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    optimizeEmptyRequests: true,
    requestTimeout: 30_000,
  });
  server.on('request', (request, response) => {
    const url = request.url ?? '';
    response.sendDate = false;
    try {
      if (url.startsWith(INTERNAL_AUTHORIZE)) {
        const verdict = authorizer.authorize(userRequest(request));
        if (verdict instanceof Promise)
          verdict.then((late) => finish(response, late)).catch((error) => failed(response, error));
        else finish(response, verdict);
        return;
      }
      const question = url.indexOf('?');
      const path = question === -1 ? url : url.slice(0, question);
      other(request, response, path, question === -1 ? '' : url.slice(question)).catch((error) =>
        failed(response, error),
      );
    } catch (error) {
      failed(response, error);
    }
  });
  server.on('upgrade', (request, socket, head) => sockets.upgrade(request, socket, head));
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}
