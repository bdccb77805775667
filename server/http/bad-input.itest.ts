/** Bad input on every endpoint of the contract: refused in words, never an internal error, never a changed row. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api, type RouteName } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import type { Place } from '#testkit/factories.ts';
import { newId } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { routeRows } from '#testkit/route-rows.ts';
import type { RowCall } from '#testkit/row-makers.ts';
import { idleWork, type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
let place: Place;
/** Signing in and set-up answer with a cookie: these calls are made by somebody else. */
const anonymously = new Set<RouteName>(['signIn', 'signInFactor', 'signInPasskey', 'setup', 'invitationAccept']);

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  home = await server.setUp();
  if (home.owner.userId === null) throw new Error('no owner');
  place = { organization: home.organization, project: home.project, person: home.owner.userId };
});
afterAll(() => server.stop());

const names = (Object.keys(api) as RouteName[]).filter(
  // OAuth endpoints have rules of their own: server/app/oauth.itest.ts.
  (name) => name !== 'events' && (api[name] as RouteDefinition).protocol !== 'oauth',
);

const strings: unknown[] = [
  '',
  ' ',
  'a'.repeat(300),
  'x'.repeat(200_000),
  "'; drop table instance; --",
  '" or ""="',
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '{{constructor.constructor("return 1")()}}',
  '$'.concat('{jndi:ldap://127.0.0.1/a}'),
  '../../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  'a\u0000b',
  'a\u0007b',
  'a\u001b[31mb',
  '\ud800',
  '\u202egnp.exe',
  'ﷺ'.repeat(20),
  '𝒳'.repeat(50),
  '\r\nSet-Cookie: a=b',
  '%00',
  'null',
  '-1',
  '1e309',
  'NaN',
];
const others: unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  [],
  {},
  [[[[[]]]]],
  { $gt: '' },
  { toString: 'x' },
  { constructor: { prototype: { polluted: true } } },
];

function callerFor(name: RouteName): TestClient {
  return anonymously.has(name) ? server.anonymous : home.owner;
}

async function send(name: RouteName, call: RowCall): Promise<number> {
  const client = callerFor(name);
  const response = await client.try(api[name] as RouteDefinition, call as object);
  server.anonymous.cookie = null;
  if (response.statusCode >= 400) {
    expect(response.headers['content-type'], name).toContain('application/problem+json');
    const problem = response.json();
    expect(problem.status).toBe(response.statusCode);
    expect(problem.requestId).toBe(response.headers['x-request-id']);
  }
  return response.statusCode;
}

async function row(name: RouteName): Promise<RowCall> {
  return routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: home.owner.userId });
}

/** Answers that are about the caller's input or about state, never about our own code. */
function expectHandled(status: number, what: string): void {
  expect(status === 500, what).toBe(false);
}

/** Parameters that name what need not be there yet, or what one of these calls has just made. */
const newNames: ReadonlySet<string> = new Set([
  'instanceNamesCheck name',
  'stacksCheck stack',
  'addressSetsPut name',
  'addressSetsDelete name',
]);

describe('bad input', () => {
  it('wrong ids: every path parameter takes its own kind only', { timeout: 120_000 }, async () => {
    for (const name of names) {
      const call = await row(name);
      for (const key of Object.keys(call.params ?? {})) {
        const wrong = [
          ...strings,
          newId('ses').toUpperCase(),
          'ins_',
          'org_zzzzzzzzzzzzzzzzzzzzzzzzzz',
          '__proto__',
          'constructor',
        ];
        const freeText = newNames.has(`${name} ${key}`);
        for (const value of wrong) {
          if (typeof value !== 'string' || value.length > 1000 || !value.isWellFormed()) continue;
          const status = await send(name, { ...call, params: { ...call.params, [key]: value } });
          expectHandled(status, `${name} ${key}=${value}`);
          if (!freeText) expect(status, `${name} ${key}=${value}`).toBeGreaterThanOrEqual(400);
        }
      }
    }
  });

  it('a body that is all defaults may be left out, but not be null', async () => {
    const { params } = await row('instancesPower');
    expect((await home.owner.try(api.instancesPower, { params: params ?? {} })).statusCode).toBe(202);
    const url = `/api/v1/instances/${params?.instance}/actions/stop`;
    expect((await home.owner.raw({ method: 'POST', url, payload: null })).statusCode).toBe(400);
  });

  it('an id of another kind is refused as such', async () => {
    const response = await home.owner.try(api.projectsGet, { params: { project: home.organization } });
    expect(response.statusCode).toBe(400);
    expect(response.json().fields[0].field).toBe('project');
  });

  it('unknown keys are refused in query and body of every endpoint', { timeout: 120_000 }, async () => {
    for (const name of names) {
      const call = await row(name);
      for (const key of ['surprise', 'constructor', 'prototype', 'hasOwnProperty']) {
        expect(await send(name, { ...call, query: { ...call.query, [key]: '1' } }), `${name}?${key}`).toBe(400);
        if (api[name].method === 'GET') continue;
        const body = { ...(call.body as object | undefined), [key]: 1 };
        expect(await send(name, { ...call, body }), `${name} ${key}`).toBe(400);
      }
    }
  });

  it('prototype keys in JSON are refused and poison nothing', async () => {
    for (const text of [
      '{"__proto__":{"platformAdmin":true},"name":"x"}',
      '{"name":"x","constructor":{"prototype":{"platformAdmin":true}}}',
      '{"name":{"__proto__":null}}',
    ]) {
      const response = await home.owner.raw({
        method: 'PATCH',
        url: '/api/v1/account',
        payload: text,
        headers: { 'content-type': 'application/json' },
      });
      expect(response.statusCode).toBe(400);
    }
    expect(({} as { platformAdmin?: unknown }).platformAdmin).toBeUndefined();
  });

  it('wrong types and hostile texts in every field of every body', { timeout: 170_000 }, async () => {
    for (const name of names) {
      const call = await row(name);
      if (call.body === undefined) continue;
      const body = call.body as Record<string, unknown>;
      for (const key of Object.keys(body)) {
        // A password may be any text; these would only spend time on hashing.
        const values = key === 'password' || key === 'current' ? others : [...strings, ...others];
        for (const value of values) {
          const status = await send(name, { ...call, body: { ...body, [key]: value } });
          expectHandled(status, `${name} ${key}=${JSON.stringify(value)?.slice(0, 60)}`);
        }
      }
      for (const whole of [null, [], 'text', 7, true, [body]]) {
        const status = await send(name, { ...call, body: whole });
        expect(status, `${name} body=${JSON.stringify(whole)}`).toBeGreaterThanOrEqual(400);
        expectHandled(status, name);
      }
    }
  });

  it('wrong types and hostile texts in every query parameter', { timeout: 120_000 }, async () => {
    for (const name of names) {
      const route: RouteDefinition = api[name];
      if (route.query === undefined) continue;
      const call = await row(name);
      for (const key of Object.keys(route.query.shape)) {
        for (const value of strings) {
          if (typeof value !== 'string' || value.length > 1000) continue;
          expectHandled(await send(name, { ...call, query: { [key]: value } }), `${name}?${key}=${value}`);
        }
        const path = route.path.replace(/:([a-zA-Z]+)/g, (_, part: string) => call.params?.[part] ?? '');
        const twice = await home.owner.raw({ method: route.method, url: `${path}?${key}=a&${key}=b` });
        expect(twice.statusCode, `${name} ${key} twice`).toBe(400);
      }
    }
  });

  it('control characters are refused everywhere, with the field named', async () => {
    for (const text of ['a\u0000b', 'a\u001bb', 'a\u007fb', 'a\ud800']) {
      const response = await home.owner.try(api.accountUpdate, { body: { name: text } });
      expect(response.statusCode).toBe(400);
      expect(response.json().fields).toEqual([{ field: 'name', message: 'Control characters are not allowed.' }]);
    }
  });

  it('bodies that are too large, too deep, broken or of another type', async () => {
    const send = (payload: string, type = 'application/json') =>
      home.owner.raw({ method: 'PATCH', url: '/api/v1/account', payload, headers: { 'content-type': type } });
    expect((await send(JSON.stringify({ name: 'x'.repeat(300 * 1024) }))).statusCode).toBe(413);
    expect((await send(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)).statusCode).toBe(400);
    expect((await send(`{"name":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`)).statusCode).toBe(400);
    for (const broken of ['{', '{"name":}', 'name=x', '\u0000', '{"name":"x"}}', '{"name": 01}']) {
      expect((await send(broken)).statusCode, broken).toBe(400);
    }
    for (const type of [
      'text/plain',
      'application/xml',
      'multipart/form-data; boundary=x',
      'application/x-www-form-urlencoded',
    ]) {
      const response = await send('{"name":"x"}', type);
      expect([response.statusCode, response.json().code], type).toEqual([400, 'invalid_input']);
    }
  });

  it('paths and methods that do not exist answer problem JSON', async () => {
    for (const [method, url] of [
      ['GET', '/api/v1/nothing'],
      ['POST', '/api/v1/setup/'],
      ['DELETE', '/api/v1/organizations'],
      ['GET', '/api/v1/../../etc/passwd'],
      ['GET', '/api/v1/%00'],
      ['GET', '/api/v1/instances/%ff%fe'],
      ['PUT', '/healthz'],
      ['GET', `/api/v1/instances/${'a'.repeat(400)}`],
    ] as const) {
      const response = await home.owner.raw({ method, url });
      expect([400, 404, 414], `${method} ${url}`).toContain(response.statusCode);
      expect(response.headers['content-type'], `${method} ${url}`).toContain('application/problem+json');
    }
  });

  it('nothing above was an error inside Berth', () => {
    const errors = server.logLines.filter((line) => JSON.parse(line).level === 'error');
    expect(errors).toEqual([]);
  });
});
