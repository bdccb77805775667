/** What stands in front of every handler: same-site check, limits, headers, request ids, static files, logs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRoutes, api } from '#contract/api.ts';
import { problemSchema } from '#contract/common.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  idleWork,
  PASSWORD,
  SETUP_CODE,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
} from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
let consoleDir = '';
const clock = new TestClock(new Date('2026-11-21T10:00:30Z'));

beforeAll(async () => {
  consoleDir = mkdtempSync(join(tmpdir(), 'berth-console-'));
  mkdirSync(join(consoleDir, 'assets'));
  writeFileSync(
    join(consoleDir, 'index.html'),
    '<!doctype html><html><head><title>console</title><link rel="modulepreload" crossorigin href="/assets/b.js"><script type="module" src="/assets/app-1a2b3c4d.js"></script></head></html>',
  );
  writeFileSync(join(consoleDir, 'assets', 'app-1a2b3c4d.js'), 'export {}');
  writeFileSync(join(consoleDir, '.secret'), 'hidden');
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    clock,
    config: { consoleDir },
  });
  home = await server.setUp();
});
afterAll(async () => {
  await server.stop();
  rmSync(consoleDir, { recursive: true, force: true });
});

describe('I2: changes come from the console itself', () => {
  const changing = allRoutes.filter((route) => route.method !== 'GET' && route.access !== 'public');

  it('every changing endpoint refuses a cookie with a foreign, missing or null origin', async () => {
    expect(changing.length).toBeGreaterThan(25);
    const cookie = `__Host-berth=${home.owner.cookie}`;
    for (const route of changing) {
      const url = route.path.replace(/:([a-zA-Z]+)/g, 'x');
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: 'https://app.berth.localhost:9443' },
        { origin: 'https://berth.localhost' },
        { origin: 'http://berth.localhost:9443' },
        { origin: 'null' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://berth.localhost:9443', 'sec-fetch-site': 'cross-site' },
        {},
      ]) {
        clock.advance({ seconds: 1 });
        const response = await server.http.fastify.inject({
          method: route.method,
          url,
          headers: { cookie, ...headers },
        });
        expect([response.statusCode, response.json().code], `${route.id} ${JSON.stringify(headers)}`).toEqual([
          403,
          'forbidden_origin',
        ]);
      }
    }
  });

  it('signing in from another site is refused too; without any origin (a program) it works', async () => {
    const body = { email: 'owner@example.test', password: PASSWORD };
    const foreign = await server.anonymous.try(api.signIn, { body, headers: { origin: 'https://evil.example' } });
    expect(foreign.statusCode).toBe(403);
    expect(foreign.headers['set-cookie']).toBeUndefined();
    expect((await new TestClient(server).try(api.signIn, { body })).statusCode).toBe(201);
  });

  it('bearer tokens need no origin: browsers never send them by themselves', async () => {
    const program = await home.owner.program();
    const response = await program.try(api.accountUpdate, {
      body: { name: 'By Token' },
      headers: { origin: 'https://evil.example' },
    });
    expect(response.statusCode).toBe(200);
  });

  it('no endpoint answers with CORS permissions', async () => {
    const response = await server.http.fastify.inject({
      method: 'OPTIONS',
      url: '/api/v1/session',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    expect(response.statusCode).toBe(404);
  });
});

describe('answers', () => {
  const get = (url: string) => server.anonymous.raw({ method: 'GET', url, headers: { accept: 'text/html' } });

  it('may do nothing at all in a browser unless they are a page, and carry the other headers, also on errors', async () => {
    for (const url of ['/healthz', '/api/v1/nothing', '/api/v1/session', '/assets/app-1a2b3c4d.js', '/']) {
      const { headers } = await get(url);
      if (url !== '/') {
        expect(headers['content-security-policy'], url).toBe(
          "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        );
      }
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['x-frame-options'], url).toBe('DENY');
      expect(headers['referrer-policy']).toBe('same-origin');
      expect(headers['strict-transport-security']).toContain('max-age=');
      expect(headers['cross-origin-opener-policy']).toBe('same-origin');
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
      expect(headers['permissions-policy']).toContain('camera=()');
      expect(headers).not.toHaveProperty('server');
      expect(headers).not.toHaveProperty('x-powered-by');
    }
  });

  it('pages run the scripts with the nonce of this answer and no other', async () => {
    const nonces = new Set<string>();
    for (const url of ['/', '/p/main/instances', '/index.html']) {
      const { headers, body } = await get(url);
      const policy = String(headers['content-security-policy']);
      const nonce = /script-src 'self' 'nonce-([A-Za-z0-9_-]{24})' 'strict-dynamic'/.exec(policy)?.[1] ?? '';
      expect(nonce, url).not.toBe('');
      nonces.add(nonce);
      expect(body).toContain(`<script nonce="${nonce}" type="module" src="/assets/app-1a2b3c4d.js">`);
      expect(body).toContain(`<link nonce="${nonce}" rel="modulepreload"`);
      expect(body).toContain(`<meta property="csp-nonce" nonce="${nonce}">`);
      for (const part of ["frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'", "default-src 'self'"]) {
        expect(policy).toContain(part);
      }
      expect(policy).not.toContain('unsafe-eval');
      expect(policy.split(';').find((part) => part.includes('script-src'))).not.toContain('unsafe-inline');
    }
    expect(nonces.size).toBe(3);
  });

  it('carry the request id of the caller, or a new one when that is not usable', async () => {
    const id = 'trace-0123456789';
    const kept = await server.anonymous.raw({ method: 'GET', url: '/api/v1/session', headers: { 'x-request-id': id } });
    expect(kept.headers['x-request-id']).toBe(id);
    expect(problemSchema.parse(kept.json()).requestId).toBe(id);
    for (const bad of ['short', 'a'.repeat(100), 'spaces are not ok', '<script>12345']) {
      const made = await server.anonymous.raw({ method: 'GET', url: '/healthz', headers: { 'x-request-id': bad } });
      expect(made.headers['x-request-id']).toMatch(/^req_[0-9a-f]{32}$/);
    }
  });

  it('API answers are never cached', async () => {
    for (const url of ['/api/v1/session', '/api/v1/setup', '/api/v1/nothing']) {
      expect((await home.owner.raw({ method: 'GET', url })).headers['cache-control'], url).toBe('no-store');
    }
  });
});

describe('U2: the console', () => {
  const get = (url: string, accept = 'text/html') =>
    server.http.fastify.inject({ method: 'GET', url, headers: { accept } });

  it('any page answers index.html, never cached; hashed assets are cached for ever', async () => {
    for (const url of ['/', '/instances', '/projects/prj_x/instances/web?tab=logs']) {
      const response = await get(url);
      expect(response.statusCode, url).toBe(200);
      expect(response.headers['content-type']).toContain('text/html');
      expect(response.headers['cache-control'], url).toBe('no-cache');
    }
    const asset = await get('/assets/app-1a2b3c4d.js', '*/*');
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(asset.headers['content-type']).toContain('javascript');
  });

  it('missing assets, API paths, hidden files and paths outside are not pages', async () => {
    for (const url of [
      '/assets/gone.js',
      '/api/v1/x',
      '/edge/v1/x',
      '/.secret',
      '/../package.json',
      '/%2e%2e/package.json',
    ]) {
      const response = await get(url);
      expect(
        response.statusCode === 404 || (response.statusCode === 200 && response.body.includes('<title>console')),
        url,
      ).toBe(true);
      expect(response.body).not.toContain('hidden');
      expect(response.body).not.toContain('dependencies');
    }
    expect((await get('/assets/gone.js')).statusCode).toBe(404);
    expect((await get('/api/v1/x')).headers['content-type']).toContain('application/problem+json');
  });
});

describe('U3: the description of the API', () => {
  it('is served as checked in, and names every endpoint', async () => {
    const response = await server.anonymous.raw({ method: 'GET', url: '/api/v1/openapi.json' });
    const description = response.json<{ openapi: string; paths: Record<string, Record<string, unknown>> }>();
    expect(description.openapi).toMatch(/^3\.1/);
    for (const route of allRoutes) {
      const path = route.path.replace(/:([a-zA-Z]+)/g, '{$1}');
      expect(description.paths[path]?.[route.method.toLowerCase()], route.id).toBeDefined();
    }
  });
});

describe('I6: refusals', () => {
  it('I6: who was refused what is in the log, with address and request id, and no secret of a path', async () => {
    const stranger = await home.owner.addStranger();
    const tried = async (client: TestClient, call: Promise<{ headers: Record<string, unknown> }>) => {
      const id = (await call).headers['x-request-id'];
      const lines = server.logLines.map((line) => JSON.parse(line)).filter((line) => line.requestId === id);
      expect(lines.filter((line) => line.msg === 'refused')).toEqual([
        expect.objectContaining({ level: 'info', address: client.address, user: client.userId }),
      ]);
      return lines.find((line) => line.msg === 'refused');
    };
    const foreign = { organization: home.organization };
    expect(await tried(stranger.owner, stranger.owner.try(api.membersList, { params: foreign }))).toMatchObject({
      status: 404,
      ids: [home.organization],
      route: api.membersList.path,
    });
    expect(await tried(stranger.owner, stranger.owner.try(api.platformAuditList))).toMatchObject({ status: 404 });
    const nobody = new TestClient(server);
    expect(await tried(nobody, nobody.try(api.whoami))).toMatchObject({ status: 401 });
    const secret = 'a'.repeat(43);
    const line = await tried(nobody, nobody.try(api.invitationRead, { params: { secret } }));
    expect(JSON.stringify(line)).not.toContain(secret);
    const before = server.logLines.length;
    await home.owner.call(api.whoami);
    expect(server.logLines.slice(before).some((each) => each.includes('"refused"'))).toBe(false);
  });
});

describe('D4: secrets', () => {
  it('no log line, audit row or answer carries a password, cookie, token, code or invitation secret', async () => {
    clock.advance({ minutes: 5 });
    const person = await home.owner.again('owner@example.test');
    const token = await person.call(api.tokensCreate, { body: { name: 'canary' } });
    const { link } = await person.call(api.invitationsCreate, {
      params: { organization: home.organization },
      body: { email: 'canary@example.test', role: 'viewer' },
    });
    const secret = link?.split('/').at(-1) ?? '';
    const guest = new TestClient(server);
    await guest.call(api.invitationAccept, { params: { secret }, body: { name: 'C', password: 'canary password 77' } });
    const program = new TestClient(server);
    program.token = token.secret;
    await program.call(api.whoami);
    await guest.try(api.signIn, { body: { email: 'canary@example.test', password: 'canary wrong 88' } });
    await guest.try(api.setup, {
      body: { code: 'CANARY-CODE-99', email: 'a@example.test', name: 'A', password: PASSWORD },
    });

    const canaries = [
      PASSWORD,
      SETUP_CODE,
      'canary password 77',
      'canary wrong 88',
      'CANARY-CODE-99',
      token.secret,
      secret,
      person.cookie ?? '',
      guest.cookie ?? '',
    ];
    const log = server.logLines.join('\n');
    const audit = JSON.stringify(await server.app.db.selectFrom('audit').selectAll().execute());
    const outbox = JSON.stringify(await server.app.db.selectFrom('outbox').selectAll().execute());
    expect(server.logLines.length).toBeGreaterThan(100);
    for (const canary of canaries) {
      expect(canary.length).toBeGreaterThan(8);
      expect(log.includes(canary)).toBe(false);
      expect(audit.includes(canary)).toBe(false);
      expect(outbox.includes(canary)).toBe(false);
    }
  });
});
