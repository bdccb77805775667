/** Routes and domains of the mock. */
import { challengeName, challengeValue } from '#domain/domains.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';
import type { DomainRow, MockState, RouteRow } from './state.ts';
import { DOMAIN, hint, iso, newId, record } from './state.ts';

type Name =
  | `routes${'ListProject' | 'List' | 'Create' | 'Update' | 'Check' | 'Delete'}`
  | `domains${'List' | 'Create' | 'Check' | 'Update' | 'Repair' | 'Delete'}`;

/** What a route has that nobody chose anything for. */
export const plainRoute = {
  path: '/',
  redirect: null,
  domain: null,
  certificate: null,
  rules: {
    allow: [],
    bodyBytesMax: null,
    protocol: 'http1',
    requestHeaders: [],
    responseHeaders: [],
    basicAuth: null,
  },
} satisfies Partial<RouteRow>;

export function seenCertificate(days: number): RouteRow['certificate'] {
  const expiresAt = iso(Date.now() + days * 86_400_000);
  return { state: 'valid', issuer: "Let's Encrypt", expiresAt, problem: null, checkedAt: iso() };
}

export function makeDomain(project: DomainRow['project'], name: string, more: Partial<DomainRow> = {}): DomainRow {
  return {
    id: newId('dom'),
    project,
    name,
    state: 'pending',
    proof: null,
    reason: null,
    pointsHere: null,
    challenge: { name: challengeName(name), value: challengeValue('3f9c1d0a7b2e48655d10c9aa41b77e0c92d1f3e8') },
    target: DOMAIN,
    dns: null,
    records: [],
    wildcard: null,
    createdAt: iso(),
    createdBy: 'Ines Moreau',
    verifiedAt: null,
    checkedAt: null,
    failingSince: null,
    expiresAt: iso(Date.now() + 7 * 86_400_000),
    ...more,
  };
}

function withCan(route: RouteRow) {
  return {
    ...route,
    can: {
      update: true as const,
      check: true as const,
      delete: route.primary ? 'It belongs to the instance and goes with it.' : (true as const),
    },
  };
}

function shown(state: MockState, domain: DomainRow) {
  const routes = state.routes.filter((each) => each.domain === domain.id).length;
  return {
    ...domain,
    routes,
    can: {
      check: true as const,
      wildcard: domain.dns === null ? 'Connect a DNS provider that keeps the domain.' : (true as const),
      repair: domain.records.some(
        (each) => each.state === 'drifted' || each.state === 'taken' || each.state === 'failed',
      )
        ? (true as const)
        : 'Its records are as they should be.',
      delete: routes > 0 ? 'Routes use it. Remove them first.' : (true as const),
    },
  };
}

function findDomain(state: MockState, id: string): DomainRow {
  const found = state.domains.find((each) => each.id === id);
  if (found === undefined) throw notFound('domain');
  return found;
}

function rulesOf(
  before: RouteRow['rules'],
  input: NonNullable<Parameters<Handlers['routesUpdate']>[1]['body']['rules']> | undefined,
): RouteRow['rules'] {
  const { basicAuth, ...rest } = input ?? {};
  const auth = basicAuth === undefined ? before.basicAuth : basicAuth === null ? null : { user: basicAuth.user };
  const chosen = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...before, ...chosen, basicAuth: auth };
}

export const domainHandlers: Pick<Handlers, Name> = {
  routesListProject: (state, { params }) => ({
    items: state.routes.filter((each) => each.project === params.project).map(withCan),
    nextCursor: null,
  }),
  routesList: (state, { params }) => ({
    items: state.routes.filter((each) => each.instance === params.instance).map(withCan),
  }),
  routesCreate: (state, { params, body }) => {
    const row = state.instances.find((each) => each.id === params.instance);
    if (row === undefined) throw notFound('instance');
    if (state.routes.some((each) => each.hostname === body.hostname && each.path === body.path))
      throw new BerthError('name_taken', 'That host name is taken.', {
        fields: [{ field: 'hostname', message: 'This host name is taken.' }],
      });
    const domain = state.domains.find(
      (each) => each.state === 'verified' && (body.hostname === each.name || body.hostname.endsWith(`.${each.name}`)),
    );
    if (domain === undefined && !body.hostname.endsWith(`.${DOMAIN}`))
      throw new BerthError('invalid_input', 'No proven domain of this project covers the name.', {
        fields: [{ field: 'hostname', message: `It has to end with .${DOMAIN} or with a proven domain.` }],
      });
    const route: RouteRow = {
      id: newId('rte'),
      project: row.project,
      instance: row.id,
      instanceName: row.name,
      hostname: body.hostname,
      ...plainRoute,
      path: body.path,
      target: body.redirect === undefined ? 'port' : 'redirect',
      port: body.port ?? null,
      redirect: body.redirect ?? null,
      visibility: body.visibility,
      primary: false,
      domain: domain?.id ?? null,
      rules: rulesOf(plainRoute.rules, body.rules),
      url: `https://${body.hostname}${body.path === '/' ? '' : body.path}`,
      createdAt: iso(),
    };
    state.routes.push(route);
    record(state, 'route.create', 'route', route.id, route.hostname);
    hint('route', route.id, row.project, row.id);
    return withCan(route);
  },
  routesUpdate: (state, { params, body }) => {
    const route = state.routes.find((each) => each.id === params.route);
    if (route === undefined) throw notFound('route');
    if (body.port !== undefined) route.port = body.port;
    if (body.redirect !== undefined) route.redirect = body.redirect;
    if (body.visibility !== undefined) route.visibility = body.visibility;
    route.rules = rulesOf(route.rules, body.rules);
    hint('route', route.id, route.project, route.instance);
    return withCan(route);
  },
  routesCheck: (state, { params }) => {
    const route = state.routes.find((each) => each.id === params.route);
    if (route === undefined) throw notFound('route');
    route.certificate = seenCertificate(60);
    hint('route', route.id, route.project, route.instance);
    return withCan(route);
  },
  routesDelete: (state, { params }) => {
    const route = state.routes.find((each) => each.id === params.route);
    if (route === undefined) throw notFound('route');
    state.routes = state.routes.filter((each) => each !== route);
    hint('route', route.id, route.project, route.instance);
    return undefined;
  },
  domainsList: (state, { params }) => ({
    items: state.domains.filter((each) => each.project === params.project).map((each) => shown(state, each)),
  }),
  domainsCreate: (state, { params, body }) => {
    if (state.domains.some((each) => each.project === params.project && each.name === body.name))
      throw new BerthError('name_taken', `This project has ${body.name} already.`, {
        fields: [{ field: 'name', message: 'It is in the list already.' }],
      });
    const made = makeDomain(params.project, body.name, { createdBy: state.user.name });
    state.domains.push(made);
    record(state, 'domain.create', 'domain', made.id, made.name);
    hint('domain', made.id, made.project);
    return shown(state, made);
  },
  /** The second look finds the record. */
  domainsCheck: (state, { params }) => {
    const domain = findDomain(state, params.domain);
    const first = domain.checkedAt === null;
    Object.assign(domain, {
      checkedAt: iso(),
      ...(first
        ? { reason: `There is no TXT record at ${domain.challenge.name}.`, pointsHere: false }
        : { state: 'verified', proof: 'txt', reason: null, verifiedAt: iso(), expiresAt: null, failingSince: null }),
    });
    hint('domain', domain.id, domain.project);
    return shown(state, domain);
  },
  domainsUpdate: (state, { params, body }) => {
    const domain = findDomain(state, params.domain);
    const expiresAt = iso(Date.now() + 90 * 86_400_000);
    domain.wildcard = body.wildcard ? { state: 'valid', issuer: "Let's Encrypt", expiresAt, problem: null } : null;
    hint('domain', domain.id, domain.project);
    return shown(state, domain);
  },
  domainsRepair: (state, { params }) => {
    const domain = findDomain(state, params.domain);
    for (const each of domain.records) Object.assign(each, { state: 'present', seen: null, problem: null, mine: true });
    hint('domain', domain.id, domain.project);
    return shown(state, domain);
  },
  domainsDelete: (state, { params }) => {
    const domain = findDomain(state, params.domain);
    state.domains = state.domains.filter((each) => each !== domain);
    hint('domain', domain.id, domain.project);
    return undefined;
  },
};
