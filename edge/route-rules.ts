/** What a route's rules say about one request: which of a host name's routes it is for, and where it may come from. */
import { inNetworks, type Network, parseNetwork } from '#domain/networks.ts';
import { comparablePath, pathCovers, ROUTE_HEADERS_MAX, type RouteHeader } from '#domain/route-rules.ts';
import type { EdgeRoute } from './state.ts';

/**
 * The route that covers the path best; `unclear` when rules decide by path and programs read this one in different
 * ways; undefined when no route covers it. `routes` are those of one host name, the longest path first.
 */
export function routeFor(routes: readonly EdgeRoute[], uri: string): EdgeRoute | 'unclear' | undefined {
  const [only] = routes;
  // Without path rules there is nothing to walk around: the path is the program's own matter.
  if (only !== undefined && routes.length === 1 && only.path === '/') return only;
  const path = comparablePath(uri);
  if (path === null) return 'unclear';
  return routes.find((route) => pathCovers(route.path, path));
}

const parsed = new WeakMap<readonly string[], Network[]>();

/** True for every address when the route has no allow-list. */
export function mayComeFrom(route: EdgeRoute, address: string): boolean {
  const allow = route.rules?.allow;
  if (allow === undefined) return true;
  let networks = parsed.get(allow);
  if (networks === undefined) {
    networks = allow.map(parseNetwork).filter((network) => network !== null);
    parsed.set(allow, networks);
  }
  return inNetworks(address, networks);
}

/** The header rules as names and values for the places in Caddy's configuration; '' is an empty place. */
export function headerPlaces(headers: readonly RouteHeader[] | undefined): { name: string; value: string }[] {
  return Array.from({ length: ROUTE_HEADERS_MAX }, (_, at) => headers?.[at] ?? { name: '', value: '' });
}
