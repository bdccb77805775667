/**
 * The decision about every request to a route's host name: may it enter, and to which address? Deciding never waits;
 * when memory does not know something that one question to the database could tell, it says so and decides again.
 */
import { CONSOLE_SCREEN_PATH, ROUTE_COOKIE } from '#contract/edge.ts';
import { type Holding, holdingMay } from '#domain/authz.ts';
import type { RouteHeader, RouteRules } from '#domain/route-rules.ts';
import { scopesAllow } from '#domain/scopes.ts';
import type { BasicAuth } from './basic-auth.ts';
import type { Ticket } from './bridge.ts';
import { bearerToken, isCaller, type Knowledge, knownBearer } from './callers.ts';
import { cookieValue, withoutBerthCookies } from './cookies.ts';
import { isRunning } from './doors.ts';
import type { Lookup } from './feed.ts';
import type { LineEnd, Lines } from './lines.ts';
import { type Answer, redirect, wantsPage } from './pages.ts';
import * as refusals from './refusals.ts';
import type { RoutePasses } from './route-pass.ts';
import { mayComeFrom, routeFor } from './route-rules.ts';
import { KNOWLEDGE_AGE_MS_MAX } from './snapshot.ts';
import type { Caller, EdgeInstance, EdgeRoute, EdgeState } from './state.ts';

/** What Caddy tells about a client's request; absent headers are empty strings. */
export type UserRequest = {
  host: string;
  /** Path and query as the client sent them. */
  uri: string;
  method: string;
  accept: string;
  cookie: string;
  authorization: string;
  origin: string;
  fetchSite: string;
  /** The `Upgrade` header. */
  upgrade: string;
  /** Where the connection comes from. */
  address: string;
  /** The `Content-Length` header. */
  length: string;
  /** The client's end of the connection; undefined when Caddy does not say. */
  line?: LineEnd | undefined;
};

/** Who a request is from, as an instance is told; empty for nobody. */
export type Told = { user: string; email: string; role: string };
/**
 * Let through: to `upstream` directly, or with the pass `bridge` to edge's own bridge (the other one is empty); who it
 * is and which cookies the instance may see.
 */
export type Allowed = Told & {
  upstream: string;
  bridge: string;
  cookie: string;
  /** What Caddy does with the request on the way; null for most routes. */
  treatment: Treatment | null;
};
/** What a route's rules change about a request; see UPSTREAM_HEADERS. */
export type Treatment = {
  authorization: '' | 'drop';
  body: string;
  protocol: '' | 'h2c';
  request: RouteHeader[] | undefined;
  response: RouteHeader[] | undefined;
};
/** Something to find out first: a question to the database, or a password to check. */
type Need = { need: Lookup; missMs?: number } | { need: { by: 'password'; check: () => Promise<void> } };
type Asked = Lookup['by'] | 'password';
type Decision = Allowed | Answer | Need;

/** Where things are, from the outside. */
export type Site = { domain: string; consoleOrigin: string; httpsPort: number };

/** Own paths below every route's host name. */
export const OWN_PREFIX = '/.berth/';
/** How long a seen "it does not run" is believed before the row is read again. */
const INSTANCE_MISS_MS = 200;
const NOTHING: Holding = { role: null, permissions: [] };
const EMPTY: ReadonlySet<Asked> = new Set();

/** The host name of a `Host` header: lower case, without port and closing dot; undefined when it is none. */
export function hostnameOf(host: string): string | undefined {
  const colon = host.indexOf(':');
  let name = colon === -1 ? host : host.slice(0, colon);
  if (name.endsWith('.')) name = name.slice(0, -1);
  if (name.length === 0 || name.length > 253) return undefined;
  if (!/^[A-Za-z0-9.-]+$/.test(name)) return undefined;
  return name.toLowerCase();
}

export function originOf(hostname: string, site: Site): string {
  return site.httpsPort === 443 ? `https://${hostname}` : `https://${hostname}:${site.httpsPort}`;
}

/** Whether a request that changes something (or opens a socket) came from the route's own pages, or from no page. */
function fromOwnPages(request: UserRequest, hostname: string, site: Site): boolean {
  if (request.upgrade === '' && (request.method === 'GET' || request.method === 'HEAD')) return true;
  if (request.fetchSite !== '') return request.fetchSite === 'same-origin' || request.fetchSite === 'none';
  return request.origin === '' || request.origin === originOf(hostname, site);
}

/** Whether the answer may go on after the decision: a WebSocket or other new protocol, or events. */
function staysOpen(request: UserRequest): boolean {
  return (
    request.upgrade !== '' || request.method === 'CONNECT' || request.accept.toLowerCase().includes('text/event-stream')
  );
}

/** What an instance is told of a caller. Only who holds something there is named; on a public route everybody else stays anonymous. */
export function toldOf(state: EdgeState, caller: Caller | undefined, holding: Holding): Told {
  const user = caller === undefined || !holdingMay(holding, 'instance.read') ? undefined : state.user(caller.userId);
  if (user === undefined) return { user: '', email: '', role: '' };
  return { user: user.id, email: headerSafe(user.email), role: holding.role ?? 'guest' };
}

export type AuthorizerOptions = {
  knowledge: Knowledge;
  passes: RoutePasses;
  basicAuth: BasicAuth;
  /** Makes the pass with which Caddy brings a connection that stays open to the bridge. */
  bridge(ticket: Ticket): string;
  /** Told of every request, by which of a client's connections it came. */
  lines?: Pick<Lines, 'entered' | 'notEntered'>;
  /** May this address be dialled at all? See pools.ts. */
  mayDial(address: string): boolean;
  site: Site;
  /** Answers requests below OWN_PREFIX and sends people to sign in. */
  signIn: {
    callback(request: UserRequest, hostname: string): Answer;
    begin(request: UserRequest, hostname: string): Answer;
  };
  onBadAddress(instance: EdgeInstance): void;
};

export class Authorizer {
  readonly #o: AuthorizerOptions;

  constructor(options: AuthorizerOptions) {
    this.#o = options;
  }

  /** Answers at once when memory suffices, which is nearly always. */
  authorize(request: UserRequest): Allowed | Answer | Promise<Allowed | Answer> {
    const decision = this.#decide(request, EMPTY);
    if ('need' in decision) return this.#learn(request, decision);
    return this.#decided(request, decision);
  }

  #decided(request: UserRequest, decision: Allowed | Answer): Allowed | Answer {
    if (request.line !== undefined && ('status' in decision || decision.upstream === '')) {
      this.#o.lines?.notEntered(request.line);
    }
    return decision;
  }

  async #learn(request: UserRequest, first: Need): Promise<Allowed | Answer> {
    const asked = new Set<Asked>();
    let decision: Decision = first;
    while ('need' in decision) {
      asked.add(decision.need.by);
      if (decision.need.by === 'password') await decision.need.check();
      else await this.#o.knowledge.lookup(decision.need, 'missMs' in decision ? decision.missMs : undefined);
      decision = this.#decide(request, asked);
    }
    return this.#decided(request, decision);
  }

  #decide(request: UserRequest, asked: ReadonlySet<Asked>): Decision {
    const { knowledge, site } = this.#o;
    const { state } = knowledge;
    const hostname = hostnameOf(request.host);
    if (hostname === undefined) return refusals.unknownHost(request.accept, site);
    if (knowledge.now() - state.confirmedAt > KNOWLEDGE_AGE_MS_MAX) return refusals.knowsNothing(request.accept);
    if (hostname === site.domain) return redirect(`${site.consoleOrigin}/`);
    const routes = state.routes(hostname);
    if (routes.length === 0) {
      if (!asked.has('hostname')) return { need: { by: 'hostname', key: hostname } };
      return refusals.unknownHost(request.accept, site);
    }
    if (request.uri.startsWith(OWN_PREFIX)) return this.#o.signIn.callback(request, hostname);
    const route = routeFor(routes, request.uri);
    if (route === 'unclear') return refusals.unclearPath(request.accept);
    if (route === undefined) return refusals.noSuchPath(request.accept);
    // Before anything else is said about it.
    if (!mayComeFrom(route, request.address)) return refusals.fromElsewhere(request.accept, request.address);
    if (route.target === 'screen') {
      return redirect(site.consoleOrigin + CONSOLE_SCREEN_PATH.replace(':instance', route.instanceId));
    }
    return this.#enter(request, hostname, route, asked);
  }

  #enter(request: UserRequest, hostname: string, route: EdgeRoute, asked: ReadonlySet<Asked>): Decision {
    const { state } = this.#o.knowledge;
    const isPublic = route.visibility === 'public';
    const found = this.#caller(request, hostname, isPublic, asked);
    if (found !== undefined && 'need' in found) return found;
    const holding = found === undefined ? NOTHING : state.holding(found.caller.userId, route, this.#o.knowledge.now());
    if (!isPublic) {
      if (found === undefined) {
        const page = wantsPage(request.accept) && (request.method === 'GET' || request.method === 'HEAD');
        return page && request.upgrade === ''
          ? this.#o.signIn.begin(request, hostname)
          : refusals.signInFirst(request.accept);
      }
      if (!holdingMay(holding, 'instance.open') || !scopesAllow(found.caller.scopes, 'instance.open')) {
        // What is held by the project is known with the instance only.
        if (state.instance(route.instanceId) === undefined && !asked.has('instance')) {
          return { need: { by: 'instance', key: route.instanceId } };
        }
        const email = state.user(found.caller.userId)?.email ?? '';
        return refusals.notAllowed(request.accept, hostname, email, this.#o.site);
      }
      if (found.byCookie && !fromOwnPages(request, hostname, this.#o.site)) return refusals.otherSite(request.accept);
    }
    // Who brought an API token for a private route has said enough; there is one Authorization header only.
    const byToken = !isPublic && found !== undefined && !found.byCookie;
    const stopped = byToken ? null : this.#password(request, route, asked);
    return stopped ?? this.#forward(request, route, found?.caller, holding, asked);
  }

  /** What to answer while the route's own password is missing; null when there is none or it is right. */
  #password(request: UserRequest, route: EdgeRoute, asked: ReadonlySet<Asked>): Decision | null {
    if (route.rules?.basicAuth === undefined) return null;
    const { basicAuth } = this.#o;
    const { authorization, address } = request;
    const verdict = basicAuth.verdict(route, authorization, address);
    if (verdict === 'good') return null;
    if (verdict === 'unknown' && !asked.has('password')) {
      return { need: { by: 'password', check: () => basicAuth.learn(route, authorization, address) } };
    }
    return verdict === 'wrong' ? refusals.passwordFirst(request.accept) : refusals.tooManyPasswords(request.accept);
  }

  /** Who sends the request; on a public route only what is known already counts, nothing is asked for. */
  #caller(
    request: UserRequest,
    hostname: string,
    isPublic: boolean,
    asked: ReadonlySet<Asked>,
  ): { caller: Caller; byCookie: boolean } | Need | undefined {
    const { knowledge, passes } = this.#o;
    if (request.authorization !== '') {
      const bearer = bearerToken(request.authorization);
      if (bearer !== undefined) {
        const found = knownBearer(knowledge, bearer);
        if (isCaller(found)) return { caller: found, byCookie: false };
        return isPublic || asked.has(found.by) ? undefined : { need: found };
      }
    }
    if (request.cookie === '') return undefined;
    const cookie = cookieValue(request.cookie, ROUTE_COOKIE);
    if (cookie === undefined) return undefined;
    const sessionId = passes.check(cookie, hostname, knowledge.now());
    if (sessionId === undefined) return undefined;
    const caller = knowledge.state.sessionById(sessionId, knowledge.now());
    if (caller !== undefined) return { caller, byCookie: true };
    return isPublic || asked.has('sessionId') ? undefined : { need: { by: 'sessionId', key: sessionId } };
  }

  #forward(
    request: UserRequest,
    route: EdgeRoute,
    caller: Caller | undefined,
    holding: Holding,
    asked: ReadonlySet<Asked>,
  ): Decision {
    const { state } = this.#o.knowledge;
    const instance = state.instance(route.instanceId);
    const runs = instance !== undefined && isRunning(instance);
    if (!runs && !asked.has('instance')) {
      return { need: { by: 'instance', key: route.instanceId }, missMs: INSTANCE_MISS_MS };
    }
    if (!route.enabled) return refusals.switchedOff(request.accept);
    if (route.redirect !== null) return redirect(route.redirect.to, [], route.redirect.status);
    const { bodyBytesMax } = route.rules ?? {};
    if (bodyBytesMax !== undefined && Number(request.length) > bodyBytesMax) {
      return refusals.bodyTooLarge(request.accept, bodyBytesMax);
    }
    if (instance === undefined || !runs) return refusals.notRunning(request.accept, instance, this.#o.site);
    if (route.port === null || !this.#o.mayDial(instance.address4)) {
      this.#o.onBadAddress(instance);
      return refusals.noAddress(request.accept, instance);
    }
    const told = {
      ...toldOf(state, caller, holding),
      cookie: withoutBerthCookies(request.cookie),
      treatment: treatment(route.rules),
    };
    if (route.visibility !== 'public' && caller !== undefined && staysOpen(request)) {
      const { hostname, id: routeId, instanceId, port } = route;
      const where = { address: instance.address4, port, client: request.address };
      const ticket = { caller, role: told.role, hostname, routeId, instanceId, ...where };
      return { ...told, upstream: '', bridge: this.#o.bridge(ticket) };
    }
    if (request.line !== undefined) this.#o.lines?.entered(request.line, caller, route, instance);
    return { ...told, upstream: `${instance.address4}:${route.port}`, bridge: '' };
  }
}

function treatment(rules: RouteRules | null): Treatment | null {
  if (rules === null) return null;
  const { basicAuth, bodyBytesMax, protocol, requestHeaders: request, responseHeaders: response } = rules;
  if ((basicAuth ?? bodyBytesMax ?? request ?? response) === undefined && protocol !== 'h2c') return null;
  return {
    authorization: basicAuth === undefined ? '' : 'drop',
    body: bodyBytesMax === undefined ? '' : String(bodyBytesMax),
    protocol: protocol === 'h2c' ? 'h2c' : '',
    request,
    response,
  };
}

/** Printable ASCII; anything else percent-encoded, so that no value can end a header line. */
export function headerSafe(text: string): string {
  return text.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
}
