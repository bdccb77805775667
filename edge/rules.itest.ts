/** V5: what a route's rules do to real requests, through every Caddy that Berth supports. */

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2, type Http2Server } from 'node:http2';
import { request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { RouteRules } from '#domain/route-rules.ts';
import { hashPassword } from '#server/runtime/passwords.ts';
import { type CaddyProgram, oldCaddy, testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Guest, type Tenant, Tenants } from '#testkit/tenants.ts';
import { BASIC_FAILURES_MAX } from './basic-auth.ts';

const caddys: { label: string; caddy: CaddyProgram }[] = [{ label: 'as wanted', caddy: await testCaddy() }];
const old = await oldCaddy();
if (old !== null) caddys.push({ label: 'of the distribution', caddy: old });

const listening = async (server: Server | Http2Server, address: string): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return (server.address() as AddressInfo).port;
};

describe.each(caddys)('route rules through Caddy $caddy.version ($label)', ({ caddy }) => {
  let ingress: Ingress;
  let tenants: Tenants;
  let tenant: Tenant;
  let guest: Guest;
  let plain: Server;
  let admin: Server;
  let h2c: Http2Server;
  let ports: { plain: number; admin: number; h2c: number };

  const echo = (name: string) =>
    createServer((request, response) => {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on('end', () => {
        response.setHeader('x-powered-by', 'something old');
        response.setHeader('x-frame-options', 'ALLOWALL');
        response.end(JSON.stringify({ name, url: request.url, headers: request.headers, bytes }));
      });
    });

  /** A route with rules; known to edge when it answers. */
  async function route(
    hostname: string,
    more: { path?: string; port?: number; rules?: RouteRules; redirect?: [string, number] } = {},
  ): Promise<string> {
    const id = tenants.newId('rte');
    const values = [
      id,
      guest.organizationId,
      guest.projectId,
      guest.id,
      hostname,
      more.path ?? '/',
      more.redirect === undefined ? 'port' : 'redirect',
      more.redirect === undefined ? (more.port ?? ports.plain) : null,
      more.redirect?.[0] ?? null,
      more.redirect?.[1] ?? null,
      JSON.stringify(more.rules ?? {}),
    ];
    await tenants.query(
      `insert into route (id, organization_id, project_id, instance_id, hostname, path, target, port, redirect_to,
         redirect_status, options, visibility) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'public')`,
      values,
    );
    await tenants.hint('route', id, guest.organizationId);
    return id;
  }
  const ask = (hostname: string, path = '/', options: Parameters<Ingress['ask']>[1] = {}) =>
    ingress.ask(ingress.url(`${hostname}.berth.localhost`, path), options);
  const seen = async (hostname: string, path = '/', options: Parameters<Ingress['ask']>[1] = {}) =>
    JSON.parse((await ask(hostname, path, options)).body);

  beforeAll(async () => {
    const database = await withDatabase();
    tenants = await Tenants.connect(database.url);
    tenant = await tenants.tenant();
    guest = await tenants.guest(tenant, await tenants.person(tenant));
    plain = echo('plain');
    admin = echo('admin');
    h2c = createHttp2();
    h2c.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end(`h2c ${headers[':path']}`);
    });
    ports = {
      plain: await listening(plain, guest.address),
      admin: await listening(admin, guest.address),
      h2c: await listening(h2c, guest.address),
    };
    ingress = await Ingress.start({ caddy, databaseUrl: database.edgeUrl });
  });
  afterAll(async () => {
    await ingress?.stop();
    await tenants?.end();
    for (const server of [plain, admin]) server?.closeAllConnections();
    for (const server of [plain, admin, h2c]) server?.close();
  });

  it('V5: paths lead to ports, the longest first; spellings that walk around a rule are refused', async () => {
    await route('paths.berth.localhost');
    await route('paths.berth.localhost', { path: '/admin', port: ports.admin, rules: { allow: ['192.0.2.0/24'] } });
    await route('paths.berth.localhost', { path: '/admin/open', port: ports.admin });
    await until('all are known', async () => (await ask('paths', '/admin')).status === 403, 3_000);
    expect(await seen('paths', '/x?y')).toMatchObject({ name: 'plain', url: '/x?y' });
    expect(await seen('paths', '/admin/open/1')).toMatchObject({ name: 'admin', url: '/admin/open/1' });
    expect((await ask('paths', '/%61dmin')).status).toBe(403);
    for (const path of ['/x/..%2fadmin', '//admin', '/%2e%2e/admin', '/admin/open/%2e%2e', '/admin;x', '/a%5cadmin'])
      expect((await rawPath('paths.berth.localhost', path)).status, path).toBe(400);
    for (const path of ['/x/../admin', '/admin/open/..', '/./admin'])
      expect((await rawPath('paths.berth.localhost', path)).status, path).toBe(400);
  });

  /** A path exactly as written: URL would tidy it up. */
  function rawPath(hostname: string, path: string): Promise<{ status: number }> {
    return new Promise((resolve, reject) => {
      const call = tlsRequest(
        {
          host: hostname,
          port: ingress.ports.https,
          path,
          lookup: loopbackLookup,
          ca: readFileSync(ingress.caFile),
          servername: hostname,
          agent: false,
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve({ status: response.statusCode ?? 0 }));
        },
      );
      call.on('error', reject);
      call.end();
    });
  }

  it('V5: header rules set and remove, in both directions; nothing of the client’s or the proxy’s shines through', async () => {
    await route('headers.berth.localhost', {
      rules: {
        requestHeaders: [
          { name: 'X-Env', value: 'test' },
          { name: 'X-Second', value: 'two words' },
        ],
        responseHeaders: [
          { name: 'X-Frame-Options', value: 'DENY' },
          { name: 'X-Powered-By', value: '' },
          { name: 'Content-Security-Policy', value: "default-src 'self'" },
        ],
      },
    });
    const answer = await ask('headers', '/', {
      headers: {
        'X-Env': 'forged',
        'X-Berth-Q2-Name': 'X-Forged',
        'X-Berth-Q2-Value': 'yes',
        'X-Berth-Rules': '1',
        'X-Berth-Upstream': '127.0.0.1:1',
        X_Berth_User: 'root',
      },
    });
    const { headers } = JSON.parse(answer.body);
    expect(headers).toMatchObject({ 'x-env': 'test', 'x-second': 'two words' });
    expect(Object.keys(headers).filter((name) => /forged|x.berth.(?!user|email|role)/i.test(name))).toEqual([]);
    expect(headers['x-berth-user']).toBe('');
    expect(answer.headers).toMatchObject({
      'x-frame-options': 'DENY',
      'content-security-policy': "default-src 'self'",
    });
    expect(answer.headers['x-powered-by']).toBeUndefined();
    // A route without rules is left as it is, whatever the client says.
    await route('plain.berth.localhost');
    const other = await ask('plain', '/', { headers: { 'X-Berth-Rules': '1', 'X-Berth-S0-Name': 'X-Frame-Options' } });
    expect(other.headers['x-frame-options']).toBe('ALLOWALL');
    expect(JSON.stringify([answer.headers, other.headers, other.body])).not.toMatch(/http\.(?:vars|reverse_proxy)/);
  });

  it('V5: redirects', async () => {
    await route('moved.berth.localhost', { redirect: ['https://example.com/new', 308] });
    const answer = await ask('moved', '/old');
    expect([answer.status, answer.headers['location']]).toEqual([308, 'https://example.com/new']);
  });

  it('V5: a password of the route: asked for, checked, never passed on, and not to be guessed', async () => {
    const rules = { basicAuth: { user: 'team', hash: await hashPassword('open sesame') } };
    await route('locked.berth.localhost', { rules });
    const basic = (text: string) => ({ headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } });
    const first = await ask('locked');
    expect([first.status, first.headers['www-authenticate']]).toEqual([401, expect.stringContaining('Basic realm')]);
    expect((await ask('locked', '/', basic('team:wrong'))).status).toBe(401);
    expect((await ask('locked', '/', basic('other:open sesame'))).status).toBe(401);
    const right = await seen('locked', '/', basic('team:open sesame'));
    expect(right.headers.authorization).toBeUndefined();
    const guesses = Array.from({ length: BASIC_FAILURES_MAX + 4 }, (_, n) =>
      ask('locked', '/', basic(`team:guess${n}`)),
    );
    expect((await Promise.all(guesses)).map((answer) => answer.status)).not.toContain(200);
    expect((await ask('locked', '/', basic('team:one more'))).status).toBe(429);
    // Who is in already stays in.
    expect((await ask('locked', '/', basic('team:open sesame'))).status).toBe(200);
  });

  it('V5: an allow-list goes by the connection, not by what a header says', async () => {
    await route('inside.berth.localhost', { rules: { allow: ['127.0.0.0/8'] } });
    await route('outside.berth.localhost', { rules: { allow: ['192.0.2.0/24'] } });
    expect((await ask('inside')).status).toBe(200);
    for (const name of ['X-Forwarded-For', 'X-Berth-Address', 'X_Berth_Address', 'X-Real-IP', 'Forwarded'])
      expect((await ask('outside', '/', { headers: { [name]: '192.0.2.1' } })).status, name).toBe(403);
  });

  it('V5: bodies beyond the limit are refused, announced or not', async () => {
    await route('small.berth.localhost', { rules: { bodyBytesMax: 1_000_000 } });
    const fits = 'x'.repeat(1_000_000);
    expect((await seen('small', '/', { method: 'POST', body: fits })).bytes).toBe(1_000_000);
    expect((await ask('small', '/', { method: 'POST', body: `${fits}x` })).status).toBe(413);
    const chunked = await ask('small', '/', {
      method: 'POST',
      body: `${fits}${fits}`,
      headers: { 'transfer-encoding': 'chunked' },
    });
    expect(chunked.status).toBe(413);
  });

  it('V5: HTTP/2 outside, HTTP/2 without TLS inside, WebSockets through a route with rules', async () => {
    await route('grpc.berth.localhost', { port: ports.h2c, rules: { protocol: 'h2c' } });
    expect((await ask('grpc', '/service')).body).toBe('h2c /service');
    await route('two.berth.localhost');
    expect((await ask('two')).status).toBe(200);
    const session = connectHttp2(ingress.url('two.berth.localhost'), {
      ca: readFileSync(ingress.caFile),
      lookup: loopbackLookup,
    });
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':path': '/' });
      stream.on('response', (headers) => resolve(headers[':status']));
      stream.resume();
    });
    session.close();
    expect(status).toBe(200);

    const sockets = new WebSocketServer({ noServer: true });
    plain.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (peer) => peer.on('message', (data) => peer.send(data))),
    );
    await route('ws.berth.localhost', {
      rules: { responseHeaders: [{ name: 'X-Robots-Tag', value: 'noindex' }], bodyBytesMax: 1_000_000 },
    });
    const socket = new WebSocket(ingress.url('ws.berth.localhost').replace('https', 'wss'), {
      ca: readFileSync(ingress.caFile),
      lookup: loopbackLookup,
    });
    const heard = await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => socket.send('hello'));
      socket.on('message', (data) => resolve(String(data)));
    });
    socket.close();
    sockets.close();
    expect(heard).toBe('hello');
  });
});
