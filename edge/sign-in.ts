/**
 * Lends a sign-in of the console to a private route's host name. The route's page sends the browser to the console's
 * `/edge/v1/sign-in`, which (when signed in and allowed) answers with a single-use code bound to that host name; the
 * host name's own `/.berth/callback` swaps it for a cookie of that host alone. A state cookie, set at the start, ties
 * the code to the browser that asked. Only known host names are ever redirected to.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { CONSOLE_SIGN_IN_PATH, edgePaths, ROUTE_COOKIE } from '#contract/edge.ts';
import { holdingMay } from '#domain/authz.ts';
import { hostnameOf, OWN_PREFIX, originOf, type Site, type UserRequest } from './authorize.ts';
import { identify, type Knowledge } from './callers.ts';
import { cookieValue } from './cookies.ts';
import { type Answer, htmlPage, redirect } from './pages.ts';
import * as refusals from './refusals.ts';
import type { RoutePasses, SignInCodes } from './route-pass.ts';

export const STATE_COOKIE = '__Host-berth-state';
const STATE_SHAPE = /^[A-Za-z0-9_-]{16,64}$/;
const STATE_SECONDS = 900;
const PATH_LENGTH_MAX = 2_048;
const CALLBACK = `${OWN_PREFIX}callback`;
const HTML = 'text/html';

export type SignInOptions = {
  knowledge: Knowledge;
  passes: RoutePasses;
  codes: SignInCodes;
  site: Site;
  /** Unguessable, URL-safe. */
  random(): string;
};

const cookie = (name: string, value: string, seconds: number) =>
  `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${seconds}`;

/** A path that stays on its own host when put behind an origin. */
function localPath(uri: string): string {
  return uri.startsWith('/') && uri.length <= PATH_LENGTH_MAX ? uri : '/';
}

type Target = { hostname: string; organizationId: string; instanceId: string; path: string };

export class SignIn {
  readonly #o: SignInOptions;

  constructor(options: SignInOptions) {
    this.#o = options;
  }

  /** Sends a browser without a pass to the console. */
  begin(request: UserRequest, hostname: string): Answer {
    const { site } = this.#o;
    const old = cookieValue(request.cookie, STATE_COOKIE);
    // Several tabs may begin at once: they share one state.
    const state = old !== undefined && STATE_SHAPE.test(old) ? old : this.#o.random();
    const back = originOf(hostname, site) + localPath(request.uri);
    const query = new URLSearchParams({ return: back, state });
    return redirect(`${site.consoleOrigin}${edgePaths.signIn}?${query}`, [cookie(STATE_COOKIE, state, STATE_SECONDS)]);
  }

  /** `GET /.berth/callback?code=` on the route's host name; anything else below /.berth/ does not exist. */
  callback(request: UserRequest, hostname: string): Answer {
    const { codes, knowledge, passes, site } = this.#o;
    const question = request.uri.indexOf('?');
    const path = question === -1 ? request.uri : request.uri.slice(0, question);
    if (path !== CALLBACK || request.method !== 'GET') return refusals.unknownHost(request.accept, site);
    const code = new URLSearchParams(question === -1 ? '' : request.uri.slice(question)).get('code') ?? '';
    const lent = codes.take(code, hostname, cookieValue(request.cookie, STATE_COOKIE), knowledge.now());
    const until = lent === undefined ? undefined : knowledge.state.sessionExpiry(lent.sessionId);
    if (lent === undefined || until === undefined || until <= knowledge.now()) {
      return htmlPage(400, {
        title: 'This sign-in link is used up',
        text: 'It works once, for a minute, and only in the browser that asked for it (with cookies on).',
        link: { href: '/', label: 'Try again' },
      });
    }
    const seconds = Math.floor((until - knowledge.now()) / 1000);
    return redirect(originOf(hostname, site) + lent.path, [
      cookie(ROUTE_COOKIE, passes.issue(lent.sessionId, hostname, until), seconds),
      cookie(STATE_COOKIE, '', 0),
    ]);
  }

  /** `GET /edge/v1/sign-in?return=&state=` on the control plane. `query` begins with '?' or is empty. */
  async lend(headers: IncomingHttpHeaders, query: string): Promise<Answer> {
    const { codes, knowledge, site } = this.#o;
    const parameters = new URLSearchParams(query);
    const target = await this.#target(parameters.get('return') ?? '');
    const state = parameters.get('state') ?? '';
    if (target === undefined || !STATE_SHAPE.test(state)) {
      return htmlPage(400, {
        title: 'This link leads nowhere',
        text: 'It does not name a private address of this Berth.',
        link: { href: `${site.consoleOrigin}/`, label: 'Open the console' },
      });
    }
    const caller = await identify(knowledge, { cookie: headers.cookie });
    if (caller === undefined) {
      const again = `${edgePaths.signIn}?${parameters}`;
      return redirect(`${site.consoleOrigin}${CONSOLE_SIGN_IN_PATH}?${new URLSearchParams({ return: again })}`);
    }
    if (!holdingMay(knowledge.state.holding(caller.userId, target, knowledge.now()), 'instance.open')) {
      return refusals.notAllowed(HTML, target.hostname, knowledge.state.user(caller.userId)?.email ?? '', site);
    }
    const code = codes.issue(
      { sessionId: caller.id, hostname: target.hostname, state, path: target.path },
      knowledge.now(),
    );
    return redirect(`${originOf(target.hostname, site)}${CALLBACK}?${new URLSearchParams({ code })}`);
  }

  /** The private route a return address names; undefined for every other address. */
  async #target(text: string): Promise<Target | undefined> {
    const { knowledge, site } = this.#o;
    if (text.length > PATH_LENGTH_MAX + 300 || !URL.canParse(text)) return undefined;
    const url = new URL(text);
    const hostname = hostnameOf(url.hostname);
    if (hostname === undefined || url.origin !== originOf(hostname, site)) return undefined;
    if (url.username !== '' || url.password !== '') return undefined;
    if (knowledge.state.routes(hostname).length === 0) await knowledge.lookup({ by: 'hostname', key: hostname });
    const route = knowledge.state.routes(hostname).find(({ target }) => target !== 'screen');
    if (route === undefined) return undefined;
    const { organizationId, instanceId } = route;
    // What is held by the project is known with the instance only.
    if (knowledge.state.instance(instanceId) === undefined) await knowledge.lookup({ by: 'instance', key: instanceId });
    return { hostname, organizationId, instanceId, path: localPath(`${url.pathname}${url.search}`) };
  }
}
