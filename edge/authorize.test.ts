import { beforeEach, describe, expect, it } from 'vitest';
import { ROUTE_COOKIE } from '#contract/edge.ts';
import { type GrantPermission, type Role, roles } from '#domain/authz.ts';
import type { DesiredState, InstancePhase, ObservedState } from '#domain/instances.ts';
import type { EdgeAccess, EdgeGroupMember } from './access.ts';
import { type Allowed, Authorizer, headerSafe, hostnameOf, type UserRequest } from './authorize.ts';
import { BasicAuth } from './basic-auth.ts';
import type { Ticket } from './bridge.ts';
import type { Lookup } from './feed.ts';
import type { Answer } from './pages.ts';
import { addressGuard } from './pools.ts';
import { RoutePasses, SignInCodes } from './route-pass.ts';
import { SignIn } from './sign-in.ts';
import { KNOWLEDGE_AGE_MS_MAX } from './snapshot.ts';
import { EdgeState, type EdgeTables, emptyTables, hashToken } from './state.ts';

const now = 1_700_000_000_000;
const hour = 3_600_000;
const site = { domain: 'berth.localhost', consoleOrigin: 'https://berth.localhost:9443', httpsPort: 443 };
const id = (prefix: string, n: number) => `${prefix}_${String(n).padStart(26, '0')}`;
const [org, other] = [id('org', 1), id('org', 2)];
const user = id('usr', 1);
const session = id('ses', 1);
const token = 'brt_0123456789abcdef0123';

const holds = (role: Role | null, changes: Partial<EdgeAccess> = {}): EdgeAccess => ({
  organizationId: org,
  projectId: null,
  instanceId: null,
  subject: user,
  role,
  permissions: null,
  expiresAt: null,
  ...changes,
});

let tables: EdgeTables;
let state: EdgeState;
let asked: Lookup[];
let answers: Map<string, () => void>;
let tickets: Ticket[];
const passes = new RoutePasses(Buffer.alloc(32, 7));

function authorizer(at = now): Authorizer {
  const knowledge = {
    state,
    now: () => at,
    lookup: (what: Lookup) => {
      asked.push(what);
      const answer = answers.get(what.by);
      if (answer === undefined) return null;
      return Promise.resolve().then(answer);
    },
  };
  let n = 0;
  const random = () => `random-value-number-${n++}`;
  return new Authorizer({
    knowledge,
    passes,
    basicAuth: new BasicAuth(() => at),
    bridge: (ticket) => {
      tickets.push(ticket);
      return `pass-${tickets.length}`;
    },
    site,
    mayDial: addressGuard({ pool4: '10.64.0.0/16', prefix6: 'fd42:1:2' }),
    signIn: new SignIn({ knowledge, passes, codes: new SignInCodes(random), site, random }),
    onBadAddress: () => {},
  });
}

const request = (more: Partial<UserRequest> = {}): UserRequest => ({
  host: 'app.berth.localhost',
  uri: '/',
  method: 'GET',
  accept: '*/*',
  cookie: '',
  authorization: '',
  origin: '',
  fetchSite: '',
  upgrade: '',
  address: '192.0.2.1',
  length: '',
  ...more,
});
const ask = async (more: Partial<UserRequest> = {}, at = now): Promise<Allowed | Answer> =>
  authorizer(at).authorize(request(more));
const status = async (more: Partial<UserRequest> = {}, at = now): Promise<number> => {
  const verdict = await ask(more, at);
  return 'status' in verdict ? verdict.status : 200;
};
const pass = (hostname = 'app.berth.localhost') => `${ROUTE_COOKIE}=${passes.issue(session, hostname, now + hour)}`;
const page = { accept: 'text/html' };

beforeEach(() => {
  asked = [];
  answers = new Map();
  tickets = [];
  tables = {
    ...emptyTables(),
    routes: [
      {
        id: id('rte', 1),
        hostname: 'app.berth.localhost',
        path: '/',
        redirect: null,
        rules: null,
        target: 'port',
        port: 8080,
        visibility: 'private',
        organizationId: org,
        instanceId: id('ins', 1),
        enabled: true,
      },
      {
        id: id('rte', 2),
        hostname: 'open.berth.localhost',
        path: '/',
        redirect: null,
        rules: null,
        target: 'port',
        port: 80,
        visibility: 'public',
        organizationId: org,
        instanceId: id('ins', 1),
        enabled: true,
      },
      {
        id: id('rte', 3),
        hostname: 'desk.berth.localhost',
        path: '/',
        redirect: null,
        rules: null,
        target: 'screen',
        port: null,
        visibility: 'private',
        organizationId: org,
        instanceId: id('ins', 1),
        enabled: true,
      },
    ],
    instances: [
      {
        id: id('ins', 1),
        organizationId: org,
        projectId: id('prj', 1),
        name: 'app',
        kind: 'server',
        phase: 'ready',
        desired: 'running',
        observed: 'running',
        address4: '10.64.0.10',
        address6: 'fd42:1:2::a',
      },
    ],
    sessions: [{ id: session, userId: user, hash: hashToken('s'), expiresAt: now + hour, scopes: null }],
    tokens: [{ id: id('tok', 1), userId: user, hash: hashToken(token), expiresAt: null, scopes: null }],
    access: [holds('member')],
    groupMembers: [],
    users: [{ id: user, email: 'pät@example.test', name: 'Pat' }],
    signingKeys: [],
  };
  state = new EdgeState();
  state.replace(tables);
  state.confirmedAt = now;
});

/** What Caddy does with a request of a route without rules: nothing. */
const plain = { treatment: null };

describe('authorize', () => {
  it('I2: lets a member in and says everything the instance may know', async () => {
    expect(await ask({ cookie: `a=1; ${pass()}` })).toEqual({
      upstream: '10.64.0.10:8080',
      bridge: '',
      user,
      email: 'p%C3%A4t@example.test',
      role: 'member',
      cookie: 'a=1',
      ...plain,
    });
    expect(asked).toEqual([]);
  });

  it('I2: a public route stays anonymous for strangers and names members', async () => {
    const nobody = { upstream: '10.64.0.10:80', bridge: '', user: '', email: '', role: '', cookie: '', ...plain };
    expect(await ask({ host: 'open.berth.localhost:8443' })).toEqual(nobody);
    expect(await ask({ host: 'open.berth.localhost', authorization: `Bearer ${token}` })).toMatchObject({ user });
    state.replace({ ...tables, access: [holds('owner', { organizationId: other })] });
    expect(await ask({ host: 'open.berth.localhost', authorization: `Bearer ${token}` })).toEqual(nobody);
  });

  it('I4: what stays open on a private route gets a pass for the bridge and no address; everything else none', async () => {
    const own = { cookie: pass(), origin: 'https://app.berth.localhost' };
    for (const more of [
      { upgrade: 'websocket' },
      { upgrade: ',websocket' },
      { upgrade: 'something-new' },
      { accept: 'text/event-stream' },
      { accept: 'application/json, Text/Event-Stream;q=0.5' },
      { method: 'CONNECT' },
    ]) {
      tickets = [];
      expect(await ask({ ...own, ...more })).toMatchObject({ upstream: '', bridge: 'pass-1', user, role: 'member' });
      expect(tickets).toEqual([
        {
          caller: { kind: 'session', id: session, userId: user, scopes: null },
          role: 'member',
          hostname: 'app.berth.localhost',
          routeId: id('rte', 1),
          instanceId: id('ins', 1),
          address: '10.64.0.10',
          port: 8080,
          client: '192.0.2.1',
        },
      ]);
    }
    tickets = [];
    expect(await ask(own)).toMatchObject({ bridge: '' });
    expect(await ask({ host: 'open.berth.localhost', upgrade: 'websocket' })).toMatchObject({ bridge: '' });
    expect(await ask({ host: 'open.berth.localhost', accept: 'text/event-stream' })).toMatchObject({ bridge: '' });
    expect(await status({ upgrade: 'websocket' })).toBe(401);
    expect(await status({ cookie: pass(), origin: 'https://evil.example', upgrade: 'websocket' })).toBe(403);
    expect(tickets).toEqual([]);
  });

  it.each(roles)(
    'I4: a %s of the organization enters a private route exactly when the role may open instances',
    async (role) => {
      state.replace({ ...tables, access: [holds(role)] });
      expect(await status({ cookie: pass() })).toBe(role === 'viewer' || role === 'guest' ? 403 : 200);
    },
  );

  it('I4: the owner of another organization does not enter', async () => {
    state.replace({ ...tables, access: [holds('owner', { organizationId: other })] });
    expect(await status({ cookie: pass() })).toBe(403);
    expect(await status({ cookie: pass(), ...page })).toBe(403);
  });

  it('A7: a guest enters with a grant to exactly this instance, as a guest by name, and not with another', async () => {
    const guest = holds('guest');
    const grant = (permission: GrantPermission, instance: string) =>
      holds(null, { instanceId: instance, permissions: [permission] });
    state.replace({ ...tables, access: [guest, grant('open', id('ins', 1))] });
    expect(await ask({ cookie: pass() })).toMatchObject({ upstream: '10.64.0.10:8080', user, role: 'guest' });
    for (const wrong of [grant('open', id('ins', 2)), grant('terminal', id('ins', 1))]) {
      state.replace({ ...tables, access: [guest, wrong] });
      expect(await status({ cookie: pass() })).toBe(403);
    }
  });

  it("I4: roles by group, in the instance's project and by an entry count; those elsewhere or over do not", async () => {
    const group = id('grp', 1);
    const inGroup = { organizationId: org, groupId: group, userId: user };
    const cases: [EdgeAccess, EdgeGroupMember[], number][] = [
      [holds('member', { subject: group }), [inGroup], 200],
      [holds('member', { subject: group }), [], 403],
      [holds('member', { projectId: id('prj', 1) }), [], 200],
      [holds('owner', { projectId: id('prj', 2) }), [], 403],
      [holds(null, { subject: group, instanceId: id('ins', 1), permissions: ['open'] }), [inGroup], 200],
      [holds('operator', { expiresAt: now + 1 }), [], 200],
      [holds('operator', { expiresAt: now }), [], 403],
    ];
    for (const [row, groupMembers, expected] of cases) {
      state.replace({ ...tables, access: [row], groupMembers });
      expect(await status({ cookie: pass() }), JSON.stringify(row)).toBe(expected);
    }
  });

  it.each([
    ['nothing', {}, 401],
    ['a browser without a pass', page, 302],
    ['a browser posting without a pass', { ...page, method: 'POST' }, 401],
    ['a WebSocket without a pass', { ...page, upgrade: 'websocket' }, 401],
    ['a pass of another host', { cookie: pass('open.berth.localhost') }, 401],
    ['a pass that is no pass', { cookie: `${ROUTE_COOKIE}=x` }, 401],
    ["the console's own cookie", { cookie: '__Host-berth=s' }, 401],
    ['an API token', { authorization: `Bearer ${token}` }, 200],
    ['an API token in other letters', { authorization: `bEaReR   ${token}` }, 200],
    ['an unknown API token', { authorization: `Bearer ${token}x` }, 401],
    ['a token that is not of Berth', { authorization: 'Bearer abc' }, 401],
    ['two authorizations in one', { authorization: `Bearer ${token},Basic abc` }, 401],
    ['a post from its own page', { cookie: pass(), method: 'POST', fetchSite: 'same-origin' }, 200],
    ['a post from a sibling', { cookie: pass(), method: 'POST', fetchSite: 'same-site' }, 403],
    ['a socket from a sibling', { cookie: pass(), upgrade: 'websocket', origin: 'https://b.berth.localhost' }, 403],
    [
      'a socket from its own page',
      { cookie: pass(), upgrade: 'websocket', origin: 'https://app.berth.localhost' },
      200,
    ],
    ['a link from another site', { cookie: pass(), fetchSite: 'cross-site' }, 200],
    [
      'a post with a token from anywhere',
      { authorization: `Bearer ${token}`, method: 'POST', origin: 'https://x.y' },
      200,
    ],
  ] as [string, Partial<UserRequest>, number][])('I2: %s on a private route', async (_name, more, expected) => {
    expect(await status(more)).toBe(expected);
  });

  it('I2: an expired session, a removed person and a used-up pass are nobody', async () => {
    expect(await status({ cookie: pass() }, now + hour)).toBe(401);
    state.replace({ ...tables, users: [] });
    expect(await status({ cookie: pass() })).toBe(401);
    state.replace({ ...tables, sessions: [] });
    expect(await status({ cookie: pass() })).toBe(401);
  });

  it.each([
    ['ready', 'running', 'running', 200],
    ['ready', 'running', 'unknown', 200],
    ['ready', 'stopped', 'running', 200],
    ['ready', 'stopped', 'unknown', 503],
    ['ready', 'running', 'starting', 503],
    ['ready', 'running', 'stopped', 503],
    ['ready', 'paused', 'paused', 503],
    ['ready', 'stopped', 'stopping', 503],
    ['creating', 'running', 'running', 503],
    ['failed', 'running', 'running', 503],
    ['archived', 'stopped', 'running', 410],
    ['purging', 'stopped', 'running', 410],
  ] as [InstancePhase, DesiredState, ObservedState, number][])(
    'V10: %s, wanted %s, seen %s -> %i, and the row is read again before it says no',
    async (phase, desired, observed, expected) => {
      state.replace({ ...tables, instances: [{ ...tables.instances[0]!, phase, desired, observed }] });
      expect(await status({ host: 'open.berth.localhost' })).toBe(expected);
      expect(asked.map(({ by }) => by)).toEqual(expected === 200 ? [] : ['instance']);
    },
  );

  it('V10: a machine that has started meanwhile is found by the one question', async () => {
    state.replace({ ...tables, instances: [{ ...tables.instances[0]!, observed: 'stopped' }] });
    answers.set('instance', () => state.putInstance(tables.instances[0]!));
    expect(await status({ host: 'open.berth.localhost' })).toBe(200);
  });

  it('D2: an unknown name is looked up once, a name that is none never', async () => {
    state.replace({ ...tables, routes: [] });
    answers.set('hostname', () => state.putRoute(tables.routes[1]!));
    expect(await status({ host: 'open.berth.localhost' })).toBe(200);
    expect(asked).toEqual([{ by: 'hostname', key: 'open.berth.localhost' }]);
    asked = [];
    expect(await status({ host: 'evil host' })).toBe(404);
    expect(asked).toEqual([]);
  });

  it('I6: a stopped or private instance says nothing about itself to strangers', async () => {
    state.replace({ ...tables, instances: [{ ...tables.instances[0]!, observed: 'stopped' }] });
    expect(await status()).toBe(401);
    state.replace({ ...tables, instances: [] });
    expect(await status()).toBe(401);
    expect(await status({ cookie: pass() })).toBe(410);
  });

  it('I6: an address outside the pools is never answered', async () => {
    for (const address4 of ['127.0.0.1', '10.65.0.10', '10.64.0.1', 'unix//run/server.sock', '169.254.169.254']) {
      state.replace({ ...tables, instances: [{ ...tables.instances[0]!, address4 }] });
      expect(await status({ host: 'open.berth.localhost' })).toBe(503);
    }
  });

  it('a route that is switched off, the screen of a desktop, the console itself', async () => {
    state.replace({ ...tables, routes: tables.routes.map((route) => ({ ...route, enabled: false })) });
    expect(await status({ host: 'open.berth.localhost' })).toBe(404);
    expect(await ask({ host: 'desk.berth.localhost' })).toMatchObject({
      status: 302,
      headers: { location: `https://berth.localhost:9443/screen/${id('ins', 1)}` },
    });
    expect(await ask({ host: 'berth.localhost' })).toMatchObject({
      status: 302,
      headers: { location: 'https://berth.localhost:9443/' },
    });
  });

  it('R1: what has not been confirmed for a day lets nobody in', async () => {
    expect(await status({ host: 'open.berth.localhost' }, now + KNOWLEDGE_AGE_MS_MAX)).toBe(200);
    expect(await status({ host: 'open.berth.localhost' }, now + KNOWLEDGE_AGE_MS_MAX + 1)).toBe(503);
  });

  it('reads host names as they may be written', () => {
    expect(hostnameOf('App.Berth.localhost.:8443')).toBe('app.berth.localhost');
    for (const bad of ['', ':80', 'a b', 'a/b', '[::1]:80', 'ä.example', 'a'.repeat(254)]) {
      expect([bad, hostnameOf(bad)]).toEqual([bad, undefined]);
    }
    expect(headerSafe('a\r\nX: y')).toBe('a%0D%0AX:%20y');
  });

  it('I2: a token opens what its scopes hold, and is nobody to everything else', async () => {
    const bearing = (scopes: string[] | null) => {
      state.replace({
        ...tables,
        tokens: [{ id: id('tok', 1), userId: user, hash: hashToken(token), expiresAt: null, scopes }],
      });
      return authorizer().authorize(request({ authorization: `Bearer ${token}` }));
    };
    expect(await bearing(null)).toHaveProperty('upstream');
    expect(await bearing(['instance.open'])).toHaveProperty('upstream');
    expect(await bearing(['instance.*'])).toHaveProperty('upstream');
    for (const scopes of [['*.read'], ['instance.read', 'quota.read']]) {
      expect(await bearing(scopes)).toMatchObject({ status: 403 });
    }
  });
});
